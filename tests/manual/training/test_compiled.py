"""Training compiled: the same curve, the same records, the same end as step by step."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

import manual
import torch_ref
from handgrad.experiment.datasets.digits import digits
from manual.namespace import KNOWN
from manual.optimizers import schedules
from manual.training import loop
from manual.training.by_jax import programs

D = digits()
X, LABELS = D.x[:150], D.labels[:150]
HOW: dict[str, Any] = {
    "epochs": 3,
    "batch_size": 32,
    "seed": 5,
    "validation": 0.2,
    "metrics": ["accuracy"],
    "schedule": schedules.warm_up(5, schedules.cosine(30)),
    "clip_norm": 0.5,
}
LOSS = manual.SoftmaxCrossEntropy()


def network() -> manual.Network:
    first = manual.Linear(64, 8, bias=False)  # batch norm takes a bias out again: its gradient is rounding alone
    return manual.Network((first, manual.BatchNorm1d(8), manual.Tanh(), manual.Dropout(0.2), manual.Linear(8, 10)))


def train(to: Any, optimizer: Any, net: manual.Network | None = None, **how: Any) -> manual.Training:
    net = net or network()
    params = tuple({name: to(a) for name, a in layer.items()} for layer in net.init(0))
    return manual.fit(net, params, to(X), to(LABELS), LOSS, optimizer, **HOW | how)


def numbers(tree: Any) -> np.ndarray:
    return np.concatenate([np.ravel(np.asarray(a, dtype=float)) for a in jax.tree.leaves(tree)])


@pytest.fixture
def float64() -> Any:
    before = jax.config.read("jax_enable_x64")
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("optimizer", [manual.AdamW(0.01), manual.SGD(0.1, momentum=0.9, dampening=0.1)])
def test_jax_gives_the_curve_of_numpy(optimizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "several_steps", lambda plan: 2)  # of three full batches an epoch; the fourth is smaller
    steps: list[tuple[float, int]] = []
    expected = train(np.asarray, optimizer, alpha=0.1)
    done = train(jnp.asarray, optimizer, alpha=0.1, compile=True, on_step=lambda E, step: steps.append((E, step)))
    for one, other in zip(done.history, expected.history, strict=True):
        assert one == pytest.approx(other, rel=1e-10)
    for name in ("params", "running", "optimizer_state"):
        one, other = (numbers(getattr(training, name)) for training in (done, expected))
        np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-12)
    assert [step for _, step in steps] == list(range(1, 13))
    assert list(map(list, done.params)) == list(map(list, expected.params))  # gamma before beta
    assert isinstance(done.optimizer_state.step, int)


@pytest.mark.usefixtures("float64")
def test_it_goes_on_where_it_was_left() -> None:
    half = train(np.asarray, manual.AdamW(0.01), epochs=2)
    done = train(jnp.asarray, manual.AdamW(0.01), compile=True, resume=half)
    expected = train(np.asarray, manual.AdamW(0.01))
    assert done.history[-1] == pytest.approx(expected.history[-1], rel=1e-10)


@pytest.mark.usefixtures("float64")
def test_a_loss_that_is_not_finite_ends_it_before_the_step() -> None:
    wild, net = manual.SGD(1e150), manual.mlp([64, 8, 10], "identity")
    with pytest.raises(manual.NonFiniteLossError) as by_numpy:
        train(np.asarray, wild, net, clip_norm=None)
    with pytest.raises(manual.NonFiniteLossError) as compiled:
        train(jnp.asarray, wild, net, clip_norm=None, compile=True)
    assert compiled.value.step == by_numpy.value.step
    assert compiled.value.training.step == by_numpy.value.training.step
    last = numbers(compiled.value.training.params)
    np.testing.assert_allclose(last, numbers(by_numpy.value.training.params), rtol=1e-6)


def test_an_equal_training_compiles_nothing_again() -> None:
    def seen() -> int:
        scan, _, _ = programs()
        found: int = scan._cache_size()
        return found

    train(jnp.asarray, manual.SGD(0.1), epochs=2, compile=True)
    before = seen()
    train(jnp.asarray, manual.SGD(0.1), epochs=2, compile=True)
    train(jnp.asarray, manual.SGD(0.2), epochs=1, compile=True)  # the rate is no part of a program
    assert seen() == before
    train(jnp.asarray, manual.SGD(0.1, weight_decay=0.1), epochs=1, compile=True)
    assert seen() > before


def test_jax_compiles_few_programs() -> None:
    """Not one for every operation of the checks, the batches, the metrics and the loss, 84 in all."""
    compiled: list[str] = []

    def listen(event: str, seconds: float, **_: Any) -> None:
        if event.endswith("backend_compile_duration"):
            compiled.append(event)

    net = manual.mlp([64, 7, 10])  # of no other test
    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        train(jnp.asarray, manual.SGD(0.1, momentum=0.9), net, compile=True)
    finally:
        jax.monitoring.clear_event_listeners()
    assert 5 <= len(compiled) <= 20  # two of steps, two of outputs, the loss; and arrays made


def test_a_loss_with_a_list_in_it_compiles_too() -> None:
    loss, net = manual.SoftmaxCrossEntropy(class_weights=[1.0, 2.0]), manual.mlp([3, 2])
    x, labels = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32), np.asarray([0, 1, 1, 0, 1, 0])
    params = net.init(0, dtype="float32")
    expected, done = (
        manual.fit(net, tuple({name: to(a) for name, a in layer.items()} for layer in params), to(x), to(labels), loss,
                   manual.SGD(0.1), epochs=2, batch_size=3, compile=to is jnp.asarray)
        for to in (np.asarray, jnp.asarray)
    )  # fmt: skip
    assert done.history[-1] == pytest.approx(expected.history[-1], rel=1e-5)


@pytest.mark.parametrize(
    ("count", "shapes"), [(9, [(2, 2), (2, 2), (1, 1)]), (10, [(2, 2), (2, 2), (1, 2)]), (1, [(1, 1)]), (0, [])]
)
def test_batches_are_taken_several_at_a_time(count: int, shapes: list[tuple[int, int]]) -> None:
    found = list(loop.blocks(np.arange(count), 2, 2))
    assert [block.shape for block in found] == shapes
    assert [row for block in found for row in block.ravel()] == list(range(count))


def test_numpy_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing compiles; use JAX or torch"):
        train(np.asarray, manual.SGD(0.1), compile=True)


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> None:
    """The compiler's own tracing, and its backend left out, which takes a quarter of a minute."""
    compiler = torch.compile
    monkeypatch.setattr(torch, "compile", lambda f, **how: compiler(f, **how | {"backend": "eager"}))


