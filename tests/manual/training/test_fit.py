"""What `manual.fit` computes: the curve on every array library, records, validation, and what it must not do."""

import json
import tracemalloc
from contextlib import nullcontext
from importlib.util import find_spec
from typing import Any

import array_api_strict
import numpy as np
import pytest
import torch

import manual
import torch_ref
from handgrad.experiment.datasets.digits import digits
from manual.optimizers import schedules
from manual.optimizers.clipping import gradient_norm
from manual.training.batches import masks
from manual.training.metrics import accuracy

D = digits()
X, LABELS, ONE_HOT = D.x[:300], D.labels[:300], D.one_hot[:300]
EVERYTHING: dict[str, Any] = {
    "epochs": 3,
    "batch_size": 32,
    "seed": 5,
    "validation": 0.2,
    "metrics": ["accuracy"],
    "schedule": schedules.warm_up(5, schedules.cosine(30)),
    "clip_norm": 1.0,
}
LOSS = manual.SoftmaxCrossEntropy()


def network() -> manual.Network:
    layers = (
        manual.Linear(64, 16, bias=False),  # batch norm takes a bias out again
        manual.BatchNorm1d(16),
        manual.ReLU(),
        manual.Dropout(0.2),
        manual.Linear(16, 10),
    )
    return manual.Network(layers)


def vector(tree: Any) -> np.ndarray:
    """All numbers of a tree of tuples and dictionaries of arrays."""
    if tree is None:
        return np.zeros(0)
    items = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, tuple) else None
    if items is None:
        return np.ravel(np.asarray(tree, dtype=float))
    return np.concatenate([np.zeros(0), *map(vector, items)])


def test_it_is_minibatch_descent_on_seeded_batches() -> None:
    """Against a loop of plain torch: nn.Linear, autograd, torch.optim."""
    net, optimizer = manual.mlp([64, 16, 10], "tanh"), manual.SGD(0.1, momentum=0.9)
    params = net.init(0)
    done = manual.fit(net, params, X, LABELS, LOSS, optimizer, epochs=2, batch_size=64, seed=9)

    W1, b1, W2, b2 = (torch.tensor(params[i][k], requires_grad=True) for i in (0, 2) for k in ("W", "b"))
    descent = torch.optim.SGD([W1, b1, W2, b2], 0.1, momentum=0.9)
    x, t = torch.tensor(X), torch.tensor(LABELS)
    for epoch in range(2):
        order = np.random.default_rng((9, 0, epoch)).permutation(300)
        losses, norms, sizes = [], [], []
        for rows in (order[i : i + 64] for i in range(0, 300, 64)):
            E = torch.nn.functional.cross_entropy(torch.tanh(x[rows] @ W1.T + b1) @ W2.T + b2, t[rows])
            descent.zero_grad()
            E.backward()
            losses.append(E.item())
            sizes.append(len(rows))
            norms.append(torch.cat([p.grad.ravel() for p in (W1, b1, W2, b2)]).norm().item())
            descent.step()
        expected = {"epoch": epoch + 1, "step": 5 * epoch + 5, "loss": np.average(losses, weights=sizes), "lr": 0.1}
        assert done.history[epoch] == pytest.approx(expected | {"grad_norm": np.mean(norms)}, rel=1e-12)
    for i, tensors in ((0, (W1, b1)), (2, (W2, b2))):
        for key, tensor in zip("Wb", tensors, strict=True):
            assert np.allclose(done.params[i][key], tensor.detach().numpy(), rtol=0, atol=1e-13)
    assert (done.epoch, done.step, done.seed, done.best) == (2, 10, 9, None)


LIBRARIES = {"torch": torch.asarray, "array-api-strict": array_api_strict.asarray, "jax": None}


@pytest.mark.parametrize("optimizer", [manual.SGD(0.1, momentum=0.9, nesterov=True), manual.AdamW(1e-2)])
@pytest.mark.parametrize("name", LIBRARIES)
def test_every_library_gives_the_same_curve(name: str, optimizer: Any) -> None:
    if name == "jax" and (find_spec("jax") is None or isinstance(optimizer, manual.SGD)):
        pytest.skip("JAX is not installed, or has done enough: it compiles every operation")
    given = {**EVERYTHING, "epochs": 2 if name == "jax" else 3}
    net, x, labels = network(), X[:80], LABELS[:80]  # 64 to train on: jax compiles every operation for every shape
    truth = manual.fit(net, net.init(0), x, labels, LOSS, optimizer, **given)
    scope: Any = nullcontext()
    to: Any = LIBRARIES[name]
    if name == "jax":
        import jax

        scope, to = jax.enable_x64(True), jax.numpy.asarray
    with scope:
        params = tuple({key: to(p) for key, p in layer.items()} for layer in net.init(0))
        found = manual.fit(net, params, to(x), to(labels), LOSS, optimizer, **given)
        assert type(found.params[0]["W"]) is type(params[0]["W"])
        assert found.params[0]["W"].dtype == params[0]["W"].dtype
        if name != "array-api-strict":
            assert np.allclose(vector(found.params), vector(truth.params), rtol=0, atol=1e-12)
            assert np.allclose(vector(found.running), vector(truth.running), rtol=0, atol=1e-12)
    for one, other in zip(found.history, truth.history, strict=True):
        assert one == pytest.approx(other, rel=1e-12)


