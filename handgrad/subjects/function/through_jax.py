"""JAX code under torch's autograd: jax.vjp in float64 gives its gradient."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import _get_current_dispatch_mode

from handgrad.arrays import imitated_jax, imitated_torch
from handgrad.arrays.jax_in_numpy import in_numpy


def through_jax(call: Callable[[Mapping[str, Any]], Any], leaves: Sequence[torch.Tensor], names: Sequence[str]) -> Any:
    """call({name: array}) -> y, of JAX arrays, as a function of tensors; where roundings are imitated, its own too."""
    import jax

    wide: Any = getattr(jax if hasattr(jax, "enable_x64") else jax.experimental, "enable_x64")  # noqa: B009
    run = rounding_as(_get_current_dispatch_mode())

    def of(*given: Any) -> Any:
        return call(dict(zip(names, given, strict=True)))

    def pull_back(dy: Any, *given: Any) -> Any:
        return jax.vjp(of, *given)[1](dy)

    class Through(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *tensors: torch.Tensor) -> torch.Tensor:
            with wide(True):
                ctx.arrays = [jax.numpy.asarray(t.detach().numpy()) for t in tensors]
                return torch.tensor(np.asarray(run(of, *ctx.arrays), float))

        @staticmethod
        def backward(ctx: Any, dy: torch.Tensor) -> Any:
            with wide(True):
                grads = run(pull_back, jax.numpy.asarray(dy.numpy()), *ctx.arrays)
                return tuple(torch.tensor(np.asarray(g)) for g in grads)

    return Through.apply(*leaves)  # type: ignore[no-untyped-call]


def rounding_as(mode: Any) -> Callable[..., Any]:
    """How JAX code is run: plainly, or with its operations rounding as torch's do in this mode."""
    if not isinstance(mode, imitated_torch.Rounding):
        return run_plainly
    seed = int(torch.randint(2**62, (), generator=mode.generator))
    return imitated_jax.Rounding(np.random.default_rng(seed), lambda _: mode.arithmetic)


def run_plainly(function: Callable[..., Any], *args: Any) -> Any:
    """In NumPy, which is faster; in JAX where it asks for a value that it computed: `if x.sum() > 0`."""
    try:
        return in_numpy(function, *args)
    except TypeError:
        return function(*args)
