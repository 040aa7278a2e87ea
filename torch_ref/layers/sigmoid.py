"""The twin of manual/layers/sigmoid.py."""

import torch
from torch import nn


class Sigmoid(nn.Module):
    """h = 1 / (1 + e^-z)."""

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(z)
