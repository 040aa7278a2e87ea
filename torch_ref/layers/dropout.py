"""The twin of manual/layers/dropout.py."""

import torch
from torch import nn

import manual


class Dropout(nn.Dropout):
    """y = x o m / (1 - p) for a given mask; without one nn.Dropout, which draws its own in training."""

    def __init__(self, p: float = 0.5) -> None:
        manual.Dropout(p)  # refuses what does not fit
        super().__init__(p)

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        return super().forward(x) if mask is None else x * (mask / (1 - self.p))
