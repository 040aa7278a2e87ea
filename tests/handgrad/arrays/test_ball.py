"""A ball contains every evaluation of the code it ran through, and is not much larger than it must be.

Truth is 80-bit arithmetic (mpmath for erf and erfc) on the exact inputs; the evaluation is NumPy's in the working type.
"""

import itertools

import mpmath
import numpy as np
import pytest
import torch
from array_api_compat import array_namespace
from scipy import special

from handgrad.arrays import ball, rounding
from handgrad.arrays.arithmetic import Arithmetic
from handgrad.arrays.ball import Ball, Truth
from handgrad.arrays.base import CannotEnter, lift_rule

LONG = np.longdouble
F32 = Arithmetic.of("float32")
pytestmark = pytest.mark.skipif(np.finfo(LONG).eps > 2.0**-63, reason="longdouble is no wider than float64 here")


def by_mpmath(f):
    return np.vectorize(lambda t: LONG(mpmath.nstr(f(mpmath.mpf(f"{t:.25e}")), 25)), otypes=[LONG])


EXACT = {special.erf: by_mpmath(mpmath.erf), special.erfc: by_mpmath(mpmath.erfc)}


def uncertain(rng, shape, dtype, scale=1.0, positive=False, spread=True):
    """A ball, a working value and an exact value, pairwise within one radius of each other."""
    w = (rng.normal(size=shape) * scale).astype(dtype)
    w = np.abs(w) if positive else w
    r = np.abs(w) * rng.choice([0.0, 1e-7, 1e-4, 0.1], size=shape) * spread
    apart = rng.choice([-1.0, 1.0, 0.3, 0.0], size=shape)
    e = w.astype(LONG) + r * apart
    m = (w + r * apart / 2 + r * (1 - np.abs(apart) / 2) * rng.uniform(-1, 1, size=shape)).astype(np.float64)
    slop = 4 * np.abs(w.astype(np.float64)) * 2.0**-53  # m itself rounded
    return Ball(m, np.where(r == 0, 0.0, r + slop), Arithmetic.of(np.dtype(dtype).name)), w, e


def assert_contains(b, w, e=None):
    """The working value and the exact value lie within the radius of each other and of the midpoint."""
    assert isinstance(b, Ball)
    assert not np.isnan(b.rad).any()
    w, mid = np.asarray(w).astype(LONG), b.mid.astype(LONG)
    e = mid if e is None else np.asarray(e, LONG)
    sure = np.isfinite(b.rad)
    with np.errstate(invalid="ignore"):
        for what, gap in {"w - e": w - e, "w - m": w - mid, "m - e": mid - e}.items():
            worst = np.max(np.where(sure, np.abs(gap), 0) / np.where(sure & (b.rad > 0), b.rad, 1), initial=0)
            assert not (sure & ~(np.abs(gap) <= b.rad)).any(), f"{what} reaches {worst:.3g} radii"


UNARY = {
    f.__name__: f
    for f in [
        np.negative, np.positive, np.abs, np.sign, np.square, np.exp, np.expm1, np.tanh, np.sinh, np.cosh, np.sin,
        np.cos, np.arctan, special.erf, special.erfc, special.expit,
    ]
} | {
    "cube": lambda x: x**3, "softplus": lambda x: np.log1p(np.exp(x)), "logaddexp0": lambda x: np.logaddexp(x, 0),
    "relu": lambda x: np.maximum(x, 0), "clip": lambda x: np.clip(x, -0.5, 0.5),
    "where": lambda x: np.where(x > 0, x, -x), "constants": lambda x: 0.1 * x + 1e-5,
}  # fmt: skip
POSITIVE = {f.__name__: f for f in (np.log, np.log1p, np.sqrt, np.reciprocal)} | {
    "root": lambda x: x**0.5,
    "inverse": lambda x: x**-1,
    "rsqrt": lambda x: x**-0.5,
    "1.5": lambda x: x**1.5,
}
BINARY = {
    f.__name__: f
    for f in (np.add, np.subtract, np.multiply, np.divide, np.maximum, np.minimum, np.logaddexp, np.outer)
} | {
    "matmul": lambda x, y: x @ y.T, "where": lambda x, y: np.where(x < y, x, y), "vecdot": lambda x, y: np.vecdot(x, y),
    "concat": lambda x, y: np.concatenate([x, y], axis=1), "stack": lambda x, y: np.stack([x, y]),
}  # fmt: skip
REDUCE = {f.__name__: f for f in (np.sum, np.mean, np.max, np.min, np.var, np.std)}
SHAPES = [(1, 1), (3, 5), (2, 300)]
FLOATS = [np.float32, np.float64]


