"""Inputs of several precisions, as kernels take them: bfloat16 activations with float32 weights."""

import numpy as np
import torch

from handgrad import Verdict, verify_function

RNG = np.random.default_rng(0)
X, W = torch.tensor(RNG.normal(size=(8, 6))), torch.tensor(RNG.uniform(0.5, 2, size=6))


def judged(*args, **kwargs):
    return verify_function(*args, seed=7, mend=0, **kwargs)


def rms_norm(x, w):
    return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-6) * w


class RMSNorm(torch.autograd.Function):
    """Computes in float32, gives y and dx in x's precision and dw in w's."""

    factor = 1.0
    between = torch.float32

    @classmethod
    def run_forward(cls, ctx, x, w):
        ctx.save_for_backward(x, w)
        return rms_norm(x.float(), w.float()).to(x.dtype)

    @staticmethod
    def forward(ctx, x, w):
        return RMSNorm.run_forward(ctx, x, w)

    @classmethod
    def gradients(cls, ctx, dy):
        x, w = ctx.saved_tensors
        z, dz = x.float(), dy.float() * w.float()
        r = torch.rsqrt((z * z).mean(-1, keepdim=True) + 1e-6)
        normed = (z * r).to(cls.between)
        dw = (dy.float() * normed.float()).sum(0) * cls.factor
        dx = r * (dz - normed.float() * (normed.float() * dz).mean(-1, keepdim=True))
        return dx.to(x.dtype), dw.to(w.dtype)

    @staticmethod
    def backward(ctx, dy):
        return RMSNorm.gradients(ctx, dy)


def variant(**attributes):
    made = type("Variant", (RMSNorm,), attributes)
    made.backward = staticmethod(made.gradients)
    return made


def test_activations_in_bfloat16_and_weights_in_float32():
    inputs = [X.bfloat16(), W.float()]
    report = judged(RMSNorm, None, rms_norm, inputs, precision="float32 inside, rounded once")
    assert report.verdict is Verdict.CERTIFIED, report.text()
    assert report.dtype == "bfloat16 and float32"
    assert any("as float32 inside, rounded once" in note or "correctly rounded" in note for note in report.notes)
    wrong = judged(variant(factor=1.05), None, rms_norm, inputs)
    assert wrong.verdict is Verdict.REFUTED


def test_what_rounds_to_bfloat16_between_is_told_by_the_float32_gradient():
    """dw comes in float32, so its own last digits show what was rounded on the way."""
    coarse, inputs = variant(between=torch.bfloat16), [X.bfloat16(), W.float()]
    assert judged(coarse, None, rms_norm, inputs).verdict is not Verdict.REFUTED
    report = judged(coarse, None, rms_norm, inputs, precision="float32 inside, rounded once")
    tensors = {t.name: t for t in report.stages[0].isolated.tensors}
    assert tensors["dw"].verdict is Verdict.REFUTED
    assert "rounds to bfloat16 between operations" in tensors["dw"].reason


def test_a_small_mistake_in_the_float32_gradient_is_not_excused_by_bfloat16():
    report = judged(variant(factor=1.004), None, rms_norm, [X.bfloat16(), W.float()])
    assert report.verdict is not Verdict.CERTIFIED


def test_float16_activations():
    inputs = [X.half(), W.float()]
    assert judged(RMSNorm, None, rms_norm, inputs).verdict is Verdict.CERTIFIED
    assert judged(variant(factor=1.05), None, rms_norm, inputs).verdict is Verdict.REFUTED


def test_numpy_code_with_two_precisions():
    forward = lambda x, w: (x * w, (x, w))  # noqa: E731
    right = lambda dy, c: ((dy * c[1]).astype(c[0].dtype), (dy * c[0]).sum(0))  # noqa: E731
    wrong = lambda dy, c: ((dy * c[1]).astype(c[0].dtype), (dy * c[0]).mean(0))  # noqa: E731
    inputs = [X.float().numpy(), W.numpy()]
    assert judged(forward, right, lambda x, w: x * w, inputs).verdict is Verdict.CERTIFIED
    assert judged(forward, wrong, lambda x, w: x * w, inputs).verdict is Verdict.REFUTED


def test_results_of_two_precisions():
    """y in bfloat16 and the statistic beside it in float32, each judged as what it is."""

    class WithStatistic(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, w):
            total = x.float().sum(-1)
            ctx.save_for_backward(x, w)
            return (x.float() * w).to(x.dtype), total * ctx_factor[0]

        @staticmethod
        def backward(ctx, dy, dtotal):
            x, w = ctx.saved_tensors
            assert (dy.dtype, dtotal.dtype) == (torch.bfloat16, torch.float32)
            return (dy.float() * w + dtotal[:, None]).to(x.dtype), (dy.float() * x.float()).sum(0)

    ctx_factor = [1.0]
    reference = lambda x, w: (x * w, x.sum(-1))  # noqa: E731
    inputs = [X.bfloat16(), W.float()]
    report = judged(WithStatistic, None, reference, inputs)
    assert report.verdict is Verdict.CERTIFIED, report.text()
    ctx_factor[0] = 1 + 2**-9  # half a unit in the last place of bfloat16
    assert judged(WithStatistic, None, reference, inputs).verdict is not Verdict.CERTIFIED
