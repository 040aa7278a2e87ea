"""A dual number's derivative is torch's forward-mode derivative, for every operation and at every kink."""

import numpy as np
import pytest
import torch
from array_api_compat import array_namespace
from scipy import special
from torch.func import jvp

from handgrad.arrays.ball import Arithmetic, Ball
from handgrad.arrays.base import CannotEnter, refusal
from handgrad.arrays.dual import Dual

# torch's forward mode uses its own deprecated torch.jit.script on first use
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")
torch_where = torch.where

UNARY = {
    np.exp: torch.exp, np.expm1: torch.expm1, np.tanh: torch.tanh, np.sinh: torch.sinh, np.cosh: torch.cosh,
    np.sin: torch.sin, np.cos: torch.cos, np.arctan: torch.arctan, np.abs: torch.abs, np.sign: torch.sign,
    np.negative: torch.neg, np.positive: torch.positive, np.square: torch.square, special.erf: torch.erf,
    special.erfc: torch.erfc, special.expit: torch.sigmoid,
    (lambda x: x**3): lambda x: x**3, (lambda x: x**-2): lambda x: x**-2, (lambda x: x**0): lambda x: x**0,
    (lambda x: np.clip(x, -0.5, 0.5)): lambda x: torch.clamp(x, -0.5, 0.5),
    (lambda x: 1.5 - x / 3 + 2 / x): lambda x: 1.5 - x / 3 + 2 / x,
    (lambda x: np.sum(x, axis=0)): lambda x: x.sum(0), (lambda x: x.mean(axis=(0, 1))): lambda x: x.mean((0, 1)),
    (lambda x: np.max(x, axis=1)): lambda x: torch.amax(x, 1), (lambda x: x.min()): lambda x: torch.amin(x),
    (lambda x: np.var(x, axis=0)): lambda x: x.var(0, correction=0),
    (lambda x: x.std(axis=1, ddof=1, keepdims=True)): lambda x: x.std(1, keepdim=True),
    (lambda x: np.where(x > 0, x * x, -1.0)): lambda x: torch_where(x > 0, x * x, -1.0),
    (lambda x: x.reshape(-1)[::2]): lambda x: x.reshape(-1)[::2], (lambda x: x.T[None]): lambda x: x.T[None],
    (lambda x: np.take_along_axis(x, np.array([[2], [0], [1]]), 1)): lambda x: x.take_along_dim(
        torch.tensor([[2], [0], [1]]), 1
    ),
    (lambda x: x[x > 0]): lambda x: x[x > 0], (lambda x: x[[2, 0], :1]): lambda x: x[[2, 0], :1],
    (lambda x: np.broadcast_to(x[0], (4, 3))): lambda x: x[0].expand(4, 3),
    (lambda x: np.maximum(x, 0)): torch.relu, (lambda x: np.maximum(0, x)): torch.relu,
    (lambda x: np.minimum(np.maximum(0, x), 6)): torch.nn.functional.relu6,
}  # fmt: skip
POSITIVE = {
    np.log: torch.log, np.log1p: torch.log1p, np.sqrt: torch.sqrt, np.reciprocal: torch.reciprocal,
    (lambda x: x**0.5): lambda x: x**0.5, (lambda x: x**-1.5): lambda x: x**-1.5,
}  # fmt: skip
BINARY = {
    np.add: torch.add, np.subtract: torch.sub, np.multiply: torch.mul, np.divide: torch.div, np.matmul: torch.matmul,
    np.maximum: torch.maximum, np.minimum: torch.minimum, np.logaddexp: torch.logaddexp,
    (lambda x, y: np.dot(x, y[0])): lambda x, y: x @ y[0],
    (lambda x, y: np.outer(x[0], y[1])): lambda x, y: torch.outer(x[0], y[1]),
    (lambda x, y: np.vecdot(x, y)): lambda x, y: torch.linalg.vecdot(x, y),
    (lambda x, y: np.concatenate([x, y], axis=1)): lambda x, y: torch.cat([x, y], 1),
    (lambda x, y: np.stack([x, y])): lambda x, y: torch.stack([x, y]),
    (lambda x, y: np.where(x < y, x, y * y)): lambda x, y: torch_where(x < y, x, y * y),
}  # fmt: skip


