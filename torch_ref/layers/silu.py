"""The twin of manual/layers/silu.py.

Composed, so that autograd differentiates it: the backward pass of torch's own kernel is hand-derived too.
"""

import torch
from torch import nn


class SiLU(nn.SiLU):
    """h = z sigmoid(z)."""

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return z * torch.sigmoid(z)
