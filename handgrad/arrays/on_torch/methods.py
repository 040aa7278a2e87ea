"""The operators and methods of np.ndarray, every one leading to `call`, and the conversions to numbers of Python."""

from functools import partial
from typing import Any

import numpy as np

# Answers that are plain: NumPy itself gives them.
PLAIN_METHODS = {
    "strides", "nbytes", "itemsize", "flags", "tobytes", "argmax", "argmin", "argsort", "argpartition", "nonzero",
    "searchsorted", "any", "all",
}  # fmt: skip
METHODS = {
    "sum", "mean", "var", "std", "max", "min", "prod", "cumsum", "cumprod", "dot", "clip", "round", "repeat", "take",
    "trace", "diagonal", "squeeze", "swapaxes", "conj", "conjugate", "ravel", "compress", "choose", "put", "transpose",
}  # fmt: skip


class CannotFollow(TypeError):
    """The code does something that a tensor beneath NumPy's clothes cannot follow; the message says what."""


class NoSuchMethod(CannotFollow, AttributeError):
    """A method that NumPy's arrays have and ours do not; hasattr says that it is not there."""


class Methods:
    """What an array has as NumPy's have. `call`, `plain`, `tensor`, `dtype` and `like_this` are the array's."""

    __slots__ = ()
    __array_priority__ = 1000
    call: Any
    plain: Any
    tensor: Any
    dtype: Any
    like_this: Any
    shape: Any
    ndim: Any

    def reshape(self, *shape: Any, order: str = "C", **more: Any) -> Any:
        return self.call("reshape", np.reshape, self, shape[0] if len(shape) == 1 else shape, order=order)

    def transpose(self, *axes: Any) -> Any:
        return self.call("transpose", np.transpose, self, (axes[0] if len(axes) == 1 else axes) or None)

    def astype(self, dtype: Any, *args: Any, **kwargs: Any) -> Any:
        dtype = np.dtype(dtype)
        if dtype.kind not in "fc":
            return self.plain.astype(dtype)
        found = self.copy()
        found.dtype = dtype
        return found

    def copy(self, order: str = "C") -> Any:
        return self.like_this(self.tensor.clone())

    def flatten(self, order: str = "C") -> Any:
        return self.call("ravel", np.ravel, self, order).copy()

    def fill(self, value: Any) -> None:
        self[...] = value

    def sort(self, axis: int = -1, **more: Any) -> None:
        self[...] = self.call("sort", np.sort, self, axis)

    def item(self, *index: Any) -> Any:
        """A number that keeps its gradient."""
        return self[index] if index else self.reshape(())  # type: ignore[index]

    def tolist(self) -> Any:
        return [part.tolist() for part in self] if self.ndim else self  # type: ignore[attr-defined]

    def __copy__(self) -> Any:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> Any:
        return self.copy()

    def __getattr__(self, name: str) -> Any:
        if name in PLAIN_METHODS:
            return getattr(self.plain, name)
        if name in METHODS:
            return partial(self.call, name, getattr(np, name, None), self)
        if hasattr(np.ndarray, name):
            raise NoSuchMethod(f"the method {name} of an array was called")
        raise AttributeError(f"'numpy.ndarray' object has no attribute {name!r}")

    # -- taken for a number of Python
    def __float__(self) -> float:
        raise CannotFollow("a number was turned into a Python float, which autograd does not see")

    def __int__(self) -> int:
        return int(self.plain)

    def __bool__(self) -> bool:
        return bool(self.plain)

    def __format__(self, spec: str) -> str:
        return format(self.plain[()], spec)

    def __repr__(self) -> str:
        return repr(self.plain[()])

    def __round__(self, digits: int = 0) -> Any:
        return self.call("round", np.round, self, digits)

    def __contains__(self, value: Any) -> bool:
        return value in self.plain

    __hash__ = object.__hash__


def binary(ufunc: np.ufunc) -> tuple[Any, Any, Any]:
    """The operator, the one with exchanged sides, and the one in place; a number is never changed in place."""
    name = ufunc.__name__

    def as_array(value: Any) -> Any:
        return np.asarray(value) if isinstance(value, list | tuple) else value

    def operator(x: Any, y: Any) -> Any:
        return x.call(name, ufunc, x, as_array(y))

    def exchanged(x: Any, y: Any) -> Any:
        return x.call(name, ufunc, as_array(y), x)

    def in_place(x: Any, y: Any) -> Any:
        return x.call(name, ufunc, x, as_array(y), out=x) if x.ndim else operator(x, y)

    return operator, exchanged, in_place


def unary(ufunc: np.ufunc) -> Any:
    """-x, +x, abs(x)."""
    return lambda x: x.call(ufunc.__name__, ufunc, x)


for _name, _ufunc in {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.divide, "matmul": np.matmul, "pow": np.power,
    "floordiv": np.floor_divide, "mod": np.remainder, "and": np.bitwise_and, "or": np.bitwise_or,
}.items():  # fmt: skip
    for _prefix, _operator in zip(("", "r", "i"), binary(_ufunc), strict=True):
        setattr(Methods, f"__{_prefix}{_name}__", _operator)
for _name, _ufunc in {
    "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal, "eq": np.equal, "ne": np.not_equal,
}.items():  # fmt: skip
    setattr(Methods, f"__{_name}__", binary(_ufunc)[0])
for _name, _ufunc in {"neg": np.negative, "pos": np.positive, "abs": np.absolute}.items():
    setattr(Methods, f"__{_name}__", unary(_ufunc))
