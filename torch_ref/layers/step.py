"""The twins of manual/layers/step.py: forward only. Autograd would return zeros without a word; these refuse."""

from collections.abc import Callable
from typing import Any, NoReturn

import torch
from torch import nn

from manual import NotDifferentiableError


class _NoGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: torch.Tensor, f: Callable[[torch.Tensor], torch.Tensor], name: str) -> torch.Tensor:
        ctx.name = name
        return f(z)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> NoReturn:
        raise NotDifferentiableError(
            f"{ctx.name} is not differentiable: it can be evaluated, but no gradient passes through it; "
            "train with sigmoid or tanh"
        )


class BinaryStep(nn.Module):
    """h = 1 where z > 0, 0 elsewhere."""

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        h: torch.Tensor = _NoGradient.apply(z, lambda z: (z > 0).to(z), "BinaryStep")  # type: ignore[no-untyped-call]
        return h


class Sign(nn.Module):
    """h = -1, 0 or 1, the sign of z."""

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        h: torch.Tensor = _NoGradient.apply(z, torch.sign, "Sign")  # type: ignore[no-untyped-call]
        return h