def check(f, g, *pairs):
    """f on duals against torch's forward mode on g."""
    dual = f(*(Dual.of(x, dx) for x, dx in pairs))
    value, derivative = jvp(g, *(tuple(torch.tensor(part) for part in side) for side in zip(*pairs, strict=True)))
    assert dual.shape == tuple(value.shape)
    np.testing.assert_allclose(dual.x, value.numpy(), rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(dual.dx, derivative.numpy(), rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("f", [*UNARY, *POSITIVE])
def test_functions(f):
    rng = np.random.default_rng(1)
    for scale in (1.0, 3.0):
        x, dx = rng.normal(size=(2, 3, 3)) * [[[scale]], [[1.0]]]
        check(f, {**UNARY, **POSITIVE}[f], (np.abs(x) if f in POSITIVE else x, dx))


@pytest.mark.parametrize("f", BINARY)
def test_binary_operations(f):
    x, dx, y, dy = np.random.default_rng(2).normal(size=(4, 3, 3))
    check(f, BINARY[f], (x, dx), (y, dy))
    exact = f(Dual.of(x, dx), y)
    np.testing.assert_allclose(exact.dx, f(Dual.of(x, dx), Dual.of(y, 0.0)).dx)
    np.testing.assert_allclose(f(x, Dual.of(y, dy)).dx, f(Dual.of(x, 0.0), Dual.of(y, dy)).dx)


def clamp(x):
    """torch.clamp between -0.5 and 0.5 as it was up to 2.13: later its derivative at the bounds is 0."""
    return torch_where(x < -0.5, -0.5, torch_where(x > 0.5, 0.5, x))


@pytest.mark.parametrize("f", [
    np.abs, np.sign, lambda x: np.maximum(x, 0), lambda x: np.maximum(0, x), lambda x: np.minimum(np.maximum(0, x), 6),
    lambda x: np.clip(x, -0.5, 0.5), lambda x: np.max(x, axis=0), lambda x: np.min(x), np.square,
])  # fmt: skip
def test_kinks_follow_torch(f):
    twins = {
        "abs": torch.abs, "sign": torch.sign, "square": torch.square,
        "maximum": torch.relu, "minimum": torch.nn.functional.relu6, "clip": clamp,
        "max": lambda x: torch.amax(x, 0), "min": lambda x: torch.amin(x),
    }  # fmt: skip
    name = f.__code__.co_names[1] if hasattr(f, "__code__") else f.__name__.replace("absolute", "abs")
    x = np.array([[0.0, -0.0, 0.5, -0.5, 6.0], [0.0, 0.0, 0.5, -0.5, 6.0]])
    check(f, twins[name], (x, np.random.default_rng(3).normal(size=x.shape)))


def test_two_duals_that_tie_share_as_in_torch():
    x, dx, dy = np.random.default_rng(4).normal(size=(3, 5))
    check(np.maximum, torch.maximum, (x, dx), (x, dy))
    check(np.minimum, torch.minimum, (x, dx), (x, dy))


def test_a_network_and_every_protocol():
    rng = np.random.default_rng(5)
    x, dx, w, dw = rng.normal(size=(4, 3, 3))
    a, b = Dual.of(x, dx), Dual.of(w, dw)
    xp = array_namespace(a, b)
    z = a @ b.T + 0.1
    ways = [xp.add(xp.matmul(a, xp.matrix_transpose(b)), 0.1), np.matmul(a, np.transpose(b)) + 0.1, 0.1 + a.dot(b.T)]
    for other in ways:
        np.testing.assert_array_equal(z.parts, other.parts)

    def loss(z, exp, log, total):
        return -(z - log(total(exp(z))))[0, 1]

    torch_loss = lambda x, w: loss(x @ w.T + 0.1, torch.exp, torch.log, lambda v: v.sum(1, keepdim=True))  # noqa: E731
    our_loss = lambda x, w: loss(x @ w.T + 0.1, xp.exp, xp.log, lambda v: xp.sum(v, axis=1, keepdims=True))  # noqa: E731
    check(our_loss, torch_loss, (x, dx), (w, dw))
    assert z.dtype == xp.float64 == xp.result_type(z)
    assert type(z > 0) is np.ndarray
    assert np.array_equal(np.argmax(z, axis=1), z.x.argmax(1))
    assert xp.astype(z, xp.float64) is z
    assert np.array_equal(z.astype(bool), z.x != 0)


def test_the_check_fails_for_a_wrong_derivative():
    x, dx = np.random.default_rng(6).normal(size=(2, 3, 3))
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        check(lambda d: Dual(np.tanh(d.x), (1 - np.tanh(d.x) ** 2) * d.dx * (1 + 1e-12)), torch.tanh, (x, dx))


def write_entry(d):
    np.zeros(3)[0] = d[0]


def write_own(d):
    d[0] = 1.0


@pytest.mark.parametrize("code", [
    write_entry, write_own, np.asarray, lambda d: float(d[0]), lambda d: np.exp(d, out=np.zeros(3)), lambda d: 2**d,
    lambda d: np.where(d, d, 0), lambda d: d.astype(np.float32), lambda d: np.linalg.norm(d), lambda d: d * 1j,
    lambda d: d * Ball.exact(np.ones(3), Arithmetic.of("float64")), lambda d: d[d], lambda d: d**d,
])  # fmt: skip
def test_what_cannot_enter_says_so(code):
    with pytest.raises((TypeError, ValueError)) as caught:
        code(Dual.of(np.arange(3.0), 1.0))
    assert isinstance(refusal(caught.value), CannotEnter)


def test_wrong_shapes_name_the_argument():
    with pytest.raises(ValueError, match=r"dx has shape \(2,\)"):
        Dual(np.zeros(3), np.zeros(2))
