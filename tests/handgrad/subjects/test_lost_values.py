"""Values that rounding loses at special draws: right code is not refuted for them, and nothing else hides behind."""

import numpy as np
import pytest
import torch

from handgrad import Verdict, verify_function
from handgrad.subjects.function.calling import Code
from handgrad.subjects.function.case import Case, Kind, try_case
from handgrad.subjects.function.reference import Reference


def softplus(z):
    """log(1 + e^z), which is exactly 0 below -37."""
    e = np.exp(-np.abs(z))
    return np.maximum(z, 0) + np.log(1 + e), z


def softplus_back(dy, z):
    return dy * (0.5 + 0.5 * np.tanh(z / 2))


def without_the_tail(dy, z):
    """The derivative cut off where it is not small."""
    return dy * np.where(z < -3, 0, 0.5 + 0.5 * np.tanh(z / 2))


@pytest.mark.parametrize(("back", "verdict"), [(softplus_back, "CERTIFIED"), (without_the_tail, "REFUTED")])
def test_one_entry_that_is_lost_beside_its_inputs(back, verdict):
    """y has a single entry, 0 for 1e-20 at z = -46: no larger one stands beside it, but z is larger."""
    for seed in range(3):
        report = verify_function(softplus, back, torch.nn.functional.softplus, [(1, 1)], seed=seed)
        assert report.verdict.value == verdict, report.text()


def norm4(x):
    y = (x**4).sum(1) ** 0.25
    return y, (x, y)


def norm4_back(dy, cache):
    x, y = cache
    return dy[:, None] * x**3 / y[:, None] ** 3


def without_the_power(dy, cache):
    x, y = cache
    return dy[:, None] * x**3 / y[:, None] ** 2


@pytest.mark.parametrize(("back", "verdict"), [(norm4_back, "CERTIFIED"), (without_the_power, "REFUTED")])
def test_powers_that_underflow_in_float32_where_torch_s_do(back, verdict):
    reference = lambda x: (x**4).sum(1) ** 0.25  # noqa: E731
    for seed in range(3):
        report = verify_function(norm4, back, reference, [(4, 3)], seed=seed, dtype="float32")
        assert report.verdict.value == verdict, report.text()


def rms_norm(inside):
    class RMSNorm(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, w):
            r = torch.rsqrt(x.float().square().mean(-1, keepdim=True) + 1e-6)
            ctx.save_for_backward(x, w, r)
            return (x.float() * r * w.float()).to(x.dtype)

        @staticmethod
        def backward(ctx, dy):
            x, w, r = ctx.saved_tensors
            v, d = inside(x), inside(dy)
            g = d * w.float()
            dx = r * (g - v * r * r * (g * v).mean(-1, keepdim=True))
            return dx.to(dy.dtype), (d * v * r).sum(0).to(dy.dtype)

    return RMSNorm


@pytest.mark.parametrize(("inside", "verdict"), [(torch.Tensor.float, "CERTIFIED"), (lambda a: a, "REFUTED")])
def test_a_product_that_overflows_float16_where_torch_does_not(inside, verdict):
    reference = lambda x, w: torch.nn.functional.rms_norm(x, w.shape, w, 1e-6)  # noqa: E731
    report = verify_function(rms_norm(inside), None, reference, [(4, 6), (6,)], seed=1, dtype="float16")
    assert report.verdict.value == verdict, report.text()


def two_layers(mask):
    def forward(x, W1, W2):
        h = torch.relu(x @ W1)
        return h @ W2, (x, W1, W2, h)

    def backward(dy, cache):
        x, W1, W2, h = cache
        dh = (dy @ W2.T) * mask(h)
        return dh @ W1.T, x.T @ dh, h.T @ dy

    return forward, backward


@pytest.mark.parametrize(("mask", "judged"), [(lambda h: h > 0, False), (lambda h: h < 9, True)])
@pytest.mark.parametrize("size", [20, 30000])
def test_a_unit_that_float16_switches_off_by_overflow(mask, judged, size):
    """At 30000 x W1 is -inf, so that h and y are 0; inf times the mask is nan, where torch's own mask gives 0."""
    x, W1, W2 = (torch.full(shape, size, dtype=torch.float16) for shape in ((1, 2), (2, 3), (3, 2)))
    code = Code(*two_layers(mask), ("x", "W1", "W2"))
    reference = Reference(lambda x, W1, W2: torch.relu(x @ W1) @ W2, code.names, {})
    case = Case("large", {"x": x, "W1": -W1, "W2": W2}, Kind.MAGNITUDES)
    dy = torch.tensor([[3.1, 2.7]], dtype=torch.float16)
    tried = try_case(code, reference, case, np.random.default_rng(1), 1.0, dy)
    wrong = tried.judgement is not None and tried.judgement.verdict is Verdict.REFUTED
    assert wrong == (judged and size == 20), tried.notes
    assert (tried.judgement is None) == (size == 30000)


