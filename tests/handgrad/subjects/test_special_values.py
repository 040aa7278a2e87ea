"""Right stages are judged once more at numbers that people use and a run's own seldom are, each draw by its name."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from handgrad import Verdict, verify
from handgrad.subjects.network.special_values import SPECIAL
from manual import (
    ACTIVATIONS,
    BatchNorm1d,
    BinaryCrossEntropy,
    Dropout,
    GELUTanh,
    HalfSquaredError,
    LayerNorm,
    LeakyReLU,
    Linear,
    MeanSquaredError,
    Network,
    Softmax,
    SoftmaxCrossEntropy,
    SquaredError,
    Tanh,
)
from manual.layers.activations import NOT_DIFFERENTIABLE
from manual.layers.gelu import tanh_of_cubic

RIGHT = [f for f in ACTIVATIONS.values() if not isinstance(f, NOT_DIFFERENTIABLE)] + [Dropout(0.4), Softmax()]
NORMS = [LayerNorm(6), BatchNorm1d(6)]
PRECISIONS = [("float64", np), ("float32", np), ("bfloat16", torch), ("float16", torch)]
LOSSES = [
    (SoftmaxCrossEntropy(), True),
    (SoftmaxCrossEntropy("batch mean"), False),
    (SoftmaxCrossEntropy("mean", 0.1, (1.0, 2.0, 0.5)), True),
    (BinaryCrossEntropy(), False),
    (MeanSquaredError(), False),
    (HalfSquaredError("batch mean"), False),
    (SquaredError("mean"), False),
]


@dataclass(frozen=True)
class KinkLeaky(LeakyReLU):
    def backward(self, params, cache, dh):
        return np.where(cache.z >= 0, dh, self.slope * dh), {}


@dataclass(frozen=True)
class ClippedTanh(Tanh):
    """Right up to 1000."""

    def backward(self, params, cache, dh):
        return dh * (1 - cache.h**2) * (abs(cache.h) < 1) + 1e-3 * dh * (abs(cache.h) == 1), {}


@dataclass(frozen=True)
class SignedZero(LeakyReLU):
    """1 / -0 is below 0, and -0 is not."""

    def backward(self, params, cache, dh):
        with np.errstate(all="ignore"):
            above = (cache.z > 0) | ((cache.z == 0) & (1 / cache.z < 0))
        return np.where(above, dh, self.slope * dh), {}


@dataclass(frozen=True)
class OverflowingGELU(GELUTanh):
    """As it was: z^2 overflows where 1 - t^2 is 0."""

    def backward(self, params, cache, dh):
        z, t = cache.z, tanh_of_cubic(cache.z)
        da = np.sqrt(2 / np.pi) * (1 + 3 * 0.044715 * (z * z))
        return dh * (0.5 * (1 + t) + 0.5 * z * ((1 - t * t) * da)), {}


@dataclass(frozen=True)
class NoEps(LayerNorm):
    """eps is forgotten where it is all there is."""

    def backward(self, params, cache, dy, **needs):
        dx, dparams = super().backward(params, cache, dy, **needs)
        return np.where(cache.s * cache.s > 1.5 * self.eps, dx, 0 * dx), dparams


@dataclass(frozen=True)
class NanWhereMasked(SoftmaxCrossEntropy):
    """As it was: 0 times -inf."""

    def forward(self, z, target):
        _, cache = super().forward(z, target)
        q, D = self.weighted(z, target)
        zc = z - z.max(axis=1, keepdims=True)
        return -np.sum(q * (zc - np.log(np.sum(np.exp(zc), axis=1, keepdims=True)))) / D, cache


@dataclass(frozen=True)
class Lonely(SoftmaxCrossEntropy):
    """Wrong for a sample that has one class left."""

    def forward(self, z, target):
        E, cache = super().forward(z, target)
        alone = np.sum(np.astype(z > -np.inf, np.float64), axis=1) == 1
        return E + np.sum(np.where(alone, np.ones(len(z)), np.zeros(len(z)))), cache


@dataclass(frozen=True)
class NoEmptyClass(SoftmaxCrossEntropy):
    """Divides by the samples of each class."""

    def forward(self, z, target):
        E, cache = super().forward(z, target)
        counts = np.bincount(target, minlength=z.shape[1])
        with np.errstate(all="ignore"):
            return E + 0 * np.sum(1 / counts), cache


@dataclass(frozen=True)
class NeverCertain(BinaryCrossEntropy):
    """Keeps the target away from 0 and 1."""

    def backward(self, cache, dE):
        return super().backward(cache._replace(t=np.clip(cache.t, 0.05, 0.95)), dE)


@dataclass(frozen=True)
class RootOfSquare(MeanSquaredError):
    """e e / |e| is nan at 0."""

    def backward(self, cache, dE):
        with np.errstate(all="ignore"):
            return super().backward(cache._replace(e=cache.e * cache.e / abs(cache.e) * np.sign(cache.e)), dE)


@dataclass(frozen=True)
class SumFirst(MeanSquaredError):
    """As it was: the sum overflows float16 before it is divided."""

    def forward(self, y, t):
        e = y - t
        return (e * e).sum() / (y.shape[0] * y.shape[1]), super().forward(y, t)[1]


def judged(layer, dtype, library=np, loss=None, labels=False):
    rng, n = np.random.default_rng(0), 3 if loss else 2
    net = Network((Linear(4, 6), layer, Linear(6, n)))
    x, target = rng.normal(size=(9, 4)), rng.uniform(0.1, 0.9, size=(9, n))
    if isinstance(loss, SoftmaxCrossEntropy):
        target /= target.sum(axis=1, keepdims=True)
    if library is torch:
        params = net.init(0, dtype=dtype, xp=torch)
        x, target = (torch.as_tensor(a).to(getattr(torch, dtype)) for a in (x, target))
    else:
        params, x, target = net.init(0, dtype=dtype), x.astype(dtype), target.astype(dtype)
    if labels:
        target = library.arange(9) % n
    states = [None, layer.draw(rng, x[:, :1] @ x[:, :1].T[:1, :6]), None] if isinstance(layer, Dropout) else None
    return verify(net, params, x, target, loss or HalfSquaredError(), states=states, seed=3)


@pytest.mark.parametrize("layer", RIGHT + NORMS, ids=lambda f: type(f).__name__)
@pytest.mark.parametrize(("dtype", "library"), PRECISIONS)
def test_right_layers_are_certified(layer, dtype, library):
    report = judged(layer, dtype, library)
    assert report.verdict is Verdict.CERTIFIED, report.text()


@pytest.mark.parametrize(("loss", "labels"), LOSSES, ids=repr)
@pytest.mark.parametrize(("dtype", "library"), PRECISIONS[1::2])
def test_right_losses_are_certified(loss, labels, dtype, library):
    """The stages alone: in float16 an underflow can break the contract of linearity."""
    report = judged(Tanh(), dtype, library, loss, labels)
    assert all(row.isolated.verdict is Verdict.CERTIFIED for row in report.stages), report.text()
    assert not report.notes


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("layer", [KinkLeaky(), ClippedTanh()], ids=lambda f: type(f).__name__)
def test_what_is_wrong_at_special_values_only_is_refuted(layer, dtype):
    report = judged(layer, dtype)
    assert report.verdict is Verdict.REFUTED
    assert report.culprit is not None
    assert report.culprit.name == f"h1 = {type(layer).__name__}"
    assert report.notes[0].startswith(f"{report.culprit.name}: right at the run's own numbers, wrong at kinks: 0, 1,")


BROKEN = {
    "kinks": (KinkLeaky(), None, False),
    "signed zeros and subnormal numbers": (SignedZero(), None, False),
    "large magnitudes": (OverflowingGELU(), None, False),
    "constant rows": (NoEps(6), None, False),
    "masked logits": (Tanh(), NanWhereMasked(), True),
    "one class left": (Tanh(), Lonely(), True),
    "an empty class": (Tanh(), NoEmptyClass(), True),
    "certain targets": (Tanh(), NeverCertain(), False),
    "outputs equal to their targets": (Tanh(), RootOfSquare(), False),
    "many numbers": (Tanh(), SumFirst(), False),
}


@pytest.mark.parametrize("name", BROKEN)
def test_each_draw_refutes_what_is_wrong_there_alone(name):
    layer, loss, labels = BROKEN[name]
    dtype = {"many numbers": "float16", "large magnitudes": "float32"}.get(name, "float64")
    library = torch if dtype == "float16" else np
    report = judged(layer, dtype, library, loss, labels)
    assert report.verdict is Verdict.REFUTED
    assert any(f"right at the run's own numbers, wrong at {name}: " in note for note in report.notes)


def test_each_draw_has_its_wrong_twin():
    assert sorted(BROKEN) == sorted(draw.name for draw in SPECIAL)


def test_another_value_at_the_kink_is_named():
    diagnosis = judged(KinkLeaky(), "float64").culprit.diagnosis
    assert diagnosis is not None
    assert diagnosis.name == "another value at the kink"
