"""What the losses refuse."""

import torch


def check_same_shape(y: torch.Tensor, t: torch.Tensor) -> None:
    """ValueError unless target and output have one shape: (N, 1) - (N,) would broadcast to (N, N) without a word."""
    if y.shape != t.shape:
        raise ValueError(f"target: shape is {tuple(t.shape)}, expected {tuple(y.shape)}, the output's; reshape it")