@pytest.mark.parametrize(("size", "verdict"), [(20, "REFUTED"), (120, None)])
def test_scores_that_overflow_float16_by_their_sum(size, verdict):
    """120^2 does not, eight of them do, and the softmax of inf is nan. torch scales q and k before."""
    attend = lambda q, k, v: torch.softmax(q @ k.mT / 8**0.5, -1) @ v  # noqa: E731
    code = Code(lambda *qkv: (attend(*qkv), None), lambda dy, _: (dy, dy, dy), ("q", "k", "v"))
    reference = Reference(torch.nn.functional.scaled_dot_product_attention, code.names, {})
    q = torch.full((2, 8), size, dtype=torch.float16)
    case = Case("large", {"q": q, "k": q.clone(), "v": q.clone()}, Kind.MAGNITUDES)
    tried = try_case(code, reference, case, np.random.default_rng(1), 1.0, torch.ones((2, 8), dtype=torch.float16))
    assert (tried.judgement and tried.judgement.verdict.value) == verdict, tried.notes


def layer_norm(projection):
    def forward(x, w):
        c = x - x.mean(-1, keepdim=True)
        r = torch.rsqrt(c.square().mean(-1, keepdim=True) + 1e-5)
        return c * r * w, (c * r, r, w)

    def backward(dy, cache):
        h, r, w = cache
        g = dy * w
        return r * (g - g.mean(-1, keepdim=True) - projection(g, h)), (dy * h).sum(0)

    return forward, backward


@pytest.mark.parametrize(
    ("projection", "right"),
    [(lambda g, h: h * (g * h).mean(-1, keepdim=True), True), (lambda g, h: h * (g + h).mean(-1, keepdim=True), False)],
)
@pytest.mark.parametrize(("size", "judged"), [(20, True), (40000, False)])
def test_a_gradient_that_nearly_overflows_float16(projection, right, size, judged):
    """dy w overflows, and dx is nan; torch's kernel has float32 inside. For two units dx is nearly zero as well."""
    for n in (2, 3):
        code = Code(*layer_norm(projection), ("x", "w"))
        reference = Reference(lambda x, w: torch.nn.functional.layer_norm(x, w.shape, w), code.names, {})
        x = torch.tensor([[-1.0, 1.5, 0.25]], dtype=torch.float16)[:, :n]
        case = Case("w alone", {"x": x, "w": torch.full((n,), size, dtype=torch.float16)}, Kind.MAGNITUDES)
        dy = torch.tensor([[2.0, -1.75, 1.0]], dtype=torch.float16)[:, :n]
        found = try_case(code, reference, case, np.random.default_rng(1), 1.0, dy).judgement
        assert (found is not None) == judged
        if found is not None:
            assert (found.verdict is Verdict.REFUTED) == (not right)


def gate(slope):
    """s tanh(c) with s = 1 / (1 + e^-z). 1 - t^2 is 0 from c = 19 on, where 1e-16 and far less is right."""

    def forward(z, c):
        s, t = 1 / (1 + np.exp(-z)), np.hstack([np.tanh(c)])
        return s * t, (s, t)

    def backward(dh, cache):
        s, t = cache
        return dh * t * s * (1 - s), dh * s * slope(t)

    return forward, backward


@pytest.mark.parametrize(("slope", "verdict"), [(lambda t: 1 - t * t, "CERTIFIED"), (lambda t: 1 - t, "REFUTED")])
def test_a_gate_so_full_that_its_slope_is_lost(slope, verdict):
    """One entry alone, so no larger one stands beside it; this reference keeps the digits of 1 - t^2 where c > 0."""
    reference = lambda z, c: torch.sigmoid(z) * (1 - 2 * torch.sigmoid(-2 * c))  # noqa: E731
    for seed in range(3):
        report = verify_function(*gate(slope), reference, [(1, 1), (1, 1)], seed=seed)
        assert report.verdict.value == verdict, report.text()


def exponential(returned):
    kept = {}

    def backward(dy, y):
        buffer = kept.setdefault(y.shape, np.zeros_like(y))
        return returned(np.multiply(dy, y, out=buffer))

    return lambda x: (np.exp(x),) * 2, backward


def test_a_result_that_the_next_run_overwrites():
    right = verify_function(*exponential(np.copy), torch.exp, [(4, 3)], seed=0)
    assert right.verdict is Verdict.CERTIFIED
    wrong = verify_function(*exponential(lambda a: a), torch.exp, [(4, 3)], seed=0)
    assert (wrong.gradients, wrong.broken) == (Verdict.CERTIFIED, ("writes into what it returned before",))
