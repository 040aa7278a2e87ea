"""`torch_ref.fit` and `manual.fit`: one curve from one seed on every side, and trainings that change sides."""

import signal
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import manual
import torch_ref
from handgrad.experiment.datasets.digits import digits
from manual.optimizers import schedules
from manual.training.plan import convert_arrays

D = digits()
X, LABELS = D.x[:300], D.labels[:300]
LOSS = manual.SoftmaxCrossEntropy()
PLAIN = manual.mlp([64, 16, 10], "tanh")
EVERY_KIND = manual.Network(
    (
        manual.Linear(
            64, 16, bias=False
        ),  # a bias before batch norm has gradient 0 but for rounding, which Adam scales
        manual.BatchNorm1d(16),
        manual.ReLU(),
        manual.Dropout(0.2),
        manual.Linear(16, 10),
    )
)
EVERYTHING: dict[str, Any] = {
    "epochs": 3, "batch_size": 32, "seed": 5, "validation": 0.2, "metrics": ["accuracy"],
    "schedule": schedules.warm_up(4, schedules.cosine(20)), "clip_norm": 1.0,
}  # fmt: skip
OPTIMIZERS = [
    manual.SGD(0.2, weight_decay=1e-3),
    manual.SGD(0.1, momentum=0.9, dampening=0.2),
    manual.SGD(0.1, momentum=0.9, nesterov=True),
    manual.Adam(1e-2, betas=(0.8, 0.99), weight_decay=1e-3),
    manual.AdamW(1e-2, eps=1e-7),
]
SIDES = ("hand", "autograd")


def on_numpy(network: manual.Network, optimizer: Any, **given: Any) -> manual.Training:
    return manual.fit(network, network.init(0), X, LABELS, LOSS, optimizer, **{**EVERYTHING, **given})


def on(side: str, network: manual.Network, optimizer: Any, **given: Any) -> manual.Training:
    given = {**EVERYTHING, **given}
    if side == "numpy":
        return on_numpy(network, optimizer, **given)
    if side != "arrays":
        return torch_ref.fit(network, network.init(0), X, LABELS, LOSS, optimizer, side=side, **given)  # type: ignore[arg-type]
    params = tuple({key: torch.tensor(p) for key, p in layer.items()} for layer in network.init(0))
    return manual.fit(network, params, torch.tensor(X), torch.tensor(LABELS), LOSS, optimizer, **given)


def numbers(tree: Any) -> list[np.ndarray]:
    """All numbers of a tree of tuples and dictionaries of arrays, in its order."""
    if isinstance(tree, dict | tuple):
        return [a for item in (tree.values() if isinstance(tree, dict) else tree) for a in numbers(item)]
    return [] if tree is None or isinstance(tree, str) else [np.asarray(tree, dtype=float)]


def assert_close(one: manual.Training, other: manual.Training, within: float = 1e-12) -> None:
    for a, b in zip(numbers(one), numbers(other), strict=True):
        assert np.allclose(a, b, rtol=within, atol=within)


def assert_equal(one: manual.Training, other: manual.Training) -> None:
    for a, b in zip(numbers(one), numbers(other), strict=True):
        assert a.tobytes() == b.tobytes()


def ctrl_c_at(step: int) -> Callable[[float, int], None]:
    return lambda E, k: signal.raise_signal(signal.SIGINT) if k == step else None


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
@pytest.mark.parametrize("network", [PLAIN, EVERY_KIND], ids=["plain", "every kind"])
def test_all_sides_give_one_curve(network: manual.Network, optimizer: Any) -> None:
    """Weights, running statistics, optimizer state and history, in float64 over three epochs."""
    truth = on_numpy(network, optimizer)
    for side in ("arrays", *SIDES):
        found = on(side, network, optimizer)
        assert_close(found, truth)
        assert type(found.params[0]["W"]) is (torch.Tensor if side == "arrays" else np.ndarray)
        assert [list(record) for record in found.history] == [list(record) for record in truth.history]
        assert {type(v) for record in found.history for v in record.values()} == {int, float}


