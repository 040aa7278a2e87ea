"""The twin of manual/layers/linear.py."""

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import manual


class Linear(nn.Linear):
    """z = x (W o M)^T + b, nn.Linear with an optional connection mask (a buffer that state_dict does not hold)."""

    mask: torch.Tensor | None

    def __init__(self, n_in: int, n_out: int, bias: bool = True, mask: Any = None) -> None:
        manual.Linear(n_in, n_out, bias, mask)  # refuses what does not fit
        super().__init__(n_in, n_out, bias)
        tensor = None if mask is None else torch.as_tensor(np.asarray(mask, dtype=np.float64))
        self.register_buffer("mask", tensor, persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        W = self.weight if self.mask is None else self.weight * self.mask.to(self.weight)
        return F.linear(x, W, self.bias)
