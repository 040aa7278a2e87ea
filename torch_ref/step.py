"""The twins of manual/step.py: forward only. Autograd would return zeros without a word; this refuses."""

from typing import Any, NoReturn

import torch
from torch import nn

from manual import NotDifferentiableError


class _NoGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: torch.Tensor, h: torch.Tensor, name: str) -> torch.Tensor:
        ctx.name = name
        return h.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> NoReturn:
        raise NotDifferentiableError(f"{ctx.name} is not differentiable: it can be evaluated, but has no gradient")


class BinaryStep(nn.Module):
    """h = 1 where z > 0, 0 elsewhere."""

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        h: torch.Tensor = _NoGradient.apply(z, (z > 0).to(z), "BinaryStep")  # type: ignore[no-untyped-call]
        return h


class Sign(nn.Module):
    """h = -1, 0 or 1."""

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        h: torch.Tensor = _NoGradient.apply(z, torch.sign(z.detach()), "Sign")  # type: ignore[no-untyped-call]
        return h
