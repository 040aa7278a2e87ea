"""The twin of manual/batch_norm.py, composed for the same reason as layer_norm.py."""

from collections.abc import Sequence

import torch
from torch import nn


class BatchNorm1d(nn.BatchNorm1d):
    """y = gamma o xhat + beta; statistics of the batch in training, else the running ones or those given."""

    def __init__(self, n: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__(n, eps, momentum)

    def forward(self, x: torch.Tensor, running: Sequence[torch.Tensor] | None = None) -> torch.Tensor:
        if running is None and not self.training:
            assert self.running_mean is not None
            assert self.running_var is not None
            running = (self.running_mean, self.running_var)
        mean = x.mean(0) if running is None else running[0]
        xc = x - mean
        var = (xc * xc).mean(0) if running is None else running[1]
        if running is None:
            self._update(mean.detach(), var.detach(), x.shape[0])
        return self.weight * (xc / torch.sqrt(var + self.eps)) + self.bias

    @torch.no_grad()
    def _update(self, mean: torch.Tensor, var: torch.Tensor, N: int) -> None:
        """running <- (1 - momentum) running + momentum batch, with the unbiased variance, as nn.BatchNorm1d does."""
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        a = self.momentum or 0.0
        self.running_mean.mul_(1 - a).add_(a * mean)
        self.running_var.mul_(1 - a).add_(a * var * (N / max(N - 1, 1)))
        self.num_batches_tracked.add_(1)
