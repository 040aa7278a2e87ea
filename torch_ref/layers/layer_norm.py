"""The twin of manual/layers/layer_norm.py.

Composed, so that autograd differentiates it: the backward pass of torch's own kernel is hand-derived and sums squares
about zero, which cancels where the mean is large.
"""

import torch
from torch import nn

from torch_ref.layers.scaled import scaled


class LayerNorm(nn.LayerNorm):
    """y = gamma o xhat + beta, xhat = (x - mean) / sqrt(var + eps) over the row."""

    def __init__(self, n: int, eps: float = 1e-5) -> None:
        super().__init__(n, eps)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        xc = x - x.mean(-1, keepdim=True)
        xhat = xc / torch.sqrt((xc * xc).mean(-1, keepdim=True) + self.eps)
        return scaled(xhat, self.weight, self.bias)
