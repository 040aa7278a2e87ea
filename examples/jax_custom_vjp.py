"""Judge a jax.custom_vjp function as it is: in float32 and float64, under jit, and under vmap.

python examples/jax_custom_vjp.py
"""

from typing import Any

import jax
import numpy as np
import torch
from jax import numpy as jnp

from handgrad import verify_function

EPS = 1e-6


@jax.custom_vjp
def rms_norm(x: Any, gamma: Any) -> Any:
    """y = gamma x / sqrt(mean(x^2) + eps), over the last axis."""
    return gamma * x / jnp.sqrt(jnp.mean(x * x, axis=-1, keepdims=True) + EPS)


def forward(x: Any, gamma: Any) -> Any:
    """y, and what the backward pass needs."""
    s = jnp.sqrt(jnp.mean(x * x, axis=-1, keepdims=True) + EPS)
    return gamma * x / s, (x, gamma, s)


def backward(cache: Any, dy: Any) -> Any:
    x, gamma, s = cache
    # forward: y = gamma x / s, s = sqrt(mean(x^2) + eps)
    # so:      dx = (d - x mean(d x) / s^2) / s with d = dy gamma, dgamma = sum over rows of dy x / s
    d = dy * gamma
    dx = (d - x * jnp.mean(d * x, axis=-1, keepdims=True) / s**2) / s
    return dx, (dy * x / s).reshape(-1, x.shape[-1]).sum(0)


rms_norm.defvjp(forward, backward)


@jax.custom_vjp
def wrong_norm(x: Any, gamma: Any) -> Any:
    """The same, with a backward pass in which x does not act through s."""
    return rms_norm(x, gamma)


wrong_norm.defvjp(forward, lambda cache, dy: (dy * cache[1] / cache[2], backward(cache, dy)[1]))


def reference(x: torch.Tensor, gamma: torch.Tensor) -> torch.Tensor:
    """What it is meant to be, in torch."""
    return gamma * x / torch.sqrt((x * x).mean(-1, keepdim=True) + EPS)


def judge(function: Any, name: str, dtype: str = "float32", reference: Any = reference) -> Any:
    """The report on five rows of random numbers."""
    rng = np.random.default_rng(0)
    x, gamma = jnp.asarray(rng.normal(size=(5, 4)), dtype), jnp.asarray(rng.normal(size=4), dtype)
    return verify_function(function, None, reference, [x, gamma], seed=0, name=name, mend=0)


if __name__ == "__main__":
    print(judge(rms_norm, "RMS norm"))
    print(judge(jax.jit(rms_norm), "under jit"))
    print(judge(jax.vmap(rms_norm, in_axes=(0, None)), "row by row, under vmap"))
    print(judge(wrong_norm, "a path forgotten, without a reference", reference=None))
    with jax.enable_x64(True):
        print(judge(rms_norm, "in float64", "float64"))
