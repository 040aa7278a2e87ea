"""The twin of manual/layers/relu.py."""

import torch
from torch import nn
from torch.nn import functional as F


class ReLU(nn.Module):
    """h = max(z, 0)."""

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return torch.relu(z)


class LeakyReLU(nn.Module):
    """h = z where z > 0, slope * z elsewhere."""

    def __init__(self, slope: float = 0.01) -> None:
        super().__init__()
        self.slope = slope

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return F.leaky_relu(z, self.slope)
