"""What `np` means in the copy of a function that runs on torch: NumPy, with our arrays where it would make plain ones.

REPLACED lists what means something else there, of NumPy, SciPy, `math` and Python; everything else is as it is, and
reaches our arrays by NumPy's own protocols.
"""

import builtins
import functools
import math
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from scipy import special

from handgrad.arrays.on_torch.array import OnTorch, array, call, constant, detach, holds_arrays


class Module:
    """A module whose names mean what `replace` gives for them."""

    def __init__(self, module: types.ModuleType) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return replace(getattr(self._module, name))


def replace(value: Any) -> Any:
    """What stands for something of NumPy, SciPy or Python: for its arrays, functions, modules and number types."""
    try:
        if value in REPLACED:
            return REPLACED[value]
    except (TypeError, ValueError):  # not hashable: an array, a list
        return value
    if isinstance(value, types.ModuleType) and value.__name__.partition(".")[0] in ("numpy", "scipy"):
        return Module(value)
    owner = str(getattr(value, "__module__", "")).partition(".")[0]
    if owner == "numpy" and isinstance(value, types.FunctionType | types.BuiltinFunctionType | FUNCTION):
        return entered(value)
    return value


# What takes several arrays as its first argument.
SEQUENCES = {"concatenate", "concat", "stack", "vstack", "hstack", "dstack", "column_stack", "row_stack", "block",
             "select", "multi_dot", "lexsort"}  # fmt: skip
FUNCTION = type(np.sum)  # what takes part in __array_function__


def entered(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of NumPy whose plain floating-point results are ours, so that the code may write into them."""

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        if args and isinstance(args[0], list | tuple) and function.__name__ not in SEQUENCES and holds_arrays(args[0]):
            args = (array(args[0]), *args[1:])  # NumPy would not look into the list for arrays of ours
        return constant(function(*args, **kwargs))

    return run


def make_array(value: Any, dtype: Any = None, *args: Any, copy: Any = True, **kwargs: Any) -> Any:
    """np.array."""
    if not holds_arrays(value):
        return constant(np.array(detach(value), dtype))
    made = array(value, dtype)
    return made.copy() if copy and isinstance(made, OnTorch) else made


def as_array(value: Any, dtype: Any = None, *args: Any, **kwargs: Any) -> Any:
    """np.asarray and its relatives: an array as it is."""
    if isinstance(value, OnTorch) and (dtype is None or np.dtype(dtype) == value.dtype):
        return value
    return make_array(value, dtype)


def full(shape: Any, value: Any, dtype: Any = None, **kwargs: Any) -> Any:
    """np.full, of a number that may have a gradient."""
    if not isinstance(value, OnTorch):
        return constant(np.full(shape, value, dtype))
    made = constant(np.zeros(shape, dtype))
    made[...] = value
    return made


def full_like(like: Any, value: Any, dtype: Any = None, shape: Any = None, **kwargs: Any) -> Any:
    """np.full_like."""
    return full(np.shape(like) if shape is None else shape, value, dtype or like.dtype)


def like(fill: Callable[..., Any]) -> Callable[..., Any]:
    """np.zeros_like and its relatives."""

    def run(model: Any, dtype: Any = None, *args: Any, shape: Any = None, **kwargs: Any) -> Any:
        model = as_array(model)
        return constant(fill(np.shape(model) if shape is None else shape, dtype or model.dtype))

    return run


def each(function: Callable[..., Any], *_: Any, **__: Any) -> Callable[..., Any]:
    """np.vectorize: the function at every entry."""

    def run(*args: Any) -> Any:
        whole = np.broadcast_arrays(*map(as_array, args))
        shape = np.shape(whole[0])
        return as_array([function(*(w[i] for w in whole)) for i in np.ndindex(shape)]).reshape(shape)

    return run


def along_axis(function: Callable[..., Any], axis: int, x: Any, *args: Any, **kwargs: Any) -> Any:
    """np.apply_along_axis."""
    rows = np.moveaxis(x, axis, -1)
    made = [as_array(function(rows[i], *args, **kwargs)) for i in np.ndindex(rows.shape[:-1])]
    whole = as_array(made).reshape(*rows.shape[:-1], *np.shape(made[0]))
    return np.moveaxis(whole, -1, axis) if np.ndim(made[0]) else whole


def enumerate_entries(x: Any) -> Iterator[tuple[Any, Any]]:
    """np.ndenumerate."""
    return ((i, x[i]) for i in np.ndindex(x.shape))


def strided(x: Any, shape: Any = None, strides: Any = None, **kwargs: Any) -> Any:
    """np.lib.stride_tricks.as_strided."""
    return OnTorch(x.tensor.as_strided(shape, [n // 8 for n in strides]), x.dtype)


class Joined:
    """np.r_ and np.c_ for arrays; slices are left to NumPy."""

    def __init__(self, columns: bool) -> None:
        self.columns = columns

    def __getitem__(self, parts: Any) -> Any:
        parts = parts if isinstance(parts, tuple) else (parts,)
        if any(isinstance(p, str) for p in parts):
            return (np.c_ if self.columns else np.r_)[detach(parts)]
        whole = [as_array(np.r_[p] if isinstance(p, slice) else p) for p in parts]
        if self.columns:
            return np.concatenate([w.reshape(-1, 1) if w.ndim < 2 else w for w in whole], axis=-1)
        return np.concatenate([np.atleast_1d(w) for w in whole])


class Kind(type):
    """The type of the number types below: one of our numbers is an instance of them, and so is one of Python's."""

    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, cls.__bases__[0]) or (isinstance(value, OnTorch) and not value.ndim)

    def __subclasscheck__(cls, other: type) -> bool:
        return issubclass(other, cls.__bases__[0])


