"""Half precision: float16 and bfloat16 keep numbers well and compute badly, so some layers compute in float32 inside.

A square overflows float16 from 256 on, a sum of 70,000 ones as well. torch's own layers do the same.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from manual.namespace import array_namespace
from manual.tree import map_arrays
from manual.types import Array


def in_float32(layer_pass: Callable[..., tuple[Any, Any]]) -> Callable[..., tuple[Any, Any]]:
    """A layer's forward or backward pass that takes and gives half precision and computes in float32 between.

    Nothing changes for any other precision. The cache stays in float32: it is what the backward pass computes with.
    """

    @wraps(layer_pass)
    def compute(self: Any, params: Any, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        given = next((a for a in args if is_half(a)), None)
        if given is None:
            return layer_pass(self, params, *args, **kwargs)
        first, rest = layer_pass(self, *map_arrays(widen, (params, *args)), **kwargs)
        if isinstance(rest, dict):  # the parameters' gradients; else a cache
            rest = map_arrays(lambda a: narrow(a, given), rest)
        return narrow(first, given), rest

    return compute


def widen(a: Array) -> Array:
    """An array of half precision in float32, any other as it is.

    >>> import numpy as np
    >>> widen(np.ones(2, np.float16)).dtype, widen(np.ones(2)).dtype
    (dtype('float32'), dtype('float64'))
    """
    return array_namespace(a).astype(a, array_namespace(a).float32) if is_half(a) else a


def narrow(a: Array, like: Array) -> Array:
    """`a` in the precision of `like`; None stays None."""
    return None if a is None else array_namespace(a).astype(a, like.dtype)


def is_half(a: Any) -> bool:
    """Whether `a` is an array in float16 or bfloat16."""
    return hasattr(a, "dtype") and bool(array_namespace(a).finfo(a.dtype).bits < 32)
