"""The twin of manual/losses/binary_cross_entropy.py."""

import torch
from torch import nn
from torch.nn import functional as F

from manual.losses.reduction import Reduction, check_reduction
from torch_ref.losses.checks import check_same_shape
from torch_ref.losses.reduction import reduce


class BinaryCrossEntropy(nn.Module):
    """E = sum (softplus(z) - t z) / D, nn.BCEWithLogitsLoss."""

    def __init__(self, reduction: Reduction = "mean") -> None:
        super().__init__()
        check_reduction(reduction)
        self.reduction = reduction

    def forward(self, z: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        check_same_shape(z, t)
        return reduce(F.softplus(z, threshold=40) - t * z, self.reduction)
