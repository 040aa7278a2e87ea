"""Where exponentials overflow, logarithms meet zero and variances vanish: finite, accurate, and without a warning.

The truth is the textbook formula in long double, whose exponent reaches e^11356: with |z| up to 1e4 nothing in it
overflows, so it needs none of the tricks it judges. Warnings are errors in this suite.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import erfc

import manual

LONG = np.longdouble
pytestmark = pytest.mark.skipif(np.finfo(LONG).maxexp < 16000, reason="long double has no wider exponent here")

Z = np.array(
    [0.0, 1e-30, 1e-8, 1e-3, 0.1, 0.7, 1.0, 3.0, 7.0, 9.0, 17.0, 20.0, 37.0, 89.0, 104.0, 710.0, 746.0, 1e3, 1e4]
)
Z = np.concatenate([Z, -Z])[None, :]


def logistic(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


def Phi(z: Any) -> Any:
    return erfc(np.asarray(-z / np.sqrt(LONG(2)), dtype=float)) / LONG(2)  # in double, relatively accurate in the tail


def cubic(z: Any) -> Any:
    return np.sqrt(2 / LONG(np.pi)) * (z + LONG("0.044715") * z**3)


def dcubic(z: Any) -> Any:
    return np.sqrt(2 / LONG(np.pi)) * (1 + 3 * LONG("0.044715") * z**2)


def tanh_slope(a: Any) -> Any:
    return 4 * np.exp(-2 * np.abs(a)) / (1 + np.exp(-2 * np.abs(a))) ** 2


# f, its derivative, and what the error of h is measured by: 1 where h is accurate relative to itself even in its tail
FORMULAS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any], Callable[[Any, Any], Any]]] = {
    "identity": (lambda z: z, lambda z: z**0, lambda z, h: abs(h)),
    "sigmoid": (logistic, lambda z: logistic(z) * logistic(-z), lambda z, h: abs(h)),
    "tanh": (np.tanh, tanh_slope, lambda z, h: abs(h)),
    "relu": (lambda z: np.maximum(z, 0), lambda z: 1 * (z > 0), lambda z, h: abs(h)),
    "leaky_relu": (
        lambda z: np.where(z > 0, z, z / 100),
        lambda z: np.where(z > 0, LONG(1), LONG(1) / 100),
        lambda z, h: abs(h),
    ),
    "softplus": (lambda z: np.log1p(np.exp(z)), logistic, lambda z, h: abs(h)),
    "silu": (lambda z: z * logistic(z), lambda z: logistic(z) * (1 + z * logistic(-z)), lambda z, h: abs(h)),
    "gelu": (
        lambda z: z * Phi(z),
        lambda z: Phi(z) + z * np.exp(-z * z / 2) / np.sqrt(2 * LONG(np.pi)),
        lambda z, h: abs(h) * (1 + z * z),  # in the tail erfc's argument decides: h moves z^2 times as fast as z
    ),
    "gelu_tanh": (
        lambda z: z / (1 + np.exp(-2 * cubic(np.minimum(np.maximum(z, -30), 1e3)))),
        lambda z: (
            1 / (1 + np.exp(-2 * cubic(np.clip(z, -30, 30))))
            + z / 2 * tanh_slope(cubic(np.clip(z, -30, 30))) * dcubic(z)
        ),
        lambda z, h: abs(z),
    ),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_activation(name: str, dtype: str) -> None:
    """h within 16 u of its measure, f'(z) within 16 u of 1 + |z| (1 - h cancels near 1), both for |z| up to 1e4."""
    f, slope, measure = FORMULAS[name]
    rng = np.random.default_rng(0)
    z, dh = Z.astype(dtype), rng.normal(size=Z.shape).astype(dtype)
    u, tiny = np.finfo(dtype).eps / 2, float(np.finfo(dtype).tiny)
    layer = manual.activation(name)
    h, cache = layer.forward({}, z)
    dz, _ = layer.backward({}, cache, dh)
    exact = z.astype(LONG)
    with np.errstate(over="ignore", under="ignore"):
        true_h, true_dz = f(exact), dh * slope(exact)
    assert h.dtype == dtype
    assert dz.dtype == dtype
    assert np.isfinite(h).all()
    assert np.isfinite(dz).all()
    assert (abs(h - true_h) <= 16 * u * measure(exact, true_h) + tiny).all()
    assert (abs(dz - true_dz) <= 16 * u * abs(dh) * (1 + np.minimum(abs(exact), 40)) + tiny).all()


LOGITS = np.array(
    [
        [1e4, -1e4, 0.0],
        [-1e4, -1e4, -1e4],
        [1e4, 1e4, 1e4],
        [0.0, 0.0, 0.0],
        [1e-30, -1e-30, 0.0],
        [88.0, 89.0, 710.0],
        [-746.0, 5.0, 5.5],
    ]
)
ONE_HOT = np.eye(3)[[0, 1, 2, 0, 1, 0, 2]]
CERTAIN = np.eye(3)[[1, 0, 0, 2, 2, 1, 0]]  # often the class that has no probability left


@pytest.mark.parametrize("target", [ONE_HOT, CERTAIN, ONE_HOT.argmax(1), CERTAIN.argmax(1), np.full((7, 3), 1 / 3)])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_softmax_cross_entropy(target: Any, smoothing: float, dtype: str, tools: Any) -> None:
    z, target = tools.cast((LOGITS, target), dtype)
    loss = manual.SoftmaxCrossEntropy("batch mean", smoothing)
    E, cache = loss.forward(z, target)
    dz = loss.backward(cache, np.dtype(dtype).type(1.3))
    q = np.eye(3)[target] if target.ndim == 1 else target.astype(LONG)
    q = (1 - LONG(smoothing)) * q + LONG(smoothing) / 3
    exact = z.astype(LONG)
    e = np.exp(exact - exact.max(1, keepdims=True))
    p = e / e.sum(1, keepdims=True)
    true_E = -np.sum(q * (exact - exact.max(1, keepdims=True) - np.log(e.sum(1, keepdims=True)))) / 7
    dE = LONG(np.dtype(dtype).type(1.3))
    tools.compare({"E": E}, {"E": np.asarray(true_E)}, dtype=dtype)
    tools.compare({"dz": dz}, {"dz": dE * (p * q.sum(1, keepdims=True) - q) / 7}, dE, dtype=dtype)


