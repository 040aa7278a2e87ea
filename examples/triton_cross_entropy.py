"""Judge a Triton kernel without a card: softmax cross-entropy of every row, right, and with padding lanes that count.

python examples/triton_cross_entropy.py

Without a CUDA device the kernels run under Triton's interpreter, on a card as they are. What the interpreter itself
gets wrong, in Triton 3.9: it takes bfloat16 for the 16-bit integers that it is stored as, so that sums and products of
it are garbage (`+`, `*`, `tl.dot`). It cuts float32 off to bfloat16 where a card rounds. Functions of libdevice give
None. A kernel that converts to float32 when it loads, as these do, is right in both.
"""

import os
from typing import Any

import torch
from torch.nn import functional as F

from handgrad import verify_function

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
if DEVICE == "cpu":
    os.environ["TRITON_INTERPRET"] = "1"  # read when triton is imported

import triton  # noqa: E402
import triton.language as tl  # noqa: E402

BLOCK = 8  # lanes of one block; a wider row is read block after block


@triton.jit
def forward_kernel(z, target, loss, lse, width, padding: tl.constexpr, block: tl.constexpr):  # type: ignore[no-untyped-def]
    """loss = log sum exp z - z[target], one row for each program."""
    row = tl.program_id(0)
    lanes = tl.arange(0, block)
    largest, total = float("-inf"), 0.0
    for start in range(0, width, block):
        at = start + lanes
        zs = tl.load(z + row * width + at, mask=at < width, other=padding).to(tl.float32)
        highest = tl.maximum(largest, tl.max(zs))
        total = total * tl.exp(largest - highest) + tl.sum(tl.exp(zs - highest))
        largest = highest
    own = tl.load(z + row * width + tl.load(target + row)).to(tl.float32)
    tl.store(lse + row, largest + tl.log(total))
    tl.store(loss + row, largest + tl.log(total) - own)


@triton.jit
def backward_kernel(dloss, z, target, lse, dz, width, block: tl.constexpr):  # type: ignore[no-untyped-def]
    """dz = dloss (softmax z - one-hot target)."""
    row = tl.program_id(0)
    lanes = tl.arange(0, block)
    d, all_of_them, own = tl.load(dloss + row).to(tl.float32), tl.load(lse + row), tl.load(target + row)
    for start in range(0, width, block):
        at = start + lanes
        zs = tl.load(z + row * width + at, mask=at < width, other=float("-inf")).to(tl.float32)
        tl.store(dz + row * width + at, d * (tl.exp(zs - all_of_them) - tl.where(at == own, 1.0, 0.0)), mask=at < width)


class CrossEntropy(torch.autograd.Function):
    """The loss of every row: z (N, K) and target (N,) give (N,)."""

    padding = float("-inf")  # what a lane behind the end of a row holds: exp gives 0

    @classmethod
    def forward(cls, ctx: Any, z: torch.Tensor, target: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        z = z.contiguous()
        loss, lse = z.new_empty(len(z)), z.new_empty(len(z), dtype=torch.float32)
        forward_kernel[(len(z),)](z, target, loss, lse, z.shape[1], cls.padding, BLOCK)
        ctx.save_for_backward(z, target, lse)
        return loss

    @staticmethod
    def backward(ctx: Any, dloss: torch.Tensor) -> Any:  # type: ignore[override]
        z, target, lse = ctx.saved_tensors
        dz = torch.empty_like(z)
        backward_kernel[(len(z),)](dloss.contiguous(), z, target, lse, dz, z.shape[1], BLOCK)
        return dz, None


class PaddingCounts(CrossEntropy):
    """The same with lanes of zeros behind the end: each adds exp(0) to the sum."""

    padding = 0.0


def reference(z: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """What both are meant to compute."""
    return F.cross_entropy(z, target, reduction="none")


def judge(function: Any, width: int, dtype: torch.dtype = torch.float32) -> Any:
    """The report on three rows of that width."""
    numbers = torch.Generator().manual_seed(width)
    z = (3 * torch.randn(3, width, generator=numbers)).to(DEVICE, dtype)
    target = torch.randint(width, (3,), generator=numbers).to(DEVICE)
    return verify_function(function, None, reference, [z, target], seed=0, name=f"{function.__name__}, {width} classes")


if __name__ == "__main__":
    for width in (2 * BLOCK, 2 * BLOCK + 1):
        for function in (CrossEntropy, PaddingCounts):
            print(judge(function, width))
    print(judge(CrossEntropy, BLOCK - 1, torch.bfloat16))