def test_whole_digits_two_layers_three_epochs() -> None:
    given = {"epochs": 3, "metrics": ["accuracy"], "validation": 0.2}
    args = (PLAIN, PLAIN.init(1), D.x, D.labels, LOSS, manual.SGD(0.1, momentum=0.9))
    truth = manual.fit(*args, **given)
    for side in SIDES:
        assert_close(torch_ref.fit(*args, side=side, **given), truth)
    assert truth.history[-1]["val_accuracy"] > 0.9


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
@pytest.mark.parametrize("step", [5, 8, 12])  # an epoch has 8
@pytest.mark.parametrize("side", SIDES)
def test_resuming_on_the_same_side_is_going_on_bit_for_bit(side: str, optimizer: Any, step: int) -> None:
    part = on(side, EVERY_KIND, optimizer, on_step=ctrl_c_at(step))
    assert (part.step, part.epoch) == (step, step // 8)
    assert_equal(on(side, EVERY_KIND, optimizer, resume=part), on(side, EVERY_KIND, optimizer))


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
@pytest.mark.parametrize("ways", [("numpy", "hand"), ("hand", "autograd"), ("autograd", "arrays"), ("arrays", "numpy")])
def test_resuming_on_another_side(ways: tuple[str, str], optimizer: Any) -> None:
    first, second = ways
    part = on(first, EVERY_KIND, optimizer, on_step=ctrl_c_at(11))
    state = part.optimizer_state._replace(step=np.int64(11))  # as a file may give it back
    done = on(second, EVERY_KIND, optimizer, resume=part._replace(optimizer_state=state))
    assert type(done.optimizer_state.step) is int
    assert_close(done, on_numpy(EVERY_KIND, optimizer))
    assert type(done.params[0]["W"]) is (torch.Tensor if second == "arrays" else np.ndarray)


@pytest.mark.parametrize("side", SIDES)
def test_what_is_done_is_not_done_again(side: str) -> None:
    done = on(side, EVERY_KIND, OPTIMIZERS[1])
    same = on(side, EVERY_KIND, OPTIMIZERS[1], resume=done)
    assert_equal(same, done)
    assert all(type(a) is np.ndarray for layer in same.params for a in layer.values())


@pytest.mark.parametrize("side", SIDES)
def test_patience_returns_the_same_best_epoch(side: str) -> None:
    labels = np.where(np.arange(300) % 2, LABELS, np.random.default_rng(0).integers(10, size=300))
    seen: list[manual.Training] = []
    given: dict[str, Any] = {"validation": 0.2, "patience": 2, "epochs": 20, "callbacks": [seen.append]}
    args = (EVERY_KIND, EVERY_KIND.init(0), X, labels, LOSS, manual.SGD(0.3, momentum=0.9))
    best = torch_ref.fit(*args, side=side, **given)  # type: ignore[arg-type]
    assert_close(best, manual.fit(*args, **{**given, "callbacks": ()}), 1e-9)
    losses = [record["val_loss"] for record in best.history]
    assert best.epoch == np.argmin(losses) + 1 == len(losses) - 2
    assert_equal(best._replace(history=()), seen[best.epoch - 1]._replace(history=()))  # not moved since
    del given["callbacks"]
    assert_equal(torch_ref.fit(*args, side=side, resume=seen[best.epoch], **given), best)  # type: ignore[arg-type]


@pytest.mark.parametrize("side", SIDES)
def test_a_loss_that_is_not_finite_leaves_the_training_before_the_step(side: str) -> None:
    """The statistics of the batch in which it happened are not among the running ones."""
    net = manual.Network((manual.Linear(64, 8), manual.BatchNorm1d(8), manual.ReLU(), manual.Linear(8, 10)))
    args = (net, net.init(0), X, D.one_hot[:300], manual.SquaredError(), manual.SGD(1e8))
    errors = []
    for fit, more in ((manual.fit, {}), (torch_ref.fit, {"side": side})):
        with pytest.raises(manual.NonFiniteLossError) as caught:
            fit(*args, **more)  # type: ignore[operator]
        errors.append(caught.value)
    ours, theirs = errors
    assert ours.step == theirs.step == theirs.training.step + 1
    before = torch_ref.fit(*args, side=side, on_step=ctrl_c_at(theirs.training.step))  # type: ignore[arg-type]
    assert_equal(theirs.training, before)
    assert all(np.isfinite(a).all() for a in numbers((theirs.training.params, theirs.training.running)))


@pytest.mark.parametrize("side", SIDES)
def test_callbacks_own_their_arrays(side: str) -> None:
    """What a callback keeps does not move when the training goes on; what came in does not move either."""
    seen: list[manual.Training] = []
    copies: list[list[bytes]] = []

    def keep(training: manual.Training) -> None:
        seen.append(training)
        copies.append([a.tobytes() for a in numbers(training)])

    given = {**EVERYTHING, "callbacks": [keep]}
    params = tuple({key: torch.tensor(p) for key, p in layer.items()} for layer in EVERY_KIND.init(0))
    before, x = [a.tobytes() for a in numbers(params)], torch.tensor(X)
    done = torch_ref.fit(EVERY_KIND, params, x, LABELS, LOSS, manual.Adam(1e-2), side=side, **given)  # type: ignore[arg-type]
    assert [[a.tobytes() for a in numbers(training)] for training in seen] == copies
    assert [a.tobytes() for a in numbers(params)] == before
    assert torch.equal(x, torch.tensor(X))
    kept = [a.tobytes() for a in numbers(done)]
    torch_ref.fit(
        EVERY_KIND, params, x, LABELS, LOSS, manual.Adam(1e-2), side=side, **{**given, "epochs": 5, "schedule": None},  # type: ignore[arg-type]
        resume=done,
    )  # fmt: skip
    assert [a.tobytes() for a in numbers(done)] == kept


@pytest.mark.parametrize("side", SIDES)
def test_float32_and_torch_keep_their_kind(side: str) -> None:
    params = PLAIN.init(0, dtype="float32", xp=torch)
    done = torch_ref.fit(
        PLAIN, params, X.astype("f"), LABELS.astype(np.int32), LOSS, manual.Adam(), side=side, epochs=1,  # type: ignore[arg-type]
        validation=(X[:9].astype("f"), LABELS[:9].astype(np.uint8)),
    )  # fmt: skip
    arrays = [*done.params[0].values(), *done.optimizer_state.m[0].values(), *done.optimizer_state.v[2].values()]
    assert all(isinstance(a, torch.Tensor) and a.dtype == torch.float32 for a in arrays)
    assert not any(a.requires_grad for a in arrays)
    with torch.no_grad():  # a caller's own setting
        torch_ref.fit(PLAIN, params, X.astype("f"), LABELS, LOSS, manual.Adam(), side=side, epochs=1)  # type: ignore[arg-type]


META = torch.zeros(300, 64, dtype=torch.float64, device="meta")


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"side": "manual"}, ValueError, "side: is 'manual', expected 'hand' or 'autograd'; for NumPy there is manual"),
        ({"device": "meta"}, ValueError, "device: meta holds shapes and no numbers"),
        ({"device": "warp"}, ValueError, "device: 'warp' is asked for, but not there"),
        ({"device": "cuda:99"}, ValueError, "device: 'cuda:99' is asked for, but not there .*; use device='cpu'"),
        ({"x": META}, ValueError, "x: on meta, but device is 'cpu'; pass device='meta', or move it"),
        ({"x": X.astype("f")}, TypeError, "x: dtype is torch.float32, but W1 has torch.float64"),
        ({"x": X.tolist()}, TypeError, "x: expected an array, got list"),
        ({"params": PLAIN.init(0)[:1]}, ValueError, "params: expected a sequence of 3 dictionaries"),
        ({"epochs": 0}, ValueError, "epochs: is 0"),
        ({"validation": (X, LABELS[:3])}, ValueError, "target: class indices have shape \\(3,\\), expected \\(300,\\)"),
        ({"optimizer": "adam"}, TypeError, "optimizer: got 'adam'"),
    ],
)
def test_refused(given: dict[str, Any], error: type[Exception], words: str) -> None:
    plain = {"params": PLAIN.init(0), "x": X, "target": LABELS, "loss": LOSS, "optimizer": manual.SGD(0.1)}
    with pytest.raises(error, match=words):
        torch_ref.fit(PLAIN, **{**plain, **given})


