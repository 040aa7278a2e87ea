"""The operations that are the same for every judged array: those that move entries, and those composed of others."""

from __future__ import annotations

from typing import Any

import numpy as np

from handgrad.arrays.base import JudgedArray, Rule, as_index, call, lift


def move(f: Rule) -> Rule:
    """The rule of an operation that only moves, repeats or selects entries: the same to every part."""

    def rule(x: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(x, list | tuple):
            arrays = lift(*x)
            parts = zip(*(array.parts for array in arrays), strict=True)
            return arrays[0]._with(*(f(part, *args, **kwargs) for part in parts))
        args, kwargs = tuple(map(as_index, args)), {k: as_index(v) for k, v in kwargs.items()}
        if not isinstance(x, JudgedArray):  # an index was judged, the array indexed is plain
            return f(x, *args, **kwargs)
        return x._with(*(f(part, *args, **kwargs) for part in x.parts))

    return rule


def count(shape: tuple[int, ...], axis: int | tuple[int, ...] | None) -> int:
    """How many entries a reduction over ``axis`` takes together."""
    axes = range(len(shape)) if axis is None else (axis,) if isinstance(axis, int) else axis
    return int(np.prod([shape[i] for i in axes], dtype=np.int64))


def _mean(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return call("sum", x, axis=axis, keepdims=keepdims) / count(x.shape, axis)


def _var(x: Any, axis: Any = None, correction: float = 0, keepdims: bool = False) -> Any:
    centred = x - _mean(x, axis, keepdims=True)
    return call("sum", centred * centred, axis=axis, keepdims=keepdims) / (count(x.shape, axis) - correction)


def _dot(x: Any, y: Any) -> Any:
    return x * y if 0 in (np.ndim(x), np.ndim(y)) else x @ y


def _clip(x: Any, min: Any = None, max: Any = None) -> Any:
    x = x if min is None else call("maximum", x, min)
    return x if max is None else call("minimum", x, max)


MOVES = (
    "reshape",
    "matrix_transpose",
    "swapaxes",
    "broadcast_to",
    "squeeze",
    "take",
    "concat",
    "stack",
    "ravel",
    "copy",
)
SHARED: dict[str, Rule] = {
    **{name: move(getattr(np, name)) for name in MOVES},
    "take_along_axis": move(lambda x, indices, axis=-1: np.take_along_axis(x, indices, axis)),
    "permute_dims": move(np.transpose),
    "flatten": move(np.ravel),
    "expand_dims": move(lambda x, axis=0: np.expand_dims(x, axis)),
    "mean": _mean,
    "var": _var,
    "std": lambda x, *args, **kwargs: call("sqrt", _var(x, *args, **kwargs)),
    "square": lambda x: x * x,
    "reciprocal": lambda x: 1 / x,
    "dot": _dot,
    "outer": lambda x, y: call("reshape", x, (-1, 1)) * call("reshape", y, (1, -1)),
    "vecdot": lambda x, y, axis=-1: call("sum", x * y, axis=axis),
    "clip": _clip,
    "shape": lambda x: x.shape,
    "ndim": lambda x: x.ndim,
    "size": lambda x: x.size,
}


def _full(shape: Any, fill_value: Any, dtype: Any = None, device: Any = None) -> Any:
    return call("copy", call("broadcast_to", fill_value, shape))


def _dtypes(*args: Any) -> list[Any]:
    return [arg.dtype if isinstance(arg, JudgedArray) else arg for arg in args]


# What the creators return is plain, an exact number, unless the value they are given is judged.
SHARED |= {
    "asarray": lambda x, dtype=None, copy=None, device=None: x if dtype is None else call("astype", x, dtype),
    "full": _full,
    "full_like": lambda x, fill_value, dtype=None, device=None: call("full", x.shape, fill_value, dtype or x.dtype),
    "zeros_like": lambda x, dtype=None, device=None: np.zeros(x.shape, dtype or x.dtype),
    "ones_like": lambda x, dtype=None, device=None: np.ones(x.shape, dtype or x.dtype),
    "empty_like": lambda x, dtype=None, device=None: np.zeros(x.shape, dtype or x.dtype),
    "result_type": lambda *args: np.result_type(*_dtypes(*args)),
    "finfo": lambda x: np.finfo(*_dtypes(x)),
}