def exactly(f, *args):
    return EXACT.get(f, f)(*args)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", [*UNARY, *POSITIVE])
def test_functions_contain(name, dtype):
    f, positive = {**UNARY, **POSITIVE}[name], name in POSITIVE
    rng = np.random.default_rng([1, len(name)])
    for scale in (1e-30, 1e-6, 1.0, 30.0) if f not in EXACT else (1e-6, 1.0):
        for shape in SHAPES if f not in EXACT else SHAPES[:2]:
            for spread in (True, False):
                b, w, e = uncertain(rng, shape, dtype, scale, positive, spread)
                with np.errstate(all="ignore"):
                    assert_contains(f(b), f(w), exactly(f, e))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", BINARY)
def test_binary_operations_contain(name, dtype):
    rng, f = np.random.default_rng([2, len(name)]), BINARY[name]
    for scale in (1e-30, 1.0, 1e10):
        for shape in SHAPES:
            for spread_x, spread_y in [(True, True), (False, False), (True, False)]:
                bx, wx, ex = uncertain(rng, shape, dtype, scale, spread=spread_x)
                by, wy, ey = uncertain(rng, shape, dtype, spread=spread_y)
                with np.errstate(all="ignore"):
                    assert_contains(f(bx, by), f(wx, wy), f(ex, ey))
                    assert_contains(f(by, bx), f(wy, wx), f(ey, ex))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", REDUCE)
def test_reductions_contain(name, dtype):
    rng, f = np.random.default_rng([3, len(name)]), REDUCE[name]
    for scale in (1e-12, 1.0, 1e10):
        for shape in SHAPES:
            for spread, axis in itertools.product((True, False), (None, 0, 1, (0, 1))):
                b, w, e = uncertain(rng, shape, dtype, scale, spread=spread)
                assert_contains(f(b, axis=axis), f(w, axis=axis), f(e, axis=axis))
                assert f(b, axis=axis, keepdims=True).shape == f(w, axis=axis, keepdims=True).shape


@pytest.mark.parametrize("seed", range(60))
def test_random_programs_contain(seed):
    rng = np.random.default_rng([4, seed])
    steps = [np.tanh, np.exp, np.sqrt, np.square, special.expit, np.add, np.multiply, np.subtract, np.matmul, np.mean]
    stack = [uncertain(rng, (4, 4), np.float32) for _ in range(3)]
    for f in rng.choice(np.array(steps, dtype=object), size=8):
        chosen = [stack[i] for i in rng.integers(len(stack), size=getattr(f, "nin", 1))]
        if f is np.mean:
            step = lambda x: x - np.mean(x, axis=0)  # noqa: E731
        elif f is np.sqrt:
            step = lambda x: np.sqrt(np.abs(x))  # noqa: E731
        elif f is np.exp:
            step = lambda x: np.exp(-np.abs(x))  # noqa: E731
        else:
            step = f
        stack.append(tuple(step(*(arg[kind] for arg in chosen)) for kind in range(3)))
        assert_contains(*stack[-1])
        assert np.isfinite(stack[-1][0].rad).all() or not np.isfinite(chosen[0][0].rad).all() or f is np.square


@pytest.mark.parametrize("n", [1, 2, 17, 300])
def test_any_summation_order_and_fused_products_lie_inside(n):
    rng = np.random.default_rng([5, n])
    x = (rng.normal(size=n) * 10.0 ** rng.integers(-3, 3, size=n)).astype(np.float32)
    y = rng.normal(size=n).astype(np.float32)
    dot, total = Ball.exact(x, F32) @ Ball.exact(y, F32), Ball.exact(x, F32).sum()
    for _ in range(20):
        order = rng.permutation(n)
        fused = plain = added = np.float32(0)
        for a, b in zip(x[order], y[order], strict=True):
            fused = np.float32(float(a) * float(b) + float(fused))
            plain, added = plain + a * b, added + a
        for value in (fused, plain):
            assert_contains(dot, value, x.astype(LONG) @ y.astype(LONG))
        assert_contains(total, added, x.astype(LONG).sum())


