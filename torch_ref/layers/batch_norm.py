"""The twin of manual/layers/batch_norm.py, composed for the same reason as layer_norm.py."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn


class BatchNorm1d(nn.BatchNorm1d):
    """y = gamma o xhat + beta; statistics of the batch in training, else the running ones or those given.

    Raises ValueError in training for a batch of one sample, as nn.BatchNorm1d does.
    """

    momentum: float
    running_mean: torch.Tensor
    running_var: torch.Tensor
    num_batches_tracked: torch.Tensor

    def __init__(self, n: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__(n, eps, momentum)

    def forward(self, x: torch.Tensor, running: Sequence[torch.Tensor] | None = None) -> torch.Tensor:
        if running is None and self.training:
            mean = self.batch_mean(x)
            xc = x - mean
            var = self.batch_mean(xc * xc)
            update_running(self, self.momentum, mean.detach(), var.detach(), self.batch_size(x))
        else:
            mean, var = (self.running_mean, self.running_var) if running is None else running
            xc = x - mean
        return self.weight * (xc / torch.sqrt(var + self.eps)) + self.bias

    def batch_mean(self, a: torch.Tensor) -> torch.Tensor:
        """The mean over the batch, (n,), of a (N, n)."""
        return a.mean(0)

    def batch_size(self, a: torch.Tensor) -> Any:
        """N of a (N, n)."""
        return a.shape[0]


def update_running(module: Any, momentum: float | None, mean: torch.Tensor, var: torch.Tensor, N: Any) -> None:
    """running <- (1 - momentum) running + momentum batch, with the unbiased variance, in the buffers of `module`.

    Without a momentum the average over all batches seen, as nn.BatchNorm1d and torch.optim.swa_utils.update_bn have it.
    Raises ValueError for a batch of one sample, as nn.BatchNorm1d does.
    """
    if not isinstance(N, torch.Tensor) and N < 2:
        raise ValueError("BatchNorm1d: x has 1 sample, expected 2 or more in training; or call eval() first")
    module.num_batches_tracked.add_(1)
    share = 1 / module.num_batches_tracked if momentum is None else momentum
    module.running_mean.mul_(1 - share).add_(share * mean)
    module.running_var.mul_(1 - share).add_(share * var * (N / (N - 1)))
