"""What `manual.fit` refuses, before it computes anything, and how it says so."""

from typing import Any

import numpy as np
import pytest
import torch

import manual
from manual.optimizers import schedules

NET = manual.mlp([3, 4, 2], "tanh")
NORM = manual.Network((manual.Linear(3, 4), manual.BatchNorm1d(4), manual.Linear(4, 2)))
RNG = np.random.default_rng(0)
X, T = RNG.normal(size=(20, 3)), RNG.normal(size=(20, 2))
LOSS, SGD, ADAM = manual.HalfSquaredError(), manual.SGD(0.1), manual.Adam()
HALF = manual.fit(NET, NET.init(0), X, T, LOSS, SGD, epochs=1, batch_size=8)  # 3 steps


def fit(network: Any = NET, params: Any = None, x: Any = X, t: Any = T, loss: Any = LOSS, opt: Any = SGD, **given: Any):
    def never(E: float, step: int) -> None:
        raise AssertionError("a step was made")

    params = network.init(0) if params is None else params
    return manual.fit(network, params, x, t, loss, opt, **{"on_step": never, "batch_size": 8, **given})


def two(y: Any, target: Any) -> float:
    return 2.0


NAN = X.copy()
NAN[3, 1] = np.nan

CASES: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"epochs": 0}, ValueError, "epochs: is 0, expected an integer, 1 or more"),
    ({"epochs": 2.5}, ValueError, "epochs: is 2.5, expected an integer"),
    ({"epochs": True}, ValueError, "epochs: is True, expected an integer"),
    ({"batch_size": -1}, ValueError, "batch_size: is -1, expected an integer, 1 or more"),
    ({"seed": -1}, ValueError, "seed: is -1, expected an integer, 0 or more"),
    ({"validation": 0.0}, ValueError, "validation: is 0.0, expected a fraction between 0 and 1"),
    ({"validation": 1}, ValueError, "validation: is 1, expected a fraction between 0 and 1"),
    ({"validation": "a"}, TypeError, "validation: got str, expected a fraction"),
    ({"validation": (X,)}, TypeError, "validation: got tuple, expected a fraction between 0 and 1, or \\(x, target\\)"),
    ({"validation": 0.5, "x": X[:1], "t": T[:1]}, ValueError, "validation: 0.5 of N = 1 leaves nothing to train on"),
    ({"validation": (X[:, :2], T)}, ValueError, "x: shape is \\(20, 2\\), expected \\(N, 3\\)"),
    ({"validation": (X[:5], T[:4])}, ValueError, "target: shape is \\(4, 2\\), expected \\(5, 2\\)"),
    ({"patience": 2}, ValueError, "patience: waits for a better val_loss, but there is no validation"),
    ({"patience": 0, "validation": 0.2}, ValueError, "patience: is 0, expected an integer, 1 or more"),
    ({"clip_norm": 0.0}, ValueError, "clip_norm: is 0.0, expected a positive number"),
    ({"clip_norm": float("nan")}, ValueError, "clip_norm: is nan, expected a positive number"),
    ({"metrics": "accuracy"}, TypeError, "metrics: got 'accuracy' alone, expected a sequence"),
    ({"metrics": ["acuracy"]}, ValueError, "metrics: no metric 'acuracy'; there are accuracy, and your own functions"),
    ({"metrics": [two, two]}, ValueError, "metrics: two are called 'two'"),
    ({"metrics": [3]}, TypeError, "metrics: got 3, expected a name or a function"),
    ({"callbacks": print}, TypeError, "callbacks: got .*, expected a sequence of functions"),
    ({"callbacks": ["print"]}, TypeError, "callbacks: got .*, expected a sequence of functions"),
    ({"schedule": 0.5}, TypeError, "schedule: got 0.5, expected a function or None"),
    ({"schedule": schedules.cosine(20)}, ValueError, "schedule: gives 0.0 at step 29, expected a positive factor"),
    ({"schedule": lambda step: -1}, ValueError, "schedule: gives -1.0 at step 0"),
    ({"network": manual.Network((manual.Tanh(),)), "t": X}, ValueError, "the network has no parameters"),
    ({"network": manual.mlp([3, 2], "tanh", "sign")}, manual.NotDifferentiableError, "layer 1 .* is not different"),
    ({"params": NET.init(0)[:2]}, ValueError, "params: expected a sequence of 3 dictionaries"),
    ({"x": X.astype("f")}, TypeError, "x: dtype is float32, but W1 has float64"),
    ({"x": torch.tensor(X)}, TypeError, "x: is a torch array, but W1 is a numpy array"),
    ({"x": NAN}, ValueError, "x: 1 of its 60 values are nan or infinite"),
    ({"t": T[:, :1]}, ValueError, "target: shape is \\(20, 1\\), expected \\(20, 2\\)"),
    ({"t": T[:4]}, ValueError, "target: shape is \\(4, 2\\), expected \\(20, 2\\)"),
    ({"loss": manual.SoftmaxCrossEntropy(), "t": np.arange(20)}, ValueError, "target: labels run from 0 to 19"),
    ({"opt": manual.SGD}, TypeError, "optimizer: got <class 'manual.optimizers.sgd.SGD'>, expected an optimizer"),
    ({"opt": 0.1}, TypeError, "optimizer: got 0.1"),
    ({"network": NORM, "batch_size": 19}, ValueError, "batch_size: 19 leaves a batch of one of the 20 samples"),
    ({"network": NORM, "batch_size": 1}, ValueError, "batch_size: 1 leaves a batch of one"),
    ({"resume": HALF.params}, TypeError, "resume: got tuple, expected a Training"),
    ({"resume": HALF, "seed": 1}, ValueError, "resume: its seed is 0, but seed is 1; pass seed=0"),
    ({"resume": HALF, "opt": ADAM}, ValueError, "resume: its optimizer_state is \\('SGDState'.*for Adam"),
    ({"resume": HALF, "opt": manual.SGD(0.1, momentum=0.9)}, ValueError, "resume: its optimizer_state is"),
    ({"resume": HALF, "network": NORM}, ValueError, "resume: its params is .* for this network"),
    ({"resume": HALF, "batch_size": 4}, ValueError, "resume: 1 epochs and 3 steps, but here an epoch has 5"),
    ({"resume": HALF._replace(step=4)}, ValueError, "in the middle of an epoch, but its history has no record of step"),
    ({"resume": HALF._replace(epoch=11, step=33)}, ValueError, "epochs: is 10, but 11 are done"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "error", "words"), CASES, ids=[words[:45] for _, _, words in CASES])