@pytest.mark.usefixtures("traced")
def test_more_networks_than_torch_keeps_programs_of_one_function() -> None:
    x = torch.asarray(D.x[:4])
    for n in range(1, 10):
        net = manual.mlp([64, n])
        done = manual.fit(net, net.init(0, xp=torch), x, x[:, :n], manual.MeanSquaredError(), manual.SGD(0.1), epochs=1,
                          batch_size=4, compile=True)  # fmt: skip
        assert done.step == 1


@pytest.mark.usefixtures("traced")
def test_torch_compiles_where_nobody_imported_torch_ref(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in (torch.Tensor, torch.nn.Parameter):
        monkeypatch.delitem(KNOWN, kind)
    net, x, loss = manual.mlp([64, 3]), torch.asarray(D.x[:4]), manual.MeanSquaredError()
    manual.fit(net, net.init(0, xp=torch), x, x[:, :3], loss, manual.Adam(), epochs=1, compile=True)
    assert torch.Tensor in KNOWN  # torch 2.11 compiles no search for it


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize("side", ["hand", "autograd"])
def test_torch_gives_the_curve_of_numpy(side: Any) -> None:
    net, optimizer = network(), manual.AdamW(0.01)
    done = torch_ref.fit(net, net.init(0), X, LABELS, LOSS, optimizer, side=side, compile=True, **HOW)
    expected = train(np.asarray, optimizer)
    for one, other in zip(done.history, expected.history, strict=True):
        assert one == pytest.approx(other, rel=1e-9)
    assert isinstance(done.params[0]["W"], np.ndarray)