@pytest.mark.parametrize("target", [ONE_HOT, CERTAIN, np.full((7, 3), 0.5)])
def test_binary_cross_entropy(target: Any, dtype: str, tools: Any) -> None:
    z, t = tools.cast((LOGITS, target), dtype)
    loss = manual.BinaryCrossEntropy("sum")
    E, cache = loss.forward(z, t)
    exact = z.astype(LONG)
    with np.errstate(under="ignore"):
        true_E = np.sum(t * np.log1p(np.exp(-exact)) + (1 - t) * np.log1p(np.exp(exact)))
        true_dz = logistic(exact) - t
    tools.compare({"E": E}, {"E": np.asarray(true_E)}, dtype=dtype)
    tools.compare({"dz": loss.backward(cache, np.dtype(dtype).type(1))}, {"dz": true_dz}, dtype=dtype)


def test_squared_error_of_large_values(dtype: str, tools: Any) -> None:
    y, t = tools.cast((LOGITS, -LOGITS), dtype)
    E, cache = manual.SquaredError("mean").forward(y, t)
    truth = {"E": np.asarray(np.mean((2 * y.astype(LONG)) ** 2))}
    tools.compare({"E": E}, truth, dtype=dtype)
    tools.compare(
        {"dy": manual.SquaredError("mean").backward(cache, 1.0)}, {"dy": 4 * y.astype(LONG) / 21}, dtype=dtype
    )


def test_softmax(dtype: str, tools: Any) -> None:
    z = LOGITS.astype(dtype)
    dp = np.random.default_rng(0).normal(size=z.shape).astype(dtype)
    p, cache = manual.Softmax().forward({}, z)
    e = np.exp(z.astype(LONG) - z.astype(LONG).max(1, keepdims=True))
    q = e / e.sum(1, keepdims=True)
    tools.compare({"p": p}, {"p": q}, dtype=dtype)
    true_dz = q * (dp - np.sum(dp * q, axis=1, keepdims=True))
    tools.compare({"dz": manual.Softmax().backward({}, cache, dp)[0]}, {"dz": true_dz}, dp, dtype=dtype)


FLAT = {
    "equal": np.full((4, 5), 0.1),
    "equal and large": np.full((4, 5), 1e4 / 3),
    "zeros": np.zeros((4, 5)),
    "tiny": 1e-30 * np.arange(20.0).reshape(4, 5),
    "large": 1e4 * np.sin(np.arange(20.0)).reshape(4, 5),
    "large offset": 3e3 + np.sin(np.arange(20.0) ** 2).reshape(4, 5),  # a variance E[x^2] - E[x]^2 has no digit left
    "one differs": 1e4 * np.eye(4, 5),
}


@pytest.mark.parametrize("layer", [manual.LayerNorm(5), manual.BatchNorm1d(5)], ids=lambda layer: type(layer).__name__)
@pytest.mark.parametrize("x", FLAT.values(), ids=FLAT)
def test_normalisation(layer: Any, x: np.ndarray, dtype: str, tools: Any) -> None:
    """A rounding of x is amplified by 1 / s, s = sqrt(var + eps), by 1 / sqrt(eps) where the variance is zero."""
    rng = np.random.default_rng(0)
    params = {"gamma": rng.normal(size=5), "beta": rng.normal(size=5)}
    params, x, dy = tools.cast((params, x, rng.normal(size=(4, 5))), dtype)
    found = tools.hand(layer, (params, x), dy)
    case = next(c for c in tools.LAYERS if type(c.make(5, 5)) is type(layer))
    truth = tools.auto(case, tools.draw(case)._replace(it=layer, inputs=(params, x), upstream=dy))
    assert all(np.isfinite(value).all() for value in found.values())
    s = np.sqrt(x.astype(float).var(axis=1 if isinstance(layer, manual.LayerNorm) else 0) + 1e-5).min()
    amplified = tools.largest(params, dy) * (1 + np.abs(x).max() / s) / min(s, 1)
    tools.compare(found, truth, np.asarray(amplified), dtype=dtype)


def test_a_linear_layer_of_large_and_small_numbers(dtype: str) -> None:
    """1e4 against 1e-30 in one product: torch in float64 is the truth, the bound is that of any inner product."""
    rng = np.random.default_rng(0)
    x, W, dz = (
        (rng.normal(size=size) * 10.0 ** rng.integers(-30, 5, size=size)).astype(dtype)
        for size in [(4, 6), (5, 6), (4, 5)]
    )
    layer = manual.Linear(6, 5, bias=False)
    z, cache = layer.forward({"W": W}, x)
    dx, d = layer.backward({"W": W}, cache, dz)
    u, tiny = np.finfo(dtype).eps / 2, 8 * float(np.finfo(dtype).tiny)
    for found, a, b in [(z, x, W.T), (dx, dz, W), (d["dW"], dz.T, x)]:
        truth = (torch.tensor(a.astype(float)) @ torch.tensor(b.astype(float))).numpy()
        allowed = 2 * a.shape[1] * u * (abs(a.astype(float)) @ abs(b.astype(float))) + tiny
        assert (abs(found - truth) <= allowed).all()
