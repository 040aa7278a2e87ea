"""Elementwise layers are judged where a run's own numbers seldom are: at kinks, ties and saturated."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from handgrad import Verdict, verify
from manual import ACTIVATIONS, Dropout, HalfSquaredError, LeakyReLU, Linear, Network, Softmax, Tanh
from manual.layers.activations import NOT_DIFFERENTIABLE

RIGHT = [f for f in ACTIVATIONS.values() if not isinstance(f, NOT_DIFFERENTIABLE)] + [Dropout(0.4), Softmax()]


@dataclass(frozen=True)
class KinkLeaky(LeakyReLU):
    def backward(self, params, cache, dh):
        return np.where(cache.z >= 0, dh, self.slope * dh), {}


@dataclass(frozen=True)
class ClippedTanh(Tanh):
    """Right up to 1000."""

    def backward(self, params, cache, dh):
        return dh * (1 - cache.h**2) * (abs(cache.h) < 1) + 1e-3 * dh * (abs(cache.h) == 1), {}


def judged(layer, dtype, library=np):
    rng = np.random.default_rng(0)
    net = Network((Linear(4, 6), layer, Linear(6, 2)))
    x, target = rng.normal(size=(9, 4)), rng.normal(size=(9, 2))
    if library is torch:
        params = net.init(0, dtype=dtype, xp=torch)
        x, target = (torch.as_tensor(a).to(getattr(torch, dtype)) for a in (x, target))
    else:
        params, x, target = net.init(0, dtype=dtype), x.astype(dtype), target.astype(dtype)
    states = [None, layer.draw(rng, x[:, :1] @ x[:, :1].T[:1, :6]), None] if isinstance(layer, Dropout) else None
    return verify(net, params, x, target, HalfSquaredError(), states=states, seed=3)


@pytest.mark.parametrize("layer", RIGHT, ids=lambda f: type(f).__name__)
@pytest.mark.parametrize(
    ("dtype", "library"), [("float64", np), ("float32", np), ("bfloat16", torch), ("float16", torch)]
)
def test_right_layers_are_certified(layer, dtype, library):
    report = judged(layer, dtype, library)
    assert report.verdict is Verdict.CERTIFIED, report.text()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("layer", [KinkLeaky(), ClippedTanh()], ids=lambda f: type(f).__name__)
def test_what_is_wrong_at_special_values_only_is_refuted(layer, dtype):
    report = judged(layer, dtype)
    assert report.verdict is Verdict.REFUTED
    assert report.culprit is not None
    assert report.culprit.name == f"h1 = {type(layer).__name__}"
    assert report.notes[0].startswith(f"{report.culprit.name}: right at the run's own numbers, wrong where its input")


def test_another_value_at_the_kink_is_named():
    diagnosis = judged(KinkLeaky(), "float64").culprit.diagnosis
    assert diagnosis is not None
    assert diagnosis.name == "another value at the kink"
