"""The protocols of the judge's own array types, all leading to one table of rules.

A hand-written backward pass meets its arrays by five protocols: the array API, NumPy's ``__array_ufunc__`` and
``__array_function__``, Python's operators, and methods. Every one calls :func:`call` with the name of an operation;
what the operation does to a ball or to a dual number stands in ``ball.py`` and ``dual.py`` and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from array_api_compat import numpy as plain
from scipy import special

Array = npt.NDArray[Any]
Rule = Callable[..., Any]

# Other protocols' names for the same operation.
ALIASES = {
    "true_divide": "divide", "absolute": "abs", "amax": "max", "amin": "min", "concatenate": "concat",
    "bitwise_and": "logical_and", "bitwise_or": "logical_or", "bitwise_invert": "logical_not",
    "invert": "logical_not", "bitwise_not": "logical_not", "pow": "power", "atan": "arctan",
    "transpose": "permute_dims",
}  # fmt: skip
KEYWORDS = {"a_min": "min", "a_max": "max", "ddof": "correction"}
REDUCTIONS = {"add": "sum", "maximum": "max", "minimum": "min", "logical_and": "all", "logical_or": "any"}
# Exact numbers and types: the namespace hands out NumPy's own.
PLAIN_NAMES = {
    "pi", "e", "inf", "nan", "newaxis", "float64", "float32", "int64", "int32", "bool", "isdtype",
    "zeros", "ones", "empty", "arange", "eye",
}  # fmt: skip
METHODS = {
    "sum", "mean", "var", "std", "max", "min", "argmax", "argmin", "any", "all", "astype", "copy", "ravel", "flatten",
    "squeeze", "swapaxes", "dot", "take", "clip",
}  # fmt: skip
COMPARISONS = ("less", "less_equal", "greater", "greater_equal", "equal", "not_equal")


def as_exact(obj: Any, dtype: Any = None, copy: bool | None = None, device: Any = None) -> Array:
    """A plain array in ``dtype`` if that keeps every value, else in float64: a ball must see that 0.1 is no float32."""
    wide = np.asarray(obj)
    narrow = wide if dtype is None else wide.astype(dtype)
    kept = narrow.dtype.kind != "f" or np.array_equal(narrow, wide, equal_nan=wide.dtype.kind == "f")
    return narrow if kept else wide


PLAIN: dict[str, Rule] = {
    "erf": special.erf,
    "erfc": special.erfc,
    "expit": special.expit,
    "asarray": as_exact,
    "full": lambda shape, fill_value, dtype=None, device=None: np.full(shape, as_exact(fill_value, dtype)),
}


class CannotEnter(TypeError):
    """The code judged does something that a ball or a dual number cannot follow; it is judged by another way."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what}. The judge's arrays follow out-of-place array operations only; write this step that way, "
            "or let the code be judged by the noise of the reference instead, which runs it on plain NumPy arrays."
        )


def refusal(error: BaseException | None) -> CannotEnter | None:
    """The CannotEnter that ``error`` is or was raised from; NumPy wraps one in a ValueError at ``buffer[i] = ball``."""
    while error is not None and not isinstance(error, CannotEnter):
        error = error.__cause__
    return error


class _NoSuchName(CannotEnter, AttributeError):
    """So that ``hasattr(xp, name)`` answers False instead of failing."""


class Namespace:
    """The array API namespace of one kind of array: its table of rules, and plain NumPy where no such array comes in.

    What the creators (zeros, full, arange, ...) return are plain NumPy arrays: exact numbers. Rounding among plain
    arrays alone is not bounded, so floats from `asarray` and `astype`, with which code goes on to compute, are taken in
    by `enter` where there is one.
    """

    __array_api_version__ = "2024.12"

    def __init__(self, name: str, rules: Mapping[str, Rule], enter: Rule | None = None) -> None:
        self.__name__ = name
        self.rules = rules
        self.enter = enter

    def __getattr__(self, name: str) -> Any:
        if name in PLAIN_NAMES:
            return getattr(plain, name)
        if name in ("asarray", "astype") and self.enter is not None:
            return partial(self._entered, name)
        if ALIASES.get(name, name) in self.rules:
            return partial(call, name)
        raise _NoSuchName(f"{self.__name__} has no operation {name!r}")

    def _entered(self, name: str, *args: Any, **kwargs: Any) -> Any:
        result = call(name, *args, **kwargs)
        plain_floats = not isinstance(result, JudgedArray) and result.dtype.kind == "f"
        return self.enter(result) if self.enter and plain_floats else result