def test_float32_stays_float32_and_history_is_plain_data() -> None:
    net = network()
    params = net.init(0, dtype="float32")
    given = {**EVERYTHING, "schedule": lambda step: np.float64(0.5)}
    done = manual.fit(net, params, X.astype("f"), LABELS, LOSS, manual.Adam(np.float64(1e-3)), **given)
    arrays = [*(a for layer in done.params for a in layer.values()), *done.running[1]]
    assert all(a.dtype == np.float32 for a in arrays)
    names = ["epoch", "step", "loss", "lr", "grad_norm", "accuracy", "val_loss", "val_accuracy"]
    assert [list(record) for record in done.history] == [names] * 3
    assert {type(v) for record in done.history for v in record.values()} == {int, float}
    assert tuple(json.loads(json.dumps(done.history))) == done.history
    assert [record["step"] for record in done.history] == [8, 16, 24]  # 240 samples


def test_nothing_that_came_in_is_changed() -> None:
    net = network()
    params, x = net.init(0), X.copy()
    before = vector(params)
    first = manual.fit(net, params, x, LABELS, LOSS, manual.SGD(0.1, momentum=0.9), epochs=1)
    kept = vector((first.params, first.running, first.optimizer_state))
    manual.fit(net, params, x, LABELS, LOSS, manual.SGD(0.1, momentum=0.9), epochs=3, resume=first)
    assert np.array_equal(vector((first.params, first.running, first.optimizer_state)), kept)
    assert np.array_equal(vector(params), before)
    assert np.array_equal(x, X)


def test_a_validation_sample_is_never_trained_on() -> None:
    """A changed target changes the weights, unless the sample is held back: then it changes val_loss."""
    net, rng = manual.mlp([3, 4, 1], "tanh"), np.random.default_rng(0)
    params, x, t = net.init(0), rng.normal(size=(20, 3)), rng.normal(size=(20, 1))

    def run(target: np.ndarray) -> manual.Training:
        return manual.fit(
            net, params, x, target, manual.HalfSquaredError(), manual.SGD(0.1), epochs=1, batch_size=4, validation=0.3
        )

    whole, held_back = run(t), 0
    for i in range(20):
        changed = t.copy()
        changed[i] += 1
        other = run(changed)
        if np.array_equal(vector(other.params), vector(whole.params)):
            held_back += 1
            assert other.history[0]["loss"] == whole.history[0]["loss"]
            assert other.history[0]["val_loss"] != whole.history[0]["val_loss"]
    assert held_back == 6


def test_validation_and_metrics_are_those_of_the_weights_at_the_epochs_end() -> None:
    net = network()

    def largest(y: Any, target: Any) -> float:
        return float(np.max(np.abs(y)))

    v = (D.x[300:650], D.labels[300:650])  # more rows than one part of the evaluation
    given = {"validation": v, "metrics": ["accuracy", largest], "epochs": 2}
    done = manual.fit(net, net.init(0), X, LABELS, LOSS, manual.SGD(0.1), **given)
    y = net.forward(done.params, v[0], done.running)[0]
    last = done.history[-1]
    assert last["val_loss"] == pytest.approx(float(LOSS.forward(y, v[1])[0]), rel=1e-13)
    assert last["val_accuracy"] == np.mean(y.argmax(1) == v[1])
    assert last["val_largest"] == pytest.approx(np.abs(y).max(), rel=1e-13)
    own = net.forward(done.params, X, done.running)[0]
    assert last["accuracy"] == np.mean(own.argmax(1) == LABELS)


@pytest.mark.parametrize(
    ("loss", "y", "target", "expected"),
    [
        (LOSS, [[1.0, 2.0], [2.0, 1.0], [0.0, 3.0]], [1, 1, 1], 2 / 3),
        (manual.HalfSquaredError(), [[0.9, 0.2], [0.4, 0.3]], [[1.0, 0.0], [0.0, 1.0]], 1 / 2),
        (manual.HalfSquaredError(), [[0.6], [0.4], [0.8], [-3.0]], [[1.0], [1.0], [1.0], [0.0]], 3 / 4),
        (manual.BinaryCrossEntropy(), [[0.1], [-0.1], [0.4]], [[1.0], [0.0], [0.0]], 2 / 3),
        (manual.BinaryCrossEntropy(), [[0.1, -1.0], [0.3, 1.0]], [[1.0, 0.0], [1.0, 0.0]], 3 / 4),
    ],
)
def test_accuracy(loss: Any, y: Any, target: Any, expected: float) -> None:
    assert accuracy(loss)(np.array(y), np.array(target)) == expected
    assert accuracy(loss)(torch.tensor(y), torch.tensor(target)) == expected


