"""Judge a backward pass of your own: two NumPy functions, then a torch.autograd.Function, right and wrong.

python examples/own_backward_pass.py
"""

from typing import Any

import numpy as np
import torch

from handgrad import verify_function


def rms_norm(x: Any) -> Any:
    """y = x / sqrt(mean(x^2) + eps), every row by itself."""
    s = np.sqrt(np.mean(x * x, axis=1, keepdims=True) + 1e-6)
    return x / s, (x, s)


def rms_norm_backward(dy: Any, cache: Any) -> Any:
    x, s = cache
    # forward: y = x / s, s = sqrt(mean(x^2) + eps)
    # so:      dx = dy / s - x mean(dy x) / s^3
    return dy / s - x * np.mean(dy * x, axis=1, keepdims=True) / s**3


def without_the_second_path(dy: Any, cache: Any) -> Any:
    """A common mistake: x also acts through s."""
    _, s = cache
    return dy / s


def reference(x: torch.Tensor) -> torch.Tensor:
    """What the forward pass is meant to be, for autograd to differentiate."""
    return x / torch.sqrt((x * x).mean(1, keepdim=True) + 1e-6)


class Square(torch.autograd.Function):
    """y = x^2, with a backward pass that forgot the 2."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx: Any, dy: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        (x,) = ctx.saved_tensors
        return dy * x


if __name__ == "__main__":
    print(verify_function(rms_norm, rms_norm_backward, reference, [(5, 4)], name="RMS norm"))
    print(verify_function(rms_norm, without_the_second_path, reference, [(5, 4)], name="RMS norm, a path forgotten"))
    print(verify_function(Square.apply, reference=torch.square, inputs=[(5, 4)], name="a square that forgot its 2"))
