"""The twin of manual/losses/softmax_cross_entropy.py."""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional as F

import manual
from manual.losses.reduction import Reduction


class SoftmaxCrossEntropy(nn.Module):
    """E = -sum_ij q_ij log p_ij / D, nn.CrossEntropyLoss; "batch mean" divides the sum by N."""

    def __init__(
        self, reduction: Reduction = "mean", label_smoothing: float = 0.0, class_weights: Sequence[float] | None = None
    ) -> None:
        super().__init__()
        manual.SoftmaxCrossEntropy(reduction, label_smoothing, class_weights)  # refuses what does not fit
        self.reduction, self.label_smoothing, self.class_weights = reduction, label_smoothing, class_weights

    def forward(self, z: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        weight = (
            None if self.class_weights is None else torch.tensor(self.class_weights, dtype=z.dtype, device=z.device)
        )
        if not target.is_floating_point():
            target = target.long()  # the only class indices F.cross_entropy takes; JAX's are int32
        reduction = "mean" if self.reduction == "mean" else "sum"
        E = F.cross_entropy(z, target, weight, reduction=reduction, label_smoothing=self.label_smoothing)
        return E / z.shape[0] if self.reduction == "batch mean" else E