def test_clipping_bounds_the_step_and_keeps_its_direction() -> None:
    net = manual.mlp([64, 16, 10], "tanh")
    params = net.init(0)

    def move(**given: Any) -> tuple[np.ndarray, float]:
        done = manual.fit(net, params, X, LABELS, LOSS, manual.SGD(1.0), epochs=1, batch_size=300, **given)
        return vector(done.params) - vector(params), done.history[0]["grad_norm"]

    free, norm = move()
    assert np.linalg.norm(free) == pytest.approx(norm, rel=1e-12)
    short, same = move(clip_norm=norm / 3)
    assert np.allclose(short, free / 3, rtol=0, atol=1e-15)
    assert same == norm  # told as it was
    assert np.array_equal(move(clip_norm=norm * 1.001)[0], free)


def test_the_norm_of_16_bit_gradients_does_not_overflow() -> None:
    assert gradient_norm(({"dW": np.full((30, 30), 1000.0, "e")}, {"db": np.zeros(3, "e")})) == 30_000.0


def test_dropout_masks_are_drawn_anew_for_every_step() -> None:
    layers = (manual.Dropout(0.4), manual.Linear(5, 3), manual.Dropout(0.2))
    net, x = manual.Network(layers), np.ones((6, 5))
    for step in (0, 1, 7):
        rng = np.random.default_rng((9, 1, step))
        first, none, last = masks(net, x, 9, step) or ()
        assert none is None
        assert np.array_equal(first, rng.random((6, 5)) >= 0.4)
        assert np.array_equal(last, rng.random((6, 3)) >= 0.2)
    assert masks(manual.mlp([5, 3]), x, 9, 0) is None


def test_the_schedule_sets_the_rate_of_every_step() -> None:
    """With lr_k = 0.1 factor(k), a constant gradient moves W by 0.1 sum factor(k)."""
    net = manual.Network((manual.Linear(1, 1, bias=False),))

    class Ramp:  # E = sum y, whatever the target
        def forward(self, y: Any, target: Any) -> Any:
            return np.sum(y), np.ones_like(y)

        def backward(self, cache: Any, dvalue: Any) -> Any:
            return cache * dvalue

    params, x = ({"W": np.zeros((1, 1))},), np.ones((6, 1))
    seen: list[int] = []

    def factor(step: int) -> float:
        seen.append(step)
        return 1 / (step + 1)

    done = manual.fit(net, params, x, x, Ramp(), manual.SGD(0.1), epochs=2, batch_size=2, schedule=factor)
    moved = 0.1 * sum(2 / (k + 1) for k in range(6))
    assert done.params[0]["W"].item() == pytest.approx(-moved, rel=1e-14)
    assert [record["lr"] for record in done.history] == pytest.approx([0.1 / 3, 0.1 / 6])
    assert seen == [0, 5, *range(6)]  # the ends first, so that a schedule that fails does so before the training


@pytest.mark.parametrize("fit", [manual.fit, torch_ref.fit])
@pytest.mark.parametrize("reduction", ["mean", "batch mean", "sum"])
def test_an_epochs_loss_counts_every_sample_once_also_in_a_short_last_batch(fit: Any, reduction: Any) -> None:
    """17 samples in batches of 16, at a rate that moves nothing: y = 0, so the losses are those of the targets."""
    net, x, t = manual.Network((manual.Linear(1, 2),)), np.ones((17, 1)), np.arange(34.0).reshape(17, 2)
    params = ({"W": np.zeros((2, 1)), "b": np.zeros(2)},)
    loss, squares = manual.SquaredError(reduction), float((t * t).sum())
    done = fit(net, params, x, t, loss, manual.SGD(1e-12), epochs=1, batch_size=16)
    expected = {"mean": squares / 34, "batch mean": squares / 17, "sum": squares / 2}[reduction]
    assert done.history[0]["loss"] == pytest.approx(expected, rel=1e-7)  # steps of 1e-12 times a gradient of 1e3


def test_callbacks_see_every_epoch_and_may_stop() -> None:
    net, seen, steps = network(), list[manual.Training](), list[tuple[float, int]]()

    def stop(training: manual.Training) -> bool:
        return training.epoch == 2

    done = manual.fit(
        net, net.init(0), X, LABELS, LOSS, manual.SGD(0.1), callbacks=[lambda training: "kept", stop, seen.append],
        on_step=lambda E, step: steps.append((E, step)), batch_size=100, epochs=5,
    )  # fmt: skip
    assert [training.epoch for training in seen] == [1, 2]
    assert done is seen[-1]
    assert [step for _, step in steps] == [1, 2, 3, 4, 5, 6]
    assert done.history[1]["loss"] == pytest.approx(np.mean([E for E, _ in steps[3:]]), rel=1e-14)


def test_memory_is_bounded_by_the_data_and_one_batch() -> None:
    rng = np.random.default_rng(0)
    N, n = 40_000, 50  # x is 16 MB
    x, t = rng.normal(size=(N, n)), rng.normal(size=(N, 1))
    net = manual.mlp([n, 8, 1], "tanh")
    params = net.init(0)
    tracemalloc.start()
    manual.fit(net, params, x, t, manual.HalfSquaredError(), manual.Adam(), epochs=2, batch_size=2000, validation=0.2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.5 * x.nbytes  # no copy of the 80 % to train on: orders (0.3 MB each), a check (2 MB), a batch
