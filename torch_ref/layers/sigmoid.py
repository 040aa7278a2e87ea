"""The twin of manual/layers/sigmoid.py."""

from torch import nn


class Sigmoid(nn.Sigmoid):
    """h = 1 / (1 + e^-z)."""
