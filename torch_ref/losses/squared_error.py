"""The twins of manual/losses/squared_error.py."""

from typing import ClassVar

import torch
from torch import nn

from manual.losses.reduction import Reduction, check_reduction
from torch_ref.losses.checks import check_same_shape
from torch_ref.losses.reduction import reduce


class SquaredError(nn.Module):
    """E = sum (y - t)^2 / D."""

    factor: ClassVar[float] = 1.0

    def __init__(self, reduction: Reduction = "sum") -> None:
        super().__init__()
        check_reduction(reduction)
        self.reduction = reduction

    def forward(self, y: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        check_same_shape(y, t)
        return self.factor * reduce((y - t) ** 2, self.reduction)


class HalfSquaredError(SquaredError):
    """E = 1/2 sum (y - t)^2 / D."""

    factor: ClassVar[float] = 0.5


class MeanSquaredError(SquaredError):
    """E = mean (y - t)^2 over all elements, nn.MSELoss."""

    def __init__(self, reduction: Reduction = "mean") -> None:
        super().__init__(reduction)