@pytest.mark.parametrize("n", [1, 2, 5, 40])
def test_terms_cover_a_reference_that_adds_the_bias_inside_the_sum(n):
    rng = np.random.default_rng([6, n])
    x, w, b = rng.normal(size=(50, n)), rng.normal(size=(n, 20)), 100 * rng.normal(size=20)
    a = Arithmetic.of("float64", terms=n + 1)
    result = Ball.exact(x, a) @ Ball.exact(w, a) + Ball.exact(b, a)
    inside = np.broadcast_to(b, (50, 20))
    for i in range(n):
        inside = inside + x[:, i, None] * w[i]
    assert_contains(result, inside, x.astype(LONG) @ w.astype(LONG) + b)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_low_precision_that_accumulates_in_float32_lies_inside(dtype):
    a, torch_type, rng = Arithmetic.of(dtype), getattr(torch, dtype), np.random.default_rng(7)
    steps = [torch.add, torch.mul, torch.matmul, lambda x, y: (x * y).sum(0), lambda x, y: torch.tanh(x) * torch.exp(y)]
    same = [np.add, np.multiply, np.matmul, lambda x, y: (x * y).sum(0), lambda x, y: np.tanh(x) * np.exp(y)]
    for scale in (1e-3, 1.0):
        x, y = (torch.tensor(rng.normal(size=(30, 30)) * scale).to(torch_type) for _ in range(2))
        x64, y64 = x.double().numpy(), y.double().numpy()
        for f, g in zip(steps, same, strict=True):
            b = g(Ball.exact(x64, a), Ball.exact(y64, a))
            assert_contains(b, f(x, y).double().numpy(), g(x64.astype(LONG), y64.astype(LONG)))
            assert np.median(b.rad / (np.abs(b.mid) + a.tiny / a.u)) < 100 * a.u


# -- tightness


@pytest.mark.parametrize("name", ["float64", "float32", "bfloat16", "float16"])
def test_radii_are_as_small_as_the_rounding_allows(name):
    a, rng = Arithmetic.of(name), np.random.default_rng(8)
    u, n, tiny = a.u + 2.0**-53, 16, a.tiny
    x, y = (np.sign(v) * (np.abs(v) + 0.1) for v in rng.normal(size=(2, n, n)))
    bx, by = Ball.exact(x, a), Ball.exact(y, a)
    for f in (np.add, np.subtract, np.multiply, np.divide):
        assert (f(bx, by).rad <= 1.03 * u * np.abs(f(x, y)) + 1.03 * tiny).all()
    for f in (np.exp, np.tanh, np.sin, np.arctan, special.erf, special.expit):
        assert (f(bx).rad <= 1.1 * a.c * u * np.abs(f(x)) + 1.1 * tiny).all()
    u_sum, last = a.u_sum + 2.0**-53, 0 if a.u_sum == a.u else u
    assert ((bx @ by).rad <= 1.01 * n * u_sum * (np.abs(x) @ np.abs(y)) + 1.01 * last * np.abs(x @ y) + 2 * tiny).all()
    bound = 1.01 * n * u_sum * np.abs(x).sum(0) + 1.01 * last * np.abs(x.sum(0))
    assert (bx.sum(axis=0).rad <= bound).all()
    for f in (np.negative, np.abs, np.sign, np.transpose, lambda v: np.maximum(v, 0), lambda v: np.where(v > 0, v, 0)):
        assert not f(bx).rad.any()


@pytest.mark.parametrize("f", [*(f for f in UNARY.values() if f is not np.sign), *POSITIVE.values()])
@pytest.mark.parametrize("m", [0.05, 0.7, 2.9])
def test_an_input_radius_grows_no_more_than_the_function_does(f, m):
    r = 1e-4 * m
    rad = f(Ball(np.full(1, m), np.full(1, r), F32)).rad[0]
    reach = max(abs(float(f(m + r)) - float(f(m))), abs(float(f(m)) - float(f(m - r))))
    assert reach * (1 - 1e-9) <= rad <= 1.01 * reach + 20 * F32.u * (1 + abs(float(f(m)))) + 2 * F32.tiny


def narrow_multiply(x, y):
    return x._with(x.mid * y.mid, np.abs(x.mid) * y.rad + F32.u * np.abs(x.mid * y.mid))


def low_slope(m, r):
    return np.exp(m - r)


def short_slope(m, r):
    return 0.4 / np.sqrt(m)


