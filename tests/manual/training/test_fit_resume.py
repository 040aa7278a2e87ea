"""How a training ends and goes on: Ctrl-C, patience, a loss that is not finite; resuming, bit for bit."""

import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import manual
from handgrad.experiment.datasets.digits import digits
from manual.optimizers import schedules

D = digits()
X, LABELS = D.x[:250], D.labels[:250]
LOSS = manual.SoftmaxCrossEntropy()
NETWORK = manual.Network(
    (manual.Linear(64, 16), manual.BatchNorm1d(16), manual.Tanh(), manual.Dropout(0.3), manual.Linear(16, 10))
)
EVERYTHING: dict[str, Any] = {
    "epochs": 3, "batch_size": 32, "seed": 3, "validation": 0.2, "metrics": ["accuracy"],
    "schedule": schedules.cosine(21), "clip_norm": 0.5,
}  # fmt: skip
OPTIMIZERS = [manual.SGD(0.1), manual.SGD(0.1, momentum=0.9, dampening=0.1), manual.Adam(1e-2), manual.AdamW(1e-2)]


def fit(optimizer: Any = OPTIMIZERS[1], **given: Any) -> manual.Training:
    return manual.fit(NETWORK, NETWORK.init(0), X, LABELS, LOSS, optimizer, **{**EVERYTHING, **given})


def ctrl_c_at(step: int) -> Callable[[float, int], None]:
    return lambda E, k: signal.raise_signal(signal.SIGINT) if k == step else None


def contents(training: manual.Training) -> Any:
    """Every number as it is, arrays as their bytes."""

    def plain(tree: Any) -> Any:
        if isinstance(tree, dict):
            return {key: plain(item) for key, item in tree.items()}
        if isinstance(tree, tuple):
            return [plain(item) for item in tree]
        return tree.tobytes() if isinstance(tree, np.ndarray) else tree

    return plain(training)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
@pytest.mark.parametrize("step", [1, 6, 7, 8, 20])  # an epoch has 7
def test_resuming_is_going_on_bit_for_bit(optimizer: Any, step: int) -> None:
    before = signal.getsignal(signal.SIGINT)
    part = fit(optimizer, on_step=ctrl_c_at(step))
    assert signal.getsignal(signal.SIGINT) is before
    assert (part.step, part.epoch, part.history[-1]["step"]) == (step, step // 7, step)
    assert ("val_loss" in part.history[-1]) == (step % 7 == 0)
    assert contents(fit(optimizer, resume=part)) == contents(fit(optimizer))


def test_resuming_several_times_in_one_epoch() -> None:
    training = None
    for step in (1, 2, 5, 9):
        training = fit(resume=training, on_step=ctrl_c_at(step))
    assert contents(fit(resume=training)) == contents(fit())


def test_what_is_done_is_not_done_again() -> None:
    done = fit()
    assert contents(fit(resume=done)) == contents(done)
    more = fit(resume=done, epochs=4, schedule=None)
    assert more.history[:3] == done.history
    assert len(more.history) == 4


def test_ctrl_c_calls_the_callbacks_and_a_second_one_is_pythons() -> None:
    seen: list[manual.Training] = []
    part = fit(on_step=ctrl_c_at(9), callbacks=[seen.append])
    assert [training.step for training in seen] == [7, 9]
    assert part is seen[-1]

    def twice(E: float, step: int) -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        fit(on_step=twice)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_is_left_alone_where_it_is_ignored_and_outside_the_main_thread() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert fit(on_step=ctrl_c_at(2)).epoch == 3
    finally:
        signal.signal(signal.SIGINT, before)
    found: list[manual.Training] = []
    thread = threading.Thread(target=lambda: found.append(fit()))
    thread.start()
    thread.join()
    assert contents(found[0]) == contents(fit())


SCRIPT = """
import numpy as np, manual
rng = np.random.default_rng(0)
x, t, net = rng.normal(size=(100, 5)), rng.normal(size=(100, 1)), manual.mlp([5, 4, 1])
say = lambda E, step: print("going", flush=True) if step == 3 else None
t = manual.fit(net, net.init(0), x, t, manual.HalfSquaredError(), manual.SGD(0.001), epochs=10**9, on_step=say)
print(t.step > 3, t.epoch == t.step // 4, all(np.isfinite(a).all() for p in t.params for a in p.values()))
"""


def test_a_real_ctrl_c_from_outside() -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]
    )
    assert child.stdout is not None
    with child:
        assert child.stdout.readline() == "going\n"
        time.sleep(0.1)
        child.send_signal(signal.SIGINT)
        assert child.communicate(timeout=600)[0] == "True True True\n"
    assert child.returncode == 0


# Labels that are wrong in half of the cases: learning them by heart makes val_loss rise.
NOISE = np.where(np.arange(250) % 2, LABELS, np.random.default_rng(0).integers(10, size=250))


def fit_noise(**given: Any) -> manual.Training:
    given = {"epochs": 30, "schedule": None, "patience": 3, "clip_norm": None, **given}
    return manual.fit(NETWORK, NETWORK.init(0), X, NOISE, LOSS, manual.Adam(1e-2), **{**EVERYTHING, **given})


