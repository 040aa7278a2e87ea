"""Kinds of right code that checkers refute: each beside a wrong twin, which must not pass with it."""

import numpy as np
import pytest
import torch

from handgrad import verify_function
from handgrad.arrays.precision import like
from handgrad.judge.verdict import Verdict
from handgrad.subjects.function.calling import Code
from handgrad.subjects.function.case import Case, Kind, try_case
from handgrad.subjects.function.reference import Reference

RNG = np.random.default_rng(0)
C, R, U = Verdict.CERTIFIED, Verdict.REFUTED, Verdict.UNRESOLVED


def verdict(*code, inputs, **more):
    """The verdict, and the report for a test that fails."""
    report = verify_function(*code, inputs=inputs, seed=0, **more)
    return report.verdict, report.text()


def float32(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def filled(values):
    """The same through a buffer, which balls cannot follow."""
    out = np.zeros(values.shape, values.dtype)
    out[...] = values
    return out


# -- constants of the code that are rounded to the precision of its inputs


def times(factors, through=lambda a: a):
    return lambda dy, x: through(dy * np.array(factors, x.dtype))


def exact_times(x):
    return x * torch.tensor([0.1, 0.7, 1.3], dtype=torch.float64)


@pytest.mark.parametrize("through", [lambda a: a, filled])
@pytest.mark.parametrize(("first", "expected"), [(0.1, C), (0.11, R), (0.1001, R)])
@pytest.mark.parametrize("given", [[(5, 3)], [float32(5, 3)]])
def test_constants_cut_short_in_float32(given, first, expected, through):
    def forward(x):
        return through(x * np.array([0.1, 0.7, 1.3], x.dtype))

    dtype = "float32" if isinstance(given[0], tuple) else None
    found, text = verdict(forward, times([first, 0.7, 1.3], through), exact_times, inputs=given, dtype=dtype)
    assert found is expected, text


MASK = np.random.default_rng(1).random((5, 3)) < 0.7


@pytest.mark.parametrize(("p", "expected"), [(0.3, C), (0.301, R)])
def test_the_scale_of_inverted_dropout(p, expected):
    def kept(p, dtype):
        return (MASK / (1 - p)).astype(dtype)

    found, text = verdict(
        lambda x: x * kept(0.3, x.dtype),
        lambda dy, x: dy * kept(p, x.dtype),
        lambda x: x * torch.as_tensor(MASK) / (1 - 0.3),
        inputs=[float32(5, 3)],
    )
    assert found is expected, text


def rotate(x, sign, base, dtype):
    """Rotary positions; the table of angles is computed in `dtype`."""
    n, d = x.shape
    angles = torch.outer(torch.arange(n, dtype=dtype), base ** (-torch.arange(0, d, 2, dtype=dtype) / d))
    c, s, a, b = angles.cos(), angles.sin(), x[:, : d // 2], x[:, d // 2 :]
    return torch.cat([a * c - sign * b * s, b * c + sign * a * s], 1).to(x.dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("sign", "base", "expected"), [(-1, 1e4, C), (-1, 9e3, R), (1, 1e4, R)])
def test_a_table_of_angles_in_float32(sign, base, expected, dtype):
    class Rotate(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return rotate(x, 1, 1e4, torch.float32)

        @staticmethod
        def backward(ctx, dy):
            return rotate(dy, sign, base, torch.float32)

    x = torch.randn(64, 8, generator=torch.Generator().manual_seed(0)).to(dtype)
    found, text = verdict(Rotate, None, lambda x: rotate(x, 1, 1e4, torch.float64), inputs=[x])
    assert found is expected, text


NEAR = (np.float32(0.7) + np.arange(-6, 6, dtype=np.float32).reshape(4, 3) * np.float32(2**-20)).astype(np.float32)
SEVEN = torch.tensor([0.7, 0.7, 0.7])


@pytest.mark.parametrize("constant", [0.7, SEVEN])
@pytest.mark.parametrize(("shift", "expected"), [(0, C), (7e-4, R)])
def test_a_constant_that_nearly_cancels_in_torch(constant, shift, expected):
    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return (x - constant) ** 2

        @staticmethod
        def backward(ctx, dy):
            (x,) = ctx.saved_tensors
            return dy * 2 * (x - constant - shift)

    found, text = verdict(Square, None, lambda x: (x - 0.7) ** 2, inputs=[torch.tensor(NEAR)])
    assert found is expected, text


# -- terms without dy that are added and taken away again


def there_and_back(dy, x):
    return (2 * dy + x) - x


class ThereAndBack(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return 2 * x

    @staticmethod
    def backward(ctx, dy):
        return there_and_back(dy, *ctx.saved_tensors)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("through", [lambda a: a, filled])
def test_what_is_added_and_taken_away_is_linear(through, dtype):
    x = RNG.normal(size=(5, 4)).astype(dtype)
    for backward, expected in (
        (there_and_back, C),
        (lambda dy, x: 2 * dy + x.dtype.type(1e-9), R),
        (lambda dy, x: 2 * dy + x.dtype.type(1e-17), R),
        (lambda dy, x: np.clip(2 * dy, -3, 3), R),
    ):
        found, text = verdict(lambda x: 2 * x, lambda dy, x, b=backward: through(b(dy, x)), lambda x: 2 * x, inputs=[x])
        assert found is expected, text


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_the_same_in_torch(dtype):
    x = torch.tensor(RNG.normal(size=(5, 4))).to(dtype)
    found, text = verdict(ThereAndBack, None, lambda x: 2 * x, inputs=[x])
    assert found is C, text


# -- selections: nothing is rounded, and a tie spoils the entries it touches


def largest(x):
    return x.max(1)


def at_the_largest(dy, x):
    dx = np.zeros_like(x)
    np.put_along_axis(dx, x.argmax(1)[:, None], dy[:, None], 1)
    return dx


def at_the_smallest(dy, x):
    return at_the_largest(dy, -x)


def shared_by_ties(dy, x):
    at = x == x.max(1, keepdims=True)
    return at / at.sum(1, keepdims=True) * dy[:, None]


SELECTIONS = {
    "amax": lambda x: torch.amax(x, 1),
    "max": lambda x: x.max(1).values,
    "aminmax": lambda x: torch.aminmax(x, dim=1).max,
    "sort": lambda x: torch.sort(x, 1).values[:, -1],
    "topk": lambda x: x.topk(1, 1).values[:, 0],
}


@pytest.mark.parametrize("reference", SELECTIONS.values(), ids=SELECTIONS)
def test_index_code_against_selections(reference):
    x = RNG.normal(size=(13, 7))
    try:
        reference(torch.tensor(x, requires_grad=True)).sum().backward()
    except RuntimeError as error:  # torch 2.11 has no derivative of aminmax
        pytest.skip(str(error))
    for backward, expected in ((at_the_largest, C), (at_the_smallest, R)):
        found, text = verdict(largest, backward, reference, inputs=[x])
        assert found is expected, text


def test_a_tie_spoils_the_entries_it_touches():
    x = RNG.normal(size=(13, 7))
    x[3, 2] = x[3, 5] = 4.0
    found, text = verdict(largest, shared_by_ties, SELECTIONS["amax"], inputs=[x])
    assert found is C, text
    report = verify_function(largest, at_the_largest, SELECTIONS["amax"], [x], seed=0)
    assert [t.outside for t in report.stages[0].isolated.tensors] == [0, 2], report.text()


def test_the_norm_of_the_largest_entry():
    def forward(x):
        return np.abs(x).max(1)

    def signed(dy, x):
        return np.sign(x) * at_the_largest(dy, np.abs(x))

    def unsigned(dy, x):
        return at_the_largest(dy, np.abs(x))

    for reference in (lambda x: torch.linalg.vector_norm(x, np.inf, 1), lambda x: x.abs().amax(1)):
        for backward, expected in ((signed, C), (unsigned, R)):
            found, text = verdict(forward, backward, reference, inputs=[RNG.normal(size=(13, 7))])
            assert found is expected, text


# -- code that computes in float32 inside


def narrow_tanh(x):
    return np.tanh(x.astype(np.float32)).astype(x.dtype)


def narrow_slope(dy, x):
    h = np.tanh(x).astype(np.float32)
    return (dy.astype(np.float32) * (1 - h * h)).astype(x.dtype)


def narrow_and_wrong(dy, x):
    h = np.tanh(x).astype(np.float32)
    return (dy.astype(np.float32) * (1 - h)).astype(x.dtype)


INSIDE = "it computes in float32 inside"


@pytest.mark.parametrize("forward", [np.tanh, narrow_tanh])
def test_float32_inside_is_named_on_float64_and_right_as_float32(forward):
    found, text = verdict(forward, narrow_slope, torch.tanh, inputs=[(6, 4)])
    assert found is R, text
    assert INSIDE in " ".join(text.split())
    found, text = verdict(forward, narrow_slope, torch.tanh, inputs=[(6, 4)], dtype="float32")
    assert found is C, text
    found, text = verdict(forward, narrow_and_wrong, torch.tanh, inputs=[(6, 4)], dtype="float32")
    assert found is R, text


def test_a_small_mistake_in_float64_is_not_called_float32():
    found, text = verdict(np.tanh, lambda dy, x: (1 + 1e-8) * dy * (1 - np.tanh(x) ** 2), torch.tanh, inputs=[(6, 4)])
    assert found is R
    assert INSIDE not in " ".join(text.split()), text


def test_a_sigmoid_written_with_tanh_loses_its_tail_and_is_told_so():
    x = np.array([[-90.0, 1.0, 0.5]])
    forward = lambda x: (0.5 + 0.5 * np.tanh(0.5 * x),) * 2  # noqa: E731
    report = verify_function(forward, lambda dy, s: dy * s * (1 - s), torch.sigmoid, [x], seed=0)
    assert report.verdict is Verdict.UNRESOLVED
    assert "no digit of" in report.text(width=10_000)


def test_a_constant_exponent_may_be_off_by_half_a_unit():
    a = (np.random.default_rng(0).uniform(0.5, 1, size=(4, 3)) * 1e-10).astype(np.float32)

    def norm(exponent):
        def forward(a):
            s = np.sum(a**3, axis=1)
            return s**exponent, (a, s)

        return forward

    def back(dy, cache):
        a, s = cache
        return (dy * s ** (-2 / 3))[:, None] * a**2

    right = lambda a: (a**3).sum(1) ** (1 / 3)  # noqa: E731
    assert verify_function(norm(1 / 3), back, right, [a], seed=0).verdict is Verdict.CERTIFIED
    assert verify_function(norm(0.3333), back, right, [a], seed=0).verdict is Verdict.REFUTED


def test_a_reference_that_floors_is_not_moved_over_a_whole_number():
    q = np.array([1.0625, 2.25, 0.5, 3.75])

    def forward(v, q):
        i = np.floor(q).astype(int)
        f = q - i
        return (1 - f) * v[i] + f * v[i + 1], (v, i, f)

    def back(dy, cache, exchanged=False):
        v, i, f = cache
        dv = np.zeros_like(v)
        np.add.at(dv, i, dy * (f if exchanged else 1 - f))
        np.add.at(dv, i + 1, dy * f)
        return dv, dy * (v[i + 1] - v[i])

    def reference(v, q):
        i = q.detach().floor().long()
        return (1 - (q - i)) * v[i] + (q - i) * v[i + 1]

    v = np.random.default_rng(0).normal(size=5)
    assert verify_function(forward, back, reference, [v, q], seed=0).verdict is Verdict.CERTIFIED
    wrong = verify_function(forward, lambda dy, c: back(dy, c, True), reference, [v, q], seed=0)
    assert wrong.verdict is Verdict.REFUTED


def test_a_zero_of_the_size_of_the_upstream_gradient_is_no_lost_digit():
    """At -90 the value is lost to rounding, at 90 the gradient is a plain mistake."""
    x = np.array([[-90.0, 90.0, 0.5]])

    def forward(x):
        y = np.zeros_like(x)
        y[:] = x * (0.5 + 0.5 * np.tanh(0.5 * x))
        return y, x

    def back(dy, x, wrong=True):
        s = 0.5 + 0.5 * np.tanh(0.5 * x)
        return dy * (s + x * s * (1 - s)) * ((x < 80) if wrong else 1)

    silu = torch.nn.functional.silu
    assert verify_function(forward, back, silu, [x], seed=0).verdict is Verdict.REFUTED
    assert verify_function(forward, lambda dy, x: back(dy, x, False), silu, [x], seed=0).verdict is Verdict.UNRESOLVED


class Sum(torch.autograd.Function):
    """Of bfloat16 numbers, in float32 inside and rounded once."""

    factor = 1.0

    @staticmethod
    def forward(ctx, x):
        ctx.shape = x.shape
        return x.float().sum().to(x.dtype)

    @classmethod
    def backward(cls, ctx, dy):
        return (dy * cls.factor).expand(ctx.shape)


class HalfAsMuchAgain(Sum):
    factor = 1.5


@pytest.mark.parametrize(("function", "expected"), [(Sum, Verdict.CERTIFIED), (HalfAsMuchAgain, Verdict.REFUTED)])
@pytest.mark.parametrize("n", [1, 8192])
def test_a_long_sum_rounded_once(function, expected, n):
    """y is small beside the 8,192 numbers of either sign. A single one expanded has stride 0 and no copy."""
    x = torch.as_tensor(np.random.default_rng(n).normal(size=n), dtype=torch.bfloat16)
    report = verify_function(function, None, torch.sum, [x], seed=1)
    assert report.verdict is expected, report.text()
    if expected is Verdict.CERTIFIED:
        assert "precision: correctly rounded" in " ".join(report.text(verbose=True).split())


AT = [0, 0, 1, 0, 0]


def gather_in_torch(kept):
    def backward(dy, x):
        at = torch.tensor(AT)[:kept]
        return torch.zeros_like(x).index_add_(0, at, dy[:kept])

    return (lambda x: (x[torch.tensor(AT)], x)), backward


def gather_in_numpy(kept):
    def backward(dy, x):
        dx = np.zeros_like(x)
        np.add.at(dx, AT[:kept], dy[:kept])
        return dx

    return (lambda x: (x[AT], x)), backward


@pytest.mark.parametrize(("kept", "expected"), [(5, Verdict.CERTIFIED), (4, Verdict.REFUTED)])
@pytest.mark.parametrize("gather", [gather_in_torch, gather_in_numpy])
def test_terms_that_cancel_where_they_are_added_at_one_place(gather, kept, expected):
    """What is left of four numbers near 1000 is 1e-3, and each addition rounds by 3e-5."""
    code = Code(*gather(kept), ("x",))
    reference = Reference(lambda x: x[torch.tensor(AT)], code.names, {})
    model = torch.ones(1) if gather is gather_in_torch else np.ones(1, np.float32)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        dy = rng.uniform(500, 1500, size=(5, 1)).astype(np.float32).astype(float)
        dy[4] = 1e-3 - dy[0] - dy[1] - dy[3]
        x = {"x": like(rng.normal(size=(2, 1)), model)}
        found = try_case(code, reference, Case("given", x, Kind.GIVEN), rng, 1.0, like(dy, model)).judgement
        assert found is not None
        assert found.verdict is expected


def log_loss(slip):
    """Cross-entropy of a sigmoid, with 1e-7 inside both logarithms; slip: what the backward pass does wrong."""
    e = 1e-7

    def forward(z, t):
        p = 1 / (1 + np.exp(-z))
        return -np.mean(t * np.log(p + e) + (1 - t) * np.log(1 - p + e)), (p, t)

    def backward(dy, cache):
        p, t = cache
        dp = -(t / (p + e) - (1 - t) / (1 - p + e)) / p.size
        dz = p - t if slip == "as if nothing were added" else p.size * dp * p * (1 - p)
        saturated = (p == 0) | (p == 1)
        return dy * np.where(saturated, 1.0 if slip == "one where p is 0 or 1" else 0.0, dz / p.size), None

    def reference(z, t):
        p, t = torch.sigmoid(z), t.detach()
        return -(t * torch.log(p + e) + (1 - t) * torch.log(1 - p + e)).mean()

    return forward, backward, reference


def at_saturated_inputs(slip, dtype, kind):
    """The one case alone: its row and its notes."""
    forward, backward, reference = log_loss(slip)
    code, rng = Code(forward, backward, ("z", "t")), np.random.default_rng(0)
    z = rng.choice((-1, 1), size=(4, 3)) * rng.uniform(20, 800, size=(4, 3))
    inputs = {n: like(a, np.zeros(1, dtype)) for n, a in {"z": z, "t": rng.normal(size=(4, 3))}.items()}
    found = try_case(code, Reference(reference, code.names, {}), Case("saturated", inputs, kind), rng, 1.0)
    return found.row.isolated.verdict, [n for n in found.notes if "without a finite bound" in n]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_special_case_in_which_no_bound_is_finite_says_nothing(dtype):
    """In float32 rounding may carry p above 1 + 1e-7, whose logarithm there is none of."""
    verdict, left_out = at_saturated_inputs(None, dtype, Kind.SPECIAL)
    assert verdict is Verdict.CERTIFIED
    assert [n.split(",")[0] for n in left_out] == (["saturated: y: not judged"] if dtype == "float32" else [])
    assert at_saturated_inputs(None, dtype, Kind.GIVEN)[0] is (
        Verdict.UNRESOLVED if dtype == "float32" else Verdict.CERTIFIED
    )


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("slip", ["as if nothing were added", "one where p is 0 or 1"])
def test_what_is_wrong_in_such_a_case_is_refuted(slip, dtype):
    assert at_saturated_inputs(slip, dtype, Kind.SPECIAL)[0] is Verdict.REFUTED
