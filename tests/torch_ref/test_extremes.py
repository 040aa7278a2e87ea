"""The reference at extreme inputs, up to |z| = 1e4, against the same functions in 80-bit arithmetic.

The judge allows what rounding explains in the textbook formula, so the reference must stay within a few roundings u of
the terms that formula adds up. K counts those roundings; below, S is the size of the terms.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import torch_ref

L = np.longdouble
U = 2.0**-53
K = 12

pytestmark = pytest.mark.skipif(np.finfo(L).eps > 1e-18, reason="longdouble is no wider than float64 here")

SIZES = np.concatenate([np.logspace(-8, 4, 241), [20.5, 36.5, 40.0, 40.5, 300.0, 709.0, 745.0, 1000.0]])
Z = np.concatenate([-SIZES, [0.0], SIZES])


def sigmoid(z: Any) -> Any:
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1, e) / (1 + e)


def sigmoid_slope(z: Any) -> Any:
    return sigmoid(z) * sigmoid(-z)


def gelu_tanh_argument(z: Any) -> tuple[Any, Any]:
    """2 a and its derivative: (1 + tanh a) / 2 = sigmoid(2 a)."""
    c = 2 * np.sqrt(2 / np.arctan2(L(0), L(-1)))
    return c * (z + L(0.044715) * z**3), c * (1 + 3 * L(0.044715) * z**2)


def gelu_tanh_slope(z: Any) -> Any:
    a, da = gelu_tanh_argument(z)
    return sigmoid(a) + z * sigmoid_slope(a) * da


# module, h, h', size of the terms of h' (those of h are never larger than max(1, |z|))
CASES = {
    "sigmoid": (torch_ref.Sigmoid(), sigmoid, sigmoid_slope, 1),
    "tanh": (torch_ref.Tanh(), np.tanh, lambda z: 4 * sigmoid_slope(2 * z), 1),
    "softplus": (torch_ref.Softplus(), lambda z: np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z))), sigmoid, 0),
    "silu": (torch_ref.SiLU(), lambda z: z * sigmoid(z), lambda z: sigmoid(z) + z * sigmoid_slope(z), 40),
    "gelu tanh": (torch_ref.GELUTanh(), lambda z: z * sigmoid(gelu_tanh_argument(z)[0]), gelu_tanh_slope, 40),
}


def torch_results(f: Callable[..., torch.Tensor], x: Any, upstream: Any) -> tuple[Any, Any]:
    leaf = torch.tensor(x, requires_grad=True)
    y = f(leaf)
    (dx,) = torch.autograd.grad(y, leaf, torch.tensor(upstream, dtype=y.dtype).reshape(y.shape))
    return y.detach().numpy(), dx.numpy()


def slopes(module: nn.Module) -> tuple[Any, Any]:
    """h and h' at Z. The upstream gradients are random powers of two, which divide out exactly."""
    upstream = np.random.default_rng(0).choice([-4.0, -0.5, 0.25, 2.0], size=(1, len(Z)))
    h, dz = torch_results(module, Z[None, :], upstream)
    return h[0], dz[0] / upstream[0]


def close(found: Any, truth: Any, S: Any) -> None:
    error = np.abs(found - truth)
    worst = np.unravel_index(np.argmax(error / (K * U * (S + np.abs(truth)) + 1e-300)), error.shape)
    share = float(error[worst] / (K * U * (S + np.abs(truth)) + 1e-300)[worst])
    assert share <= 1, f"at {worst}: {found[worst]}, expected {truth[worst]}: {share:.2g} of what rounding explains"


@pytest.mark.parametrize("name", CASES)
def test_activations(name: str) -> None:
    module, f, slope, size = CASES[name]
    h, dz = slopes(module)
    z = Z.astype(L)
    close(h, f(z), 1e-30 if name == "softplus" else np.minimum(np.abs(z), 40))
    close(dz, slope(z), np.minimum(np.abs(z), size) + 1e-30)