def test_patience_returns_the_best_epoch() -> None:
    seen: list[manual.Training] = []
    best = fit_noise(callbacks=[seen.append])
    losses = [record["val_loss"] for record in best.history]
    where = int(np.argmin(losses))
    assert 0 < where == len(losses) - 4  # three epochs without a better one, and not the first
    assert len(losses) < 30
    assert (best.epoch, best.step) == (where + 1, 7 * (where + 1))
    assert contents(best._replace(history=())) == contents(seen[where]._replace(history=()))
    assert [training.epoch for training in seen] == [*range(1, len(losses) + 1), best.epoch]
    assert seen[-2].best is not None
    assert contents(seen[-2].best) == contents(seen[where])
    assert seen[where].best is None
    alone = fit_noise(epochs=where + 1, patience=None)
    assert contents(alone)[:3] == contents(best)[:3]


def test_patience_survives_a_pause() -> None:
    """Resumed after the best epoch, in the middle of one, from the end: always the same best epoch comes back."""
    seen: list[manual.Training] = []
    best = fit_noise(callbacks=[seen.append])
    for training in seen[:-1]:
        assert contents(fit_noise(resume=training)) == contents(best)
    middle = fit_noise(on_step=ctrl_c_at(7 * best.epoch + 9))
    assert middle.step == 7 * best.epoch + 9  # where it was, so that it can go on
    assert middle.best is not None
    assert contents(fit_noise(resume=middle)) == contents(best)
    assert contents(fit_noise(resume=best)) == contents(best)
    assert len(fit_noise(resume=best, patience=5).history) == len(best.history) + 2


def test_val_loss_that_is_nan_is_no_better() -> None:
    x, t = np.linspace(-1, 1, 40)[:, None], np.linspace(-1, 1, 40)[:, None]

    class Undefined(manual.HalfSquaredError):
        def forward(self, y: Any, target: Any) -> Any:
            E, cache = super().forward(y, target)
            return (E if y.shape[0] < 5 else np.float64("nan")), cache  # in evaluation only

    net = manual.mlp([1, 1])
    done = manual.fit(
        net, net.init(0), x, t, Undefined(), manual.SGD(0.1), epochs=4, batch_size=4, validation=0.5, patience=1
    )
    assert (done.epoch, len(done.history), done.best) == (4, 4, None)


def test_a_loss_that_is_not_finite_ends_the_training_before_the_step() -> None:
    net = manual.Network((manual.Linear(64, 16), manual.BatchNorm1d(16), manual.ReLU(), manual.Linear(16, 10)))
    loss, params, seen = manual.SquaredError(), net.init(0), []
    with pytest.raises(manual.NonFiniteLossError) as caught:
        manual.fit(
            net, params, X, D.one_hot[:250], loss, manual.SGD(1e8), on_step=lambda E, step: seen.append(E)
        )  # fmt: skip
    error = caught.value
    assert isinstance(error, ArithmeticError)
    assert error.step == len(seen) + 1
    assert str(error).startswith(
        f"the loss or its gradient is not finite at step {error.step}; the gradient's norm grew"
    )
    good = error.training
    assert good.step == len(seen) > 1
    before = manual.fit(net, params, X, D.one_hot[:250], loss, manual.SGD(1e8), on_step=ctrl_c_at(len(seen)))
    assert contents(good) == contents(before)
    arrays = [a for layer in (*good.params, {"mean": good.running[1]}) for a in layer.values()]
    assert all(np.isfinite(a).all() for a in arrays)


@pytest.mark.parametrize(
    ("x", "t", "lr", "step", "reason"),
    [
        (X * 1e200, X[:, :1], 0.1, 1, "inputs are as large as 1e\\+200"),
        (X, X[:, :1] + 1e300, 0.1, 1, "no step came before it: parameters or targets are too large for float64"),
        (X, X[:, :1], 1e300, 2, "the steps before it were finite: lower the learning rate 1e\\+300"),
        (X, X[:, :1], 10.0, None, "the gradient's norm grew from .* to .*: lower the learning rate 10"),
    ],
)
def test_the_likely_reason_is_named(x: Any, t: Any, lr: float, step: int | None, reason: str) -> None:
    net = manual.mlp([64, 4, 1], "relu")
    with pytest.raises(manual.NonFiniteLossError, match=reason) as caught:
        manual.fit(net, net.init(0), x, t, manual.HalfSquaredError(), manual.SGD(lr), epochs=100)
    assert step in (None, caught.value.step)


def test_a_gradient_that_is_not_finite_ends_it_too() -> None:
    """A finite loss with a gradient that overflows: the weights of the step before are still there."""

    class Steep(manual.HalfSquaredError):
        def backward(self, cache: Any, dE: Any) -> Any:
            return super().backward(cache, dE) * (np.inf if len(seen) == 4 else 1)

    net, seen = manual.mlp([64, 4, 1], "tanh"), list[float]()
    with pytest.raises(manual.NonFiniteLossError, match="not finite at step 5; the steps before it were") as caught:
        manual.fit(net, net.init(0), X, X[:, :1], Steep(), manual.SGD(0.01), on_step=lambda E, step: seen.append(E))
    assert caught.value.training.step == 4
    assert all(np.isfinite(a).all() for layer in caught.value.training.params for a in layer.values())
    again = pickle.loads(pickle.dumps(caught.value))  # as processes hand errors on
    assert (str(again), again.step, again.reason) == (str(caught.value), 5, caught.value.reason)
