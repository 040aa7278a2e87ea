"""JAX code under torch's autograd: jax.vjp in float64 gives its gradient."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch


def through_jax(call: Callable[[Mapping[str, Any]], Any], leaves: Sequence[torch.Tensor], names: Sequence[str]) -> Any:
    """call({name: array}) -> y, of JAX arrays, as a function of tensors."""
    import jax

    wide: Any = getattr(jax if hasattr(jax, "enable_x64") else jax.experimental, "enable_x64")  # noqa: B009

    class Through(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *tensors: torch.Tensor) -> torch.Tensor:
            with wide(True):
                arrays = [jax.numpy.asarray(t.detach().numpy()) for t in tensors]
                y, ctx.pull_back = jax.vjp(lambda *given: call(dict(zip(names, given, strict=True))), *arrays)
            return torch.tensor(np.asarray(y, float))

        @staticmethod
        def backward(ctx: Any, dy: torch.Tensor) -> Any:
            with wide(True):
                return tuple(torch.tensor(np.asarray(g)) for g in ctx.pull_back(jax.numpy.asarray(dy.numpy())))

    return Through.apply(*leaves)  # type: ignore[no-untyped-call]
