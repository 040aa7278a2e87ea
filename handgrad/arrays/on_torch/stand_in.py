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
from handgrad.arrays.on_torch.methods import CannotFollow
from handgrad.arrays.on_torch.rules import RULES


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
    if owner == "scipy" and isinstance(value, types.FunctionType):
        return functools.wraps(value)(functools.partial(through_scipy, value))
    if isinstance(value, np.ufunc):
        return entered_ufunc(value)
    if owner == "numpy" and isinstance(value, types.FunctionType | types.BuiltinFunctionType | FUNCTION):
        return entered(value)
    return value


# What takes several arrays as its first argument.
SEQUENCES = {"concatenate", "concat", "stack", "vstack", "hstack", "dstack", "column_stack", "row_stack", "block",
             "select", "multi_dot", "lexsort"}  # fmt: skip
ALIKE = {"linalg.inv", "linalg.det", "linalg.solve", "linalg.norm", "linalg.pinv"}  # in SciPy and in NumPy
FUNCTION = type(np.sum)  # what takes part in __array_function__


def entered(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of NumPy whose plain floating-point results are ours, so that the code may write into them."""
    if str(getattr(function, "__module__", "")).startswith("numpy.testing"):
        return lambda *args, **kwargs: function(*detach(args), **detach(kwargs))
    lists_too = function.__name__ in SEQUENCES

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        if not lists_too:  # NumPy would not look into a list for arrays of ours
            args = tuple(array(a) if isinstance(a, list | tuple) and holds_arrays(a) else a for a in args)
        return constant(function(*args, **kwargs))

    return run


def entered_ufunc(ufunc: np.ufunc) -> Callable[..., Any]:
    """The same for what works on single entries, with its methods."""
    run: Any = entered(ufunc)
    for name in ("reduce", "accumulate", "reduceat", "outer", "at"):
        setattr(run, name, entered(getattr(ufunc, name)))
    return run  # type: ignore[no-any-return]


def through_scipy(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """A function of SciPy that is no ufunc: of ours where an array of ours comes in."""
    if not holds_arrays((args, kwargs)):
        return constant(function(*args, **kwargs))
    room, name = function.__module__.split(".")[1], function.__name__
    known = f"{room}.{name}" in RULES or f"{room}.{name}" in ALIKE
    return call(f"{room}.{name}" if known else f"scipy.{room}.{name}", function, *args, **kwargs)


def make_array(value: Any, dtype: Any = None, *args: Any, copy: Any = True, ndmin: int = 0, **kwargs: Any) -> Any:
    """np.array."""
    if not holds_arrays(value):
        return constant(np.array(detach(value), dtype, ndmin=ndmin))
    made = array(value, dtype)
    made = made.copy() if copy and isinstance(made, OnTorch) else made
    return made.reshape((1,) * (ndmin - made.ndim) + made.shape) if made.ndim < ndmin else made


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


def piecewise(x: Any, conditions: Any, functions: Any, *args: Any, **kwargs: Any) -> Any:
    """np.piecewise: a function, or a number, for each condition, and perhaps one more for what meets none."""
    x, made = as_array(x), like(np.zeros)(x)
    where = list(np.reshape(np.asarray(detach(conditions), bool), (-1, *np.shape(x))))
    if len(functions) > len(where):
        where.append(~np.any(where, axis=0))
    for at, function in zip(where, functions, strict=True):
        made[at] = function(x[at], *args, **kwargs) if callable(function) else function
    return made


def enumerate_entries(x: Any) -> Iterator[tuple[Any, Any]]:
    """np.ndenumerate."""
    return ((i, x[i]) for i in np.ndindex(x.shape))


class Entries:
    """np.nditer of one array: its entries in turn, with their places."""

    def __init__(self, x: Any) -> None:
        if not isinstance(x, OnTorch):
            raise CannotFollow("np.nditer of several arrays was called")
        self.x, self.places = x, np.ndindex(x.shape)
        self.iternext()

    def iternext(self) -> bool:
        self.multi_index = next(self.places, None)
        self.finished = self.multi_index is None
        return not self.finished

    def __getitem__(self, which: int) -> Any:
        return self.x[self.multi_index]

    def __iter__(self) -> Iterator[Any]:
        while not self.finished:
            yield self[0]
            self.iternext()

    def __enter__(self) -> "Entries":
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing was kept back."""


def iterate(x: Any, *args: Any, **kwargs: Any) -> Any:
    """np.nditer; of plain arrays, itself."""
    return Entries(x) if holds_arrays(x) else np.nditer(x, *args, **kwargs)


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
    np.nditer: iterate,
    np.fromiter: lambda values, dtype=None, count=-1: make_array(list(values), dtype),
    np.frompyfunc: each,
    np.piecewise: piecewise,
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
# What a function finds without importing it, and what `import numpy` inside it gives.
BUILTINS = {
    **vars(builtins),
    "float": REPLACED[float],
    "__import__": lambda *args, **kwargs: replace(builtins.__import__(*args, **kwargs)),
}
OnTorch.namespace = NUMPY
