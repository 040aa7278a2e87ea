"""float16: what is beyond its largest number, what NumPy sums, and what only a wider precision holds."""

import numpy as np
import pytest
import torch

import manual
from handgrad import verify_function
from handgrad.judge.contracts import check_contracts
from handgrad.judge.promises import Promise
from handgrad.judge.trial import Trial
from handgrad.judge.verdict import Verdict
from handgrad.subjects.network.stages import loss_stage

X = torch.tensor([3.0, -2.0, 1.5], dtype=torch.float16)
W = torch.tensor([1e-4, 2e-4, -1e-4], dtype=torch.float16)


def dot(change):
    """6e4 x . w, whose dw is beyond 65504 and therefore infinite."""

    class Dot(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, w):
            ctx.save_for_backward(x, w)
            return (x.float() * w.float() * 6e4).sum().to(x.dtype)

        @staticmethod
        def backward(ctx, dy):
            x, w = ctx.saved_tensors
            d = dy.float() * 6e4
            return (d * w.float()).to(x.dtype), change((d * x.float()).to(x.dtype))

    return Dot


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        (lambda dw: dw, Verdict.CERTIFIED),
        (lambda dw: -dw, Verdict.REFUTED),
        (lambda dw: torch.clamp(dw, -6e4, 6e4), Verdict.REFUTED),
        (torch.abs, Verdict.REFUTED),
    ],
)
def test_infinity_is_right_beyond_the_largest_number(change, verdict):
    report = verify_function(dot(change), reference=lambda x, w: (x * w * 6e4).sum(), inputs=[X, W], seed=0)
    assert report.verdict is verdict, report.text()


def test_numpy_float16_is_refused():
    with pytest.raises(TypeError, match="float16"):
        verify_function(np.tanh, lambda dy, x: dy * (1 - np.tanh(x) ** 2), torch.tanh, [np.ones(3, np.float16)])


@pytest.mark.parametrize("factor", [1.0, 0.9])
def test_what_is_right_in_float64_alone_says_so(factor):
    big = torch.tensor([300.0, 100.0, -280.0], dtype=torch.float16)
    report = verify_function(lambda x: x * x * 1e-3 * factor, reference=lambda x: x * x * 1e-3, inputs=[big], seed=0)
    assert report.verdict is Verdict.REFUTED
    said = "right in float64, overflows in float16 (largest number 65504)" in " ".join(report.text().split())
    assert said == (factor == 1), report.text()


def softplus_slope(limit, factor):
    def back(dy, x):
        with np.errstate(all="ignore"):
            e = np.exp(x)
            return factor * np.where(x > limit, dy, dy * np.nan_to_num(e * (1 / (e + 1)), nan=0.0))

    return back


@pytest.mark.parametrize(("factor", "said"), [(1, True), (2, False)])
def test_what_is_wrong_in_float32_alone_says_so(factor, said):
    x = np.array([-3, 0.5, 2, 60, 85, 90, 95, 99], np.float32)
    report = verify_function(
        lambda x: np.logaddexp(x, 0),
        softplus_slope(100, factor),
        lambda x: torch.logaddexp(x, torch.zeros((), dtype=x.dtype)),
        [x],
        seed=0,
    )
    assert report.verdict is Verdict.REFUTED
    assert ("right in float64, wrong in float32" in report.text(width=10_000)) == said, report.text()


@pytest.mark.parametrize("loss", [manual.SoftmaxCrossEntropy(), manual.BinaryCrossEntropy(), manual.HalfSquaredError()])
def test_the_losses_are_linear_though_their_gradients_are_subnormal(loss):
    rng = np.random.default_rng(3)
    x = torch.tensor(rng.normal(size=(400, 9))).half()
    t = torch.tensor(np.eye(9)[rng.integers(9, size=400)]).half()
    for dy in (0.7, 0.013, 1.3e-3):
        trial = Trial(loss_stage("E", loss, t), {"x": x}, torch.tensor(dy).half())
        kept = {c.name: c for c in check_contracts(trial, np.random.default_rng(0))}
        assert kept[Promise.LINEAR].held, kept[Promise.LINEAR].detail


def test_a_loss_that_is_not_linear_is_not_excused():
    x = torch.tensor(np.random.default_rng(3).normal(size=(40, 9))).half()
    loss = manual.HalfSquaredError()
    stage = loss_stage("E", loss, torch.zeros_like(x))
    halves = stage.halves

    def hand(inputs, dy):
        y, cache = halves.forward(inputs)
        return {"y": y, "dx": halves.backward(cache, inputs, dy)["dx"] * (1 + 0.1 * dy)}

    trial = Trial(type(stage)("E", hand, stage.reference, loss, None, None), {"x": x}, torch.tensor(0.7).half())
    kept = {c.name: c for c in check_contracts(trial, np.random.default_rng(0))}
    assert kept[Promise.LINEAR].held is False
