"""The twin of manual/layers/batch_norm.py, composed for the same reason as layer_norm.py."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from torch_ref.layers.scaled import scaled


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
        taken = running or own_running(self)
        if taken is None:
            mean = self.batch_mean(x)
            xc = x - mean
            var = self.batch_mean(xc * xc)
            update_running(self, mean.detach(), var.detach(), self.batch_size(x))
        else:
            mean, var = taken
            xc = x - mean
        return scaled(xc / torch.sqrt(var + self.eps), self.weight, self.bias)

    def batch_mean(self, a: torch.Tensor) -> torch.Tensor:
        """The mean over the batch, (n,), of a (N, n)."""
        return a.mean(0)

    def batch_size(self, a: torch.Tensor) -> Any:
        """N of a (N, n)."""
        return a.shape[0]


def own_running(module: Any) -> list[torch.Tensor] | None:
    """The running statistics that a batch norm normalises with; None where it takes those of the batch.

    It takes those in training, and where a script set the running ones to None, as torch.func's
    replace_all_batch_norm_modules_ does. Raises ValueError where only one of the two is None.
    """
    return None if module.training else kept_running(module)


def kept_running(module: Any) -> list[torch.Tensor] | None:
    """Mean and variance that a batch norm keeps, None where it keeps none."""
    mean, var = module.running_mean, module.running_var
    if mean is not None and var is not None:
        return [mean, var]
    if mean is not var:
        gone, left = ("running_mean", "running_var") if mean is None else ("running_var", "running_mean")
        raise ValueError(f"{gone}: is None, but {left} is not; set both to None for the batch's statistics, or neither")
    return None


def update_running(module: Any, mean: torch.Tensor, var: torch.Tensor, N: Any) -> None:
    """running <- (1 - momentum) running + momentum batch, with the unbiased variance, in the buffers of `module`.

    As nn.BatchNorm1d has it: without a momentum the average over all batches seen, as torch.optim.swa_utils.update_bn
    asks for; nothing outside training, without track_running_stats, and for buffers that are None. Raises ValueError
    for a batch of one sample.
    """
    if not isinstance(N, torch.Tensor) and N < 2:
        raise ValueError("BatchNorm1d: x has 1 sample, expected 2 or more in training; or call eval() first")
    if not (module.training and module.track_running_stats):
        return
    kept, share, count = kept_running(module), module.momentum, module.num_batches_tracked
    if count is not None:
        count.add_(1)
    if share is None:  # in the precision of the mean, since 1 / count alone is a float32
        share = 0.0 if count is None else 1 / count.to(mean.dtype)
    if kept is not None:
        kept[0].mul_(1 - share).add_(share * mean)
        kept[1].mul_(1 - share).add_(share * var * (N / (N - 1)))