def test_refused_before_the_first_step(given: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        fit(**given)
    assert len(str(caught.value)) < 600


def test_arrays_on_another_device_are_refused() -> None:
    """torch's meta device stands for one that is not there."""
    params = tuple({k: torch.tensor(p) for k, p in layer.items()} for layer in NET.init(0))
    with pytest.raises(ValueError, match="x: is on meta, but W1 on cpu; move one of them"):
        fit(params=params, x=torch.tensor(X, device="meta"), t=torch.tensor(T))


def test_a_resumed_dtype_that_jax_would_halve_is_refused() -> None:
    jax = pytest.importorskip("jax")
    params = NET.init(0, dtype="float32", xp=jax.numpy)
    with pytest.raises(ValueError, match=r"float64 would become float32 in jax\.numpy; for jax enable jax_enable_x64"):
        fit(params=params, x=jax.numpy.asarray(X, dtype="f"), t=jax.numpy.asarray(T, dtype="f"), resume=HALF)


def test_a_count_from_a_file_and_lists_are_taken() -> None:
    """NumPy's integers in the state and in the settings change nothing: float32 stays float32."""
    params, x, t = NET.init(0, dtype="float32"), X.astype("f"), T.astype("f")
    first = manual.fit(NET, list(params), x, t, LOSS, ADAM, epochs=1, batch_size=8)
    state = first.optimizer_state._replace(step=np.int64(3))
    first = first._replace(optimizer_state=state)
    done = manual.fit(NET, params, x, t, LOSS, ADAM, epochs=np.int64(2), batch_size=np.int64(8), resume=first)
    assert done.params[0]["W"].dtype == np.float32
    assert type(done.optimizer_state.step) is int
