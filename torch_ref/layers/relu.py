"""The twin of manual/layers/relu.py."""

from torch import nn


class ReLU(nn.ReLU):
    """h = max(z, 0)."""


class LeakyReLU(nn.LeakyReLU):
    """h = z where z > 0, slope * z elsewhere; torch calls it negative_slope."""

    def __init__(self, slope: float = 0.01) -> None:
        super().__init__(slope)