class JudgedArray:
    """Base of the arrays that carry more than a value: ``parts`` are NumPy arrays of one shape, the value first."""

    namespace: ClassVar[Namespace]
    __hash__ = None  # type: ignore[assignment]  # == compares entries

    @property
    def parts(self) -> tuple[Array, ...]:
        raise NotImplementedError

    def _with(self, *parts: Array) -> Self:
        """The same kind of array around other parts."""
        raise NotImplementedError

    def _lift(self, other: Any) -> Any:
        """``other`` as an array that the arithmetic of this kind takes: plain numbers become exact ones."""
        raise NotImplementedError

    def _index(self) -> Array:
        """The plain array that this one means as an index."""
        raise CannotEnter(f"an array of {type(self).__name__} values was used as an index or an integer")

    # -- attributes
    shape = property(lambda self: self.parts[0].shape)
    ndim = property(lambda self: self.parts[0].ndim)
    size = property(lambda self: self.parts[0].size)
    dtype = property(lambda self: self.parts[0].dtype)
    device = property(lambda self: "cpu")
    T = property(lambda self: call("permute_dims", self))
    mT = property(lambda self: call("matrix_transpose", self))

    # -- protocols
    def __array_namespace__(self, *, api_version: str | None = None) -> Namespace:
        return self.namespace

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if kwargs.get("out") is not None:
            raise CannotEnter(f"np.{ufunc.__name__} was told to write into an existing array (out=, or += on a buffer)")
        if method == "reduce" and ufunc.__name__ in REDUCTIONS:
            return call(REDUCTIONS[ufunc.__name__], *inputs, **{"axis": 0, **kwargs})
        if method != "__call__":
            raise CannotEnter(f"np.{ufunc.__name__}.{method} was called")
        return call(ufunc.__name__, *inputs, **kwargs)

    def __array_function__(self, func: Rule, types: Any, args: Any, kwargs: Any) -> Any:
        return call(func.__name__, *args, **kwargs)

    def __array__(self, *args: Any, **kwargs: Any) -> Array:
        raise CannotEnter(f"a {type(self).__name__} was turned into, or written into, a plain NumPy array")

    def __setitem__(self, index: Any, value: Any) -> None:
        raise CannotEnter(f"a {type(self).__name__} was written into by index")

    def __float__(self) -> float:
        raise CannotEnter(f"a {type(self).__name__} was turned into a Python number")

    __int__ = __index__ = __complex__ = item = tolist = __float__

    def __bool__(self) -> bool:
        raise CannotEnter(f"a branch was taken on a {type(self).__name__}")

    def __len__(self) -> int:
        return len(self.parts[0])

    def __iter__(self) -> Iterator[Self]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: Any) -> Self:
        index = tuple(map(as_index, index)) if isinstance(index, tuple) else as_index(index)
        return self._with(*(np.asarray(part[index]) for part in self.parts))

    # -- operators
    __add__, __radd__ = (lambda x, y: call("add", x, y)), (lambda x, y: call("add", y, x))
    __sub__, __rsub__ = (lambda x, y: call("subtract", x, y)), (lambda x, y: call("subtract", y, x))
    __mul__, __rmul__ = (lambda x, y: call("multiply", x, y)), (lambda x, y: call("multiply", y, x))
    __truediv__, __rtruediv__ = (lambda x, y: call("divide", x, y)), (lambda x, y: call("divide", y, x))
    __matmul__, __rmatmul__ = (lambda x, y: call("matmul", x, y)), (lambda x, y: call("matmul", y, x))
    __pow__, __rpow__ = (lambda x, y: call("power", x, y)), (lambda x, y: call("power", y, x))
    __and__, __rand__ = (lambda x, y: call("logical_and", x, y)), (lambda x, y: call("logical_and", y, x))
    __or__, __ror__ = (lambda x, y: call("logical_or", x, y)), (lambda x, y: call("logical_or", y, x))
    __neg__, __pos__ = (lambda x: call("negative", x)), (lambda x: call("positive", x))
    __abs__, __invert__ = (lambda x: call("abs", x)), (lambda x: call("logical_not", x))
    __lt__, __le__ = (lambda x, y: call("less", x, y)), (lambda x, y: call("less_equal", x, y))
    __gt__, __ge__ = (lambda x, y: call("greater", x, y)), (lambda x, y: call("greater_equal", x, y))
    __eq__ = lambda x, y: call("equal", x, y)  # noqa: E731
    __ne__ = lambda x, y: call("not_equal", x, y)  # noqa: E731

    # -- methods
    def reshape(self, *shape: Any) -> Any:
        return call("reshape", self, shape[0] if len(shape) == 1 else shape)

    def transpose(self, *axes: Any) -> Any:
        return call("permute_dims", self, (axes[0] if len(axes) == 1 else axes) or None)

    def __getattr__(self, name: str) -> Any:
        if name in METHODS:
            return partial(call, name, self)
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")


def call(name: str, /, *args: Any, **kwargs: Any) -> Any:
    """Look ``name`` up in the table of the first judged argument and apply its rule; CannotEnter where there is none.

    Without a judged argument it is plain NumPy's operation on plain arrays.
    """
    owner = next(_judged_arrays([*args, *kwargs.values()]), None)
    kwargs = {KEYWORDS.get(k, k): v for k, v in kwargs.items() if v is not None and v is not np._NoValue}
    if owner is None:
        return (PLAIN.get(name) or getattr(plain, name))(*args, **kwargs)
    rule = owner.namespace.rules.get(ALIASES.get(name, name))
    if rule is None:
        raise CannotEnter(f"{name!r} is not an operation that {owner.namespace.__name__} carries")
    try:
        with np.errstate(all="ignore"):  # what overflows or is undefined gets an infinite radius, not a warning
            return rule(*args, **kwargs)
    except CannotEnter:
        raise
    except TypeError as error:
        raise CannotEnter(f"{name!r} was called in a way its rule does not know ({error})") from error


def lift(*args: Any) -> list[Any]:
    """All arguments as arrays of the judged kind found among them."""
    owner = next(_judged_arrays(args), None)
    if owner is None:
        raise CannotEnter("a judged array was given where the operation takes a plain number (an exponent, an option)")
    return [owner._lift(arg) for arg in args]


def lift_rule(rule: Rule, arrays: int | None = None) -> Rule:
    """The rule of an operation whose first ``arrays`` positional arguments (all, if None) are arrays."""
    return lambda *args, **kwargs: rule(*lift(*args[:arrays]), *(args[arrays:] if arrays else ()), **kwargs)


def _judged_arrays(args: Any) -> Iterator[JudgedArray]:
    for arg in args:
        if isinstance(arg, JudgedArray):
            yield arg
        elif isinstance(arg, list | tuple):
            yield from _judged_arrays(arg)


def as_index(index: Any) -> Any:
    """A plain index; CannotEnter where rounding could change what it selects."""
    return index._index() if isinstance(index, JudgedArray) else index
