"""The twin of manual/layers/tanh.py."""

import torch
from torch import nn


class Tanh(nn.Module):
    """h = tanh z."""

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return torch.tanh(z)
