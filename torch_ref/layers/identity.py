"""The twin of manual/layers/identity.py."""

import torch
from torch import nn


class Identity(nn.Identity):
    """h = z."""

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return z.clone()
