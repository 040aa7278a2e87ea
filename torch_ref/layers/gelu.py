"""The twin of manual/layers/gelu.py.

Composed, so that autograd differentiates it: the backward passes of torch's own kernels are hand-derived too.
"""

from math import pi, sqrt

import torch
from torch import nn


class GELU(nn.GELU):
    """h = z Phi(z), Phi(z) = erfc(-z / sqrt 2) / 2; with approximate="tanh" that of GELUTanh."""

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        if self.approximate == "tanh":
            return 0.5 * z * (1 + torch.tanh(sqrt(2 / pi) * (z + 0.044715 * (z * z * z))))
        return z * (0.5 * torch.erfc(z * -sqrt(0.5)))


class GELUTanh(GELU):
    """h = z (1 + tanh a) / 2, a = sqrt(2/pi) (z + 0.044715 z^3)."""

    def __init__(self) -> None:
        super().__init__("tanh")
