"""The twin of manual/dropout.py."""

import torch
from torch import nn


class Dropout(nn.Dropout):
    """y = x o m / (1 - p) for a given mask; without one nn.Dropout, which draws its own in training."""

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        return super().forward(x) if mask is None else x * (mask / (1 - self.p))
