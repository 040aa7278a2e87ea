"""Code that torch does not see into, as a kernel: more sizes, and nothing that could make one write past its memory.

NumPy inside a torch.autograd.Function stands for the kernel.
"""

import numpy as np
import pytest
import torch

from handgrad import Verdict, verify_function
from handgrad.judge.constants import BLOCK_EDGES

SHAPE = (6, 4)


def function(wrong_at, opaque=True):
    """x -> tanh x, its gradient without the last lane where `wrong_at(shape)`, and the shapes it was called with."""
    called = []

    class Tanh(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            called.append(tuple(x.shape))
            h = torch.from_numpy(np.tanh(x.detach().numpy())) if opaque else torch.tanh(x)
            ctx.save_for_backward(h)
            return h

        @staticmethod
        def backward(ctx, dh):
            (h,) = ctx.saved_tensors
            dz = torch.from_numpy(dh.numpy() * (1 - h.numpy() ** 2)) if opaque else dh * (1 - h * h)
            dz[..., -1] *= not wrong_at(tuple(h.shape))
            return dz

    return Tanh, called


def judged(code, **more):
    return verify_function(code, None, torch.tanh, [SHAPE], seed=3, dtype="float32", **more)


def never(shape):
    return False


@pytest.mark.parametrize(("size", "axis"), [(n, i % 2) for i, n in enumerate(BLOCK_EDGES)])
def test_the_edges_of_blocks_are_tried(size, axis):
    code, _ = function(lambda shape: shape[axis] == size)
    report = judged(code)
    assert report.verdict is Verdict.REFUTED
    assert "right at the sizes given only" in report.text(width=10_000)


def test_right_opaque_code_is_certified_at_them():
    report = judged(function(never)[0])
    assert report.verdict is Verdict.CERTIFIED, report.text()
    assert f"{2 * len(BLOCK_EDGES)} block edges compared, the most different judged" in report.notes


def test_code_that_torch_sees_into_has_the_usual_sizes():
    code, called = function(never, opaque=False)
    assert judged(code).verdict is Verdict.CERTIFIED
    assert not {n for shape in called for n in shape} & {31, 33, 127, 129}


@pytest.mark.parametrize("opaque", [True, False])
def test_opaque_code_is_called_at_the_ranks_given_only(opaque):
    """A kernel that takes (2, N, K) beside (N, K) without a word writes past the end of the second."""
    code, called = function(never, opaque)
    judged(code)
    assert {len(shape) for shape in called} == ({2} if opaque else {2, 3})


@pytest.mark.mends
@pytest.mark.parametrize("opaque", [True, False])
def test_no_change_is_looked_for_in_opaque_code(opaque):
    code, _ = function(lambda shape: True, opaque)
    report = judged(code, mend=5)
    assert report.verdict is Verdict.REFUTED
    assert any(note.startswith("no change is looked for where a kernel is launched") for note in report.notes) is opaque


@pytest.mark.parametrize(("factor", "verdict"), [(2, Verdict.CERTIFIED), (3, Verdict.REFUTED)])
def test_a_loss_beside_what_was_not_asked_for(factor, verdict):
    """As kernels return it: a loss, and None for each statistic that nobody wants."""

    class Loss(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return (x * x).sum(), None, None

        @staticmethod
        def backward(ctx, dE, *rest):
            return factor * ctx.saved_tensors[0] * dE

    report = verify_function(Loss, None, lambda x: ((x * x).sum(), None, None), [(3, 4)], seed=0)
    assert report.verdict is verdict


class Leaky(torch.autograd.Function):
    """Its wrong backward pass rounds nothing, and is no kernel."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.where(x > 0, x, 0.2 * x)

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        return torch.where(x > 0, dy, 0.3)


class LeakyInBuffer(Leaky):
    """The same, written into memory that torch has given, or passed on from there."""

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        dx = torch.empty_like(dy)
        dx.numpy()[...] = np.where(x.detach() > 0, dy, 0.3)
        return dx


class LeakyFromBuffer(Leaky):
    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        dx = torch.zeros_like(dy)
        dx.numpy()[...] = np.where(x.detach() > 0, dy, 0.3)
        return torch.where(x > 0, dx, dx.view(-1)[0]).reshape(dy.shape)


@pytest.mark.parametrize(("code", "opaque"), [(Leaky, False), (LeakyInBuffer, True), (LeakyFromBuffer, True)])
def test_what_rounds_nothing_is_no_kernel_for_that(code, opaque):
    report = verify_function(code, None, inputs=[SHAPE], seed=3)
    assert report.verdict is Verdict.REFUTED
    assert any(note.startswith("no change is looked for") for note in report.notes) is opaque