def no_hull(condition, x, y):
    return x._with(np.where(condition.value, x.mid, y.mid), 0 * x.rad)


BROKEN = {
    "no rounding": (Arithmetic, "unit", lambda self, u: 0.0, "binary", "add"),
    "no rounding in a function": (Arithmetic, "unit", lambda self, u: 0.0, "function", "tanh"),
    "gamma 0 in a sum": (Arithmetic, "gamma", lambda self, n, u: 0.0, "reduction", "sum"),
    "gamma 0 in a product": (Arithmetic, "gamma", lambda self, n, u: 0.0, "binary", "matmul"),
    "one spread forgotten": (ball.RULES, "multiply", lift_rule(narrow_multiply), "binary", "multiply"),
    "slope at the low end": (ball.RULES, "exp", lift_rule(rounding.function(np.exp, low_slope)), "function", "exp"),
    "slope too small": (ball.RULES, "sqrt", lift_rule(rounding.function(np.sqrt, short_slope)), "function", "sqrt"),
    "no hull": (ball.RULES, "where", no_hull, "function", "where"),
    "sure at once": (rounding, "never_meet", lambda x, y: np.full(x.shape, True), "binary", "where"),
}


@pytest.mark.parametrize("how", BROKEN)
def test_the_check_fails_for_a_broken_rule(how, monkeypatch):
    owner, name, broken, kind, case = BROKEN[how]
    checks = {
        "binary": test_binary_operations_contain,
        "function": test_functions_contain,
        "reduction": test_reductions_contain,
    }
    (monkeypatch.setitem if isinstance(owner, dict) else monkeypatch.setattr)(owner, name, broken)
    with pytest.raises(AssertionError, match="radii"):
        checks[kind](case, np.float32)


def test_underflow_and_overflow_of_the_working_type():
    x = np.array([1e-30, 3e-20, -90.0, 100.0], np.float32)
    b = Ball.exact(x, F32)
    with np.errstate(all="ignore"):
        assert_contains(b * b, x * x, x.astype(LONG) ** 2)
        assert_contains(np.exp(b), np.exp(x), np.exp(x.astype(LONG)))
        assert_contains(1 / (1 + np.exp(-b)), 1 / (1 + np.exp(-x)), 1 / (1 + np.exp(-x.astype(LONG))))
    assert np.isinf(np.exp(b).rad).tolist() == [False, False, False, True]  # float32 overflows, float64 does not
    b = Ball.exact([1.0, -1.0, 0.0, np.nan, np.inf], F32)
    assert np.isinf(np.log(b).rad).tolist() == [False, True, True, True, True]
    assert np.isinf((1 / b).rad).tolist() == [False, False, True, True, True]
    assert np.isinf((1 / Ball([1.0, 1.0], [0.5, 1.0], F32)).rad).tolist() == [False, True]


# -- whole stages, written once


def sigmoid_stage(x, dy):
    xp = array_namespace(x)
    e = xp.exp(-xp.abs(x))
    y = xp.where(x >= 0, 1 / (1 + e), e / (1 + e))
    return y, dy * y * (1 - y)


def cross_entropy_stage(x, t):
    xp = array_namespace(x)
    shifted = x - xp.max(x, axis=1, keepdims=True)
    log_sum = xp.log(xp.sum(xp.exp(shifted), axis=1, keepdims=True))
    log_p = shifted - log_sum
    loss = -xp.mean(xp.take_along_axis(log_p, t[:, None], axis=1))
    onehot = xp.astype(t[:, None] == xp.arange(x.shape[1]), x.dtype)
    return loss, (xp.exp(log_p) - onehot) / x.shape[0]


def layer_norm_stage(x, dy):
    xp = array_namespace(x)
    centred = x - xp.mean(x, axis=1, keepdims=True)
    inv = 1 / xp.sqrt(xp.var(x, axis=1, keepdims=True) + 1e-5)
    h = centred * inv
    mean = lambda v: xp.mean(v, axis=1, keepdims=True)  # noqa: E731
    return h, inv * (dy - mean(dy) - h * mean(dy * h))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0])