def test_torch_s_own_softplus_would_not_do() -> None:
    """Negative control: the threshold of nn.Softplus is what these tests are there to see."""
    h, _ = slopes(nn.Softplus())
    with pytest.raises(AssertionError, match="of what rounding explains"):
        close(h, CASES["softplus"][1](Z.astype(L)), 1e-30)


def test_gelu_far_from_zero() -> None:
    z = np.concatenate([-np.logspace(1.7, 4, 20), np.logspace(1, 4, 20)])
    h, dz = torch_results(torch_ref.GELU(), z[None, :], up := np.random.default_rng(0).normal(size=(1, 40)))
    np.testing.assert_array_equal(h[0], np.where(z > 0, z, 0))
    np.testing.assert_allclose(dz[0], np.where(z > 0, up[0], 0.0), rtol=1e-15, atol=1e-20)


def test_gelu_keeps_its_digits_below_zero() -> None:
    """There 1 + erf would cancel; libm's erfc is the truth, and z^2 its condition."""
    z = -np.linspace(0.1, 30, 60)
    h, _ = torch_results(torch_ref.GELU(), z[None, :], np.random.default_rng(0).normal(size=(1, 60)))
    truth = [v * math.erfc(-v / math.sqrt(2)) / 2 for v in z]
    np.testing.assert_allclose(h[0], truth, rtol=4 * 900 * U)


@pytest.mark.parametrize("scale", [1, 30, 300, 1000, 1e4])
@pytest.mark.parametrize("offset", [0, 300, 1000, 1e4])
def test_softmax_cross_entropy(scale: float, offset: float) -> None:
    rng = np.random.default_rng((int(scale), int(offset)))
    z = offset + scale * rng.normal(size=(20, 5))
    dE = float(rng.normal())
    labels = rng.integers(5, size=20)
    zc = z.astype(L) - z.max(1, keepdims=True)
    e = np.exp(zc)
    p, log_p = e / e.sum(1, keepdims=True), zc - np.log(e.sum(1, keepdims=True))
    loss = torch_ref.SoftmaxCrossEntropy("sum")
    for q, target in ((np.eye(5)[labels], labels), (t := rng.dirichlet(np.ones(5), size=20), t)):
        E, dz = torch_results(lambda z, t=target: loss(z, torch.tensor(t)), z, dE)
        close(E[None], np.array([-(q * log_p).sum()]), 0)
        close(dz, dE * (p * q.astype(L).sum(1, keepdims=True) - q), abs(dE) * (q + np.abs(zc) * p))


@pytest.mark.parametrize("scale", [1, 40, 1000, 1e4])
def test_binary_cross_entropy(scale: float) -> None:
    rng = np.random.default_rng(int(scale))
    z, t = scale * rng.normal(size=(1, 50)), rng.uniform(size=(1, 50))
    dE = float(rng.normal())
    E, dz = torch_results(lambda z: torch_ref.BinaryCrossEntropy("sum")(z, torch.tensor(t)), z, dE)
    zl = z.astype(L)
    close(E[None], np.array([(np.maximum(zl, 0) + np.log1p(np.exp(-np.abs(zl))) - t * zl).sum()]), np.abs(z).sum())
    close(dz, dE * (sigmoid(zl) - t), abs(dE))


@pytest.mark.parametrize("offset", [0, 1e4, 1e8])
def test_norms_where_the_mean_is_large(offset: float) -> None:
    """The error that is left is that of the mean, u |mean|; sums of squares about zero would give its square."""
    rng = np.random.default_rng(int(offset))
    x, dy = offset + rng.normal(size=(9, 9)), rng.normal(size=(9, 9))
    for module, axis in ((torch_ref.LayerNorm(9), 1), (torch_ref.BatchNorm1d(9), 0)):
        _, dx = torch_results(module.double(), x, dy)
        xc = x.astype(L) - x.astype(L).mean(axis, keepdims=True)
        s = np.sqrt((xc**2).mean(axis, keepdims=True) + L(1e-5))
        xhat = xc / s
        along = (dy * xhat).mean(axis, keepdims=True)
        close(dx, (dy - dy.mean(axis, keepdims=True, dtype=L) - xhat * along) / s, (1 + offset) * 9 / s.astype(float))
