"""Batch norm of a batch that lies in several processes: mean and variance are those of all their rows.

Only the mean over the batch is another, in the forward and in the backward pass. dgamma and dbeta are those of the own
rows, as every gradient of a process is, until DistributedDataParallel or fully_shard takes all of them together.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import distributed
from torch.autograd import Function

import manual
from torch_ref.layers.batch_norm import BatchNorm1d


class SumOfRanks(Function):
    """total = sum over the processes of a, in each of them. Shapes: any, the same in all.

    What is differentiated is the sum of all processes' losses, and a stands in the total of each of them, so
    da = sum over the processes of dtotal: the same function again.
    """

    @staticmethod
    def forward(a: torch.Tensor, group: Any) -> torch.Tensor:
        total = a.clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(total, group=group)
        return total

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.group = inputs[1]

    @staticmethod
    def backward(ctx: Any, dtotal: torch.Tensor) -> Any:
        return sum_of_ranks(dtotal, ctx.group), None

    @staticmethod
    def jvp(ctx: Any, tangent: torch.Tensor, _: None) -> Any:
        return sum_of_ranks(tangent, ctx.group)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], a: torch.Tensor, group: Any) -> Any:
        return sum_of_ranks(a, group), in_dims[0]


def sum_of_ranks(a: torch.Tensor, group: Any) -> torch.Tensor:
    """The sum over the processes of the group, None for all there are."""
    total: torch.Tensor = SumOfRanks.apply(a, group)  # type: ignore[no-untyped-call]
    return total


def connected() -> bool:
    """Whether there are processes to sum over."""
    return distributed.is_available() and distributed.is_initialized()


class OverRanks:
    """Mean and size of a batch whose rows lie in several processes, in each as many as it has, also none."""

    group: Any

    def batch_mean(self, a: Any) -> Any:
        """The mean over the rows of all processes, (n,), of a (N, n)."""
        if not connected():
            return super().batch_mean(a)  # type: ignore[misc]
        sums = sum_of_ranks(torch.cat([a.sum(0), a.new_full((1,), a.shape[0])]), self.group)
        return sums[:-1] / sums[-1]

    def batch_size(self, a: Any) -> Any:
        """How many rows all processes have, as a tensor (). Raises RuntimeError for fewer than two."""
        if not connected():
            return super().batch_size(a)  # type: ignore[misc]
        N = sum_of_ranks(torch.full((), a.shape[0], dtype=torch.float64, device=a.device), self.group)
        torch._assert_async(N > 1, "SyncBatchNorm1d: all processes together have fewer than 2 samples, expected more")
        return N


@dataclass(frozen=True)
class SyncBatchNorm1d(OverRanks, manual.BatchNorm1d):
    """manual.BatchNorm1d, its mean and variance in training those of all processes of `group`, None for all there are.

    Shapes, formulas, errors: manual.BatchNorm1d, which it equals where no processes are connected. Where some are,
    arrays are torch's, and all processes together need two samples (RuntimeError).
    """

    group: Any = None


class SyncBatchNorm1dTwin(OverRanks, BatchNorm1d):
    """The twin of SyncBatchNorm1d, differentiated by autograd."""

    def __init__(self, n: int, eps: float = 1e-5, momentum: float = 0.1, group: Any = None) -> None:
        super().__init__(n, eps, momentum)
        self.group = group