@pytest.mark.parametrize("stage", [sigmoid_stage, cross_entropy_stage, layer_norm_stage])
def test_stages_contain_forward_and_backward(stage, scale, dtype):
    rng, a = np.random.default_rng(9), Arithmetic.of(np.dtype(dtype).name)
    for n, m in [(1, 2), (3, 5), (7, 100)]:
        x = (scale * rng.normal(size=(n, m))).astype(dtype)
        if stage is cross_entropy_stage:
            dy = t = rng.integers(m, size=n)
        else:
            dy = rng.normal(size=(n, m)).astype(dtype)
            t = Ball.exact(dy, a)
        balls = stage(Ball.exact(x, a), t)
        exact = stage(x.astype(LONG), dy if stage is cross_entropy_stage else dy.astype(LONG))
        for b, w, e in zip(balls, stage(x, dy), exact, strict=True):
            assert b.shape == np.shape(w)
            assert_contains(b, w, e)
            assert m < 100 or np.median(b.rad / (np.abs(b.mid) + scale * 1e-3)) < 3e3 * a.u


def test_a_constant_the_working_type_cannot_hold_is_rounded_on_the_way_in():
    x = np.float32([3.0])
    b = Ball.exact(x, F32)
    xp = array_namespace(b)
    assert_contains(b + xp.asarray(0.1, dtype=b.dtype), x + np.float32(0.1), x + LONG(1) / 10)
    assert (b + 1).rad[0] < 1.01 * F32.u * 4
    assert np.maximum(b * 0, 0.1).rad[0] > 0
    assert np.maximum(b * 0, 0.5).rad[0] <= 2 * F32.tiny


# -- comparisons


def test_truth_knows_what_rounding_could_flip():
    b = Ball([0.0, 1e-9, -1e-9, 1.0], [0.0, 1e-8, 1e-8, 1e-8], F32)
    positive = b > 0
    assert isinstance(positive, Truth)
    assert positive.value.tolist() == [False, True, False, True]
    assert positive.sure.tolist() == [True, False, False, True]
    assert positive.unsure_count == 2 == (~positive).unsure_count
    assert (positive & (b < -1)).unsure_count == 0 == (positive | (b > -1)).unsure_count
    assert bool(positive.any())
    assert np.any(positive, axis=0).unsure_count == 0 == np.all(positive).unsure_count
    hull = np.where(positive, b, 5.0)
    np.testing.assert_array_equal(hull.mid, [5.0, 1e-9, 5.0, 1.0])
    assert (hull.rad[1:3] >= 5.0).all()
    assert (positive * b).rad[0] < 1e-30
    assert positive.astype(np.float32).rad.tolist() == [0, 1, 1, 0]
    assert b[[0, 3]][b[[0, 3]] > 0].mid.tolist() == [1.0]
    assert np.isfinite(b).sure.all()
    assert not np.isnan(b).value.any()
    for unsure in (lambda: b[positive], lambda: bool(positive[1])):
        with pytest.raises(CannotEnter, match="rounding could flip"):
            unsure()


# -- standard deviations


def test_rms_radii_are_the_standard_deviation_of_the_rounding():
    a, rng, n = Arithmetic.of("float32", rms=True), np.random.default_rng(11), 64
    x, y = rng.normal(size=(2, 200, 200)).astype(np.float32)
    xs, ys = x[:, :n], y[:n]
    sequential = np.zeros((200, 200), np.float32)
    for i in range(n):
        sequential = sequential + xs[:, i, None] * ys[i]
    bx, by = Ball.exact(x, a), Ball.exact(y, a)
    cases = [
        (bx * by, x * y), (bx + by, x + y), (bx / by, x / y), (bx[:, :n] @ by[:n], sequential),
        (bx * by * bx, x * y * x), (np.tanh(bx), np.tanh(x)),
    ]  # fmt: skip
    for b, w in cases:
        ratio = np.std((w - b.mid) / b.rad)
        assert 0.2 < ratio < 1.5
    worst = Ball.exact(x, F32) @ Ball.exact(y, F32)
    assert np.median(worst.rad / (bx @ by).rad) > 10


def test_wrong_uses_name_the_argument():
    with pytest.raises(ValueError, match="rad has shape"):
        Ball([1.0], [1.0, 2.0], F32)
    with pytest.raises(ValueError, match="1 negative"):
        Ball([1.0], [-1.0], F32)
    with pytest.raises(ValueError, match="dtype is 'int8'"):
        Arithmetic.of("int8")
    with pytest.raises(ValueError, match="same arithmetic"):
        Ball.exact([1.0], F32) + Ball.exact([1.0], Arithmetic.of("float64"))