def number_type(real: type) -> type:
    """A floating-point type that keeps the gradient of what it is given, and is the same dtype."""

    def make(cls: type, value: Any = 0.0) -> Any:
        if isinstance(value, OnTorch):
            return value.reshape(()) if real is float else value.astype(np.dtype(real))
        return constant(real(value))

    return Kind(real.__name__, (real,), {"__new__": make, "dtype": np.dtype(real)})


class ArrayKind(type):
    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, np.ndarray | OnTorch)


class AnyArray(metaclass=ArrayKind):
    """np.ndarray: what both kinds of array are instances of."""


OF_MATH = {"pow": "power", "lgamma": "gammaln", "fabs": "absolute"}  # other names than those that NumPy knows


def on_number(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of `math`, and of our numbers."""
    name = OF_MATH.get(name, name)

    def run(*args: Any) -> Any:
        if not holds_arrays(args):
            return function(*args)
        if name in ("floor", "ceil", "trunc", "isnan", "isinf", "isfinite"):
            return function(*(a.plain.item() if isinstance(a, OnTorch) else a for a in args))
        if name == "log" and len(args) == 2:
            return np.log(args[0]) / np.log(args[1])
        if name in ("fsum", "prod"):
            values = as_array(list(args[0]))
            return np.sum(values) if name == "fsum" else np.prod(values)
        return call(name, getattr(np, name, None), *args)

    return run


REPLACED: dict[Any, Any] = {
    np.array: make_array,
    **dict.fromkeys((np.asarray, np.asanyarray, np.ascontiguousarray, np.asfortranarray), as_array),
    np.full: full,
    np.full_like: full_like,
    np.zeros_like: like(np.zeros),
    np.empty_like: like(np.zeros),
    np.ones_like: like(np.ones),
    np.vectorize: each,
    np.apply_along_axis: along_axis,
    np.ndenumerate: enumerate_entries,
    np.lib.stride_tricks.as_strided: strided,
    np.ndarray: AnyArray,
    np.r_: Joined(columns=False),
    np.c_: Joined(columns=True),
    builtins.float: number_type(float),
    np.float64: number_type(np.float64),
    np.float32: number_type(np.float32),
    **{f: functools.partial(call, f.__name__, f) for f in (special.logsumexp, special.softmax, special.log_softmax)},
    **{f: on_number(n, f) for n, f in vars(math).items() if callable(f) and not n.startswith("_")},
    math: None,
}  # fmt: skip
REPLACED[math] = Module(math)
NUMPY = Module(np)
OnTorch.namespace = NUMPY