def test_an_optimizer_that_torch_has_not_is_refused() -> None:
    class Own(manual.SGD):
        """Somebody's own rule: torch.optim.SGD would be another one."""

    with pytest.raises(
        TypeError, match=r"optimizer: got .*Own.*, expected one of manual's, which torch has too: SGD, Adam"
    ):
        torch_ref.fit(PLAIN, PLAIN.init(0), X, LABELS, LOSS, Own(0.1))


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("side", SIDES)
def test_cuda_follows_the_cpu(side: str) -> None:
    truth = on_numpy(EVERY_KIND, OPTIMIZERS[1])
    found = on(side, EVERY_KIND, OPTIMIZERS[1], device="cuda")
    assert_close(found, truth, 1e-10)
    params = tuple({key: torch.tensor(p, device="cuda") for key, p in layer.items()} for layer in EVERY_KIND.init(0))
    part = on(side, EVERY_KIND, OPTIMIZERS[1], device="cuda", on_step=ctrl_c_at(11))
    x, labels = torch.tensor(X, device="cuda"), torch.tensor(LABELS, device="cuda")
    done = manual.fit(EVERY_KIND, params, x, labels, LOSS, OPTIMIZERS[1], **EVERYTHING, resume=part)
    assert done.params[0]["W"].device.type == "cuda"
    moved = convert_arrays(done, np.zeros(1))
    assert_close(moved, truth, 1e-10)
    with pytest.raises(ValueError, match="params: on cuda:0, but device is 'cpu'; pass device='cuda:0'"):
        torch_ref.fit(EVERY_KIND, params, X, LABELS, LOSS, OPTIMIZERS[1])
