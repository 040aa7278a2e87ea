"""What rounding does to the code itself is measured by rounding: what does not move has no excuse."""

import numpy as np
import pytest
import torch

from handgrad import verify_function
from handgrad.judge.verdict import Verdict


def softplus(x):
    return np.logaddexp(x, 0)


def softplus_torch(x):
    return torch.logaddexp(x, torch.zeros((), dtype=x.dtype))


def slope(limit):
    """The derivative of softplus, with a formula that overflows below the limit from which dy is returned."""

    def back(dy, x):
        with np.errstate(all="ignore"):
            e = np.exp(x)
            return np.where(x > limit, dy, dy * np.nan_to_num(e * (1 / (e + 1)), nan=0.0))

    return back


def slope_right(dy, x):
    return dy / (1 + np.exp(-x))


BIG = np.array([-3, 0.5, 2, 60, 85, 90, 95, 99], np.float32)


def test_an_overflow_of_the_code_is_refuted_by_shapes():
    assert verify_function(softplus, slope(1000), softplus_torch, [(8, 9)], seed=0).verdict is Verdict.REFUTED
    assert verify_function(softplus, slope_right, softplus_torch, [(8, 9)], seed=0).verdict is Verdict.CERTIFIED


def test_an_overflow_in_float32_is_refuted():
    assert verify_function(softplus, slope(100), softplus_torch, [BIG], seed=0).verdict is Verdict.REFUTED
    assert verify_function(softplus, slope_right, softplus_torch, [BIG], seed=0).verdict is Verdict.CERTIFIED


class Overflows(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.logaddexp(x, torch.zeros((), dtype=x.dtype))

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        e = torch.exp(x)
        return torch.where(x > 100, dy, dy * torch.nan_to_num(e * (1 / (e + 1)), nan=0.0))


class Steady(Overflows):
    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        return dy * torch.sigmoid(x)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("function", "verdict"), [(Overflows, Verdict.REFUTED), (Steady, Verdict.CERTIFIED)])
def test_an_overflow_of_a_torch_function(dtype, function, verdict):
    report = verify_function(function, reference=softplus_torch, inputs=[torch.as_tensor(BIG).to(dtype)], seed=0)
    assert report.verdict is verdict, report.text()


def times(wrong_in, part):
    """x * w, with a sign in dw that is wrong in some precisions only."""

    class Times(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, w):
            ctx.save_for_backward(x, w)
            return x * w

        @staticmethod
        def backward(ctx, dy):
            x, w = ctx.saved_tensors
            dw = (dy * x).sum(0)
            if x.dtype in wrong_in:
                dw[part:] *= -1
            return dy * w, dw

    return Times


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("part", [0, 8])
def test_what_is_wrong_in_one_precision_only(dtype, part):
    g = torch.Generator().manual_seed(0)
    inputs = [torch.randn(6, 10, generator=g).to(dtype), torch.randn(10, generator=g).to(dtype)]
    wrong = verify_function(times([dtype], part), reference=torch.mul, inputs=inputs, seed=0)
    assert wrong.verdict is Verdict.REFUTED, wrong.text()
    right = verify_function(times([], part), reference=torch.mul, inputs=inputs, seed=0)
    assert right.verdict is Verdict.CERTIFIED, right.text()


def times_numpy(sign):
    def back(dy, cache):
        x, w = cache
        dw = np.zeros(w.shape, w.dtype)
        for i in range(len(w)):
            dw[i] = (dy[:, i] * x[:, i]).sum()
        if x.dtype == np.float32:
            dw[8:] *= sign
        return dy * w, dw

    return back


def test_what_is_wrong_in_numpy_float32_only():
    rng = np.random.default_rng(0)
    inputs = [rng.normal(size=(6, 10)).astype(np.float32), rng.normal(size=10).astype(np.float32)]

    def forward(x, w):
        return x * w, (x, w)

    assert verify_function(forward, times_numpy(-1), torch.mul, inputs, seed=0).verdict is Verdict.REFUTED
    assert verify_function(forward, times_numpy(1), torch.mul, inputs, seed=0).verdict is Verdict.CERTIFIED


def elu(x):
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


def test_an_elu_that_takes_exp_of_positive_inputs():
    x = np.array([-2.0, -0.5, 0.25, 3.0, 1e3, -1e3])

    def wrong(dy, x):
        with np.errstate(all="ignore"):
            return dy * ((x > 0) + (x <= 0) * np.exp(x))

    def right(dy, x):
        return dy * np.where(x > 0, 1, np.exp(np.minimum(x, 0)))

    assert verify_function(elu, wrong, torch.nn.functional.elu, [x], seed=0).verdict is Verdict.REFUTED
    assert verify_function(elu, right, torch.nn.functional.elu, [x], seed=0).verdict is Verdict.CERTIFIED


def test_half_precision_that_overflows_inside():
    x = torch.tensor([[400.0, -380, 410, 395], [390.0, 405, -400, 402]], dtype=torch.float16)

    def norm(x, scale=1.0):
        z = x * scale
        return z * torch.rsqrt((z * z).mean(1, keepdim=True)).to(x.dtype)

    def double(x):
        return x * torch.rsqrt((x * x).mean(1, keepdim=True))

    def wide(x):
        z = x.float()
        return (z * torch.rsqrt((z * z).mean(1, keepdim=True))).to(x.dtype)

    assert verify_function(norm, reference=double, inputs=[x], seed=0).verdict is Verdict.REFUTED
    assert verify_function(wide, reference=double, inputs=[x], seed=0).verdict is Verdict.CERTIFIED


NO_DIGIT = "no digit"


def test_a_difference_quotient_in_float32_is_not_certified():
    x = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)

    def quotient(dy, x):
        h = np.float32(1e-7)
        return dy * ((np.tanh(x + h) - np.tanh(x)) / h)

    report = verify_function(np.tanh, quotient, torch.tanh, [x], seed=0)
    assert report.verdict is not Verdict.CERTIFIED, report.text()


def test_a_formula_without_a_digit_left_is_unresolved():
    x = np.random.default_rng(0).uniform(-18, -10, size=(5, 4)).astype(np.float32)

    def cancels(x):
        return -np.log(1 / (1 + np.exp(x)))

    report = verify_function(cancels, slope_right, softplus_torch, [x], seed=0)
    assert report.verdict is Verdict.UNRESOLVED, report.text()
    assert NO_DIGIT in report.text(width=10_000)
    assert verify_function(softplus, slope_right, softplus_torch, [x], seed=0).verdict is Verdict.CERTIFIED


def test_a_right_formula_that_cancels_in_float64_passes():
    x = np.full(50, 12.0) + np.random.default_rng(0).normal(size=50)

    def forward(x):
        y = np.zeros_like(x)
        y[:] = np.tanh(x)
        return y, y

    def cancels(dy, y):
        return dy * (1 - y * y)

    assert verify_function(forward, cancels, torch.tanh, [x], seed=0).verdict is Verdict.CERTIFIED
