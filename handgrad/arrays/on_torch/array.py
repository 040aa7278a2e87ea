"""OnTorch: an array that looks like NumPy's and is a torch tensor beneath, so that autograd follows NumPy code.

Numbers are float64 throughout, and `dtype` is what NumPy's would be: code that asks for its epsilon gets its own.
What has no gradient (comparisons, indices, integers) is a plain array. In-place writes go to the tensor, views as
well; run the code and autograd inside `following()`, which keeps what autograd needs apart from them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, ClassVar

import numpy as np
import torch

from handgrad.arrays.base import REDUCTIONS
from handgrad.arrays.on_torch.methods import CannotFollow, Methods
from handgrad.arrays.on_torch.parts import get
from handgrad.arrays.on_torch.rules import ALIASES, NEEDED, OPTIONS, PLAIN, RULES
from handgrad.arrays.on_torch.torch_numpy import LINALG_ERRORS, find
from handgrad.arrays.on_torch.writing import put

FLOAT64 = np.dtype(np.float64)
ACCUMULATIONS = {"add": "cumsum", "multiply": "cumprod", "maximum": "cummax", "minimum": "cummin"}


def following() -> AbstractContextManager[Any]:
    """Autograd keeps copies of what it needs, so that the code may write into its arrays."""
    return torch.autograd.graph.saved_tensors_hooks(torch.clone, lambda kept: kept)


class OnTorch(Methods):
    """`tensor`, float64 (or complex), under the protocols and methods of np.ndarray."""

    __slots__ = ("dtype", "tensor")
    namespace: ClassVar[Any] = None  # what `np` means beside it; stand_in.py has it

    def __init__(self, tensor: torch.Tensor, dtype: Any = FLOAT64) -> None:
        self.tensor = tensor
        self.dtype = dtype

    # -- attributes
    shape = property(lambda self: tuple(self.tensor.shape), lambda self, shape: self._reshape_self(shape))
    ndim = property(lambda self: self.tensor.ndim)
    size = property(lambda self: self.tensor.numel())
    device = property(lambda self: "cpu")
    T = property(lambda self: self.transpose())
    mT = property(lambda self: self.like_this(self.tensor.mT))
    real = property(lambda self: self.like_this(self.tensor.real))
    imag = property(lambda self: self.like_this(self.tensor.imag))
    flat = property(lambda self: self.like_this(self.tensor.reshape(-1)))
    plain = property(lambda self: self.tensor.detach().numpy(), doc="The numbers alone, in the tensor's own memory.")

    def like_this(self, tensor: torch.Tensor) -> OnTorch:
        return OnTorch(tensor, self.dtype)

    def _reshape_self(self, shape: Any) -> None:
        self.tensor = self.tensor.reshape(shape)

    # -- protocols
    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        return self.namespace

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        where = kwargs.pop("where", True) if method == "__call__" else True
        name, owner = ufunc.__name__, ufunc if method == "__call__" else getattr(ufunc, method)
        inputs = tuple(array(v) if isinstance(v, list | tuple) and method != "at" else v for v in inputs)
        if method == "reduce":
            name, kwargs = {"multiply": "prod", **REDUCTIONS}.get(name, f"{name}.reduce"), {"axis": 0, **kwargs}
        elif method == "accumulate":
            name, kwargs = ACCUMULATIONS.get(name, f"{name}.accumulate"), {"axis": 0, **kwargs}
        elif method != "__call__":
            name = f"{name}.{method}"
        if where is True:
            return call(name, owner, *inputs, **kwargs)
        out = (kwargs.pop("out", None) or (np.nan,))[0]
        found = call("where", np.where, where, call(name, owner, *inputs, **kwargs), out)
        return write(out, found) if isinstance(out, OnTorch | np.ndarray) else found

    def __array_function__(self, func: Callable[..., Any], types: Any, args: Any, kwargs: Any) -> Any:
        room = str(func.__module__).removeprefix("numpy").strip(".")
        return call(f"{room}.{func.__name__}" if room in ("linalg", "fft") else func.__name__, func, *args, **kwargs)

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise CannotFollow("an array was written into, or turned into, one that autograd does not see")

    # -- indexing
    def __getitem__(self, index: Any) -> Any:
        return self.like_this(get(self.tensor, as_index(index)))

    def __setitem__(self, index: Any, value: Any) -> None:
        with errors_of_numpy("copyto"):
            put(self.tensor, as_index(index), to_tensor(array(value)))

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("len() of unsized object")
        return len(self.tensor)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))


def call(name: str, original: Any, /, *args: Any, **kwargs: Any) -> Any:
    """NumPy's operation of that name: by our own rule, else by torch's, else by NumPy where nothing has a gradient.

    original: NumPy's (or SciPy's) own function. Raises CannotFollow where none of them serves.
    """
    out = kwargs.pop("out", None)
    out = out[0] if isinstance(out, tuple) else out
    kwargs = {k: v for k, v in kwargs.items() if v is not None and v is not np._NoValue}
    name = ALIASES.get(name, name)
    rule = None if name in PLAIN else RULES.get(name) or find(name)
    if rule is None:
        found = plainly(name, original, args, kwargs)
    else:
        for option in OPTIONS:
            if (name, option) not in NEEDED:
                kwargs.pop(option, None)
        if kwargs.get("where") is True:
            del kwargs["where"]
        with errors_of_numpy(name):
            found = from_torch(rule(*to_torch(args), **to_torch(kwargs)), common_dtype(args))
    return found if out is None else write(out, found)


OnTorch.call = staticmethod(call)


@contextmanager
def errors_of_numpy(name: str) -> Iterator[None]:
    """Raise what NumPy would for what torch raises: code may catch it. CannotFollow where a rule gives up."""
    try:
        yield
    except NotImplementedError as error:
        raise CannotFollow(f"{shown(name)} was called with {error}") from error
    except AttributeError as error:
        raise CannotFollow(f"{shown(name)}: {error}") from error
    except LINALG_ERRORS as error:
        raise np.linalg.LinAlgError(str(error)) from error
    except RuntimeError as error:
        raise ValueError(str(error)) from error


def shown(name: str) -> str:
    """The name of an operation as the code has it."""
    return name if name.startswith("scipy.") else f"np.{name}"


def write(out: Any, value: Any) -> Any:
    """The value in place of what `out` holds; a plain array cannot hold it, and is spoilt so that nobody reads it."""
    if isinstance(out, OnTorch):
        out[...] = value
        return out
    if isinstance(value, OnTorch) and isinstance(out, np.ndarray) and out.dtype.kind == "f":
        out[...] = np.nan
        return value
    out[...] = value
    return out


def plainly(name: str, original: Any, args: Any, kwargs: Any) -> Any:
    """NumPy's own answer, where it is exact (an index, a comparison) or nothing it is made from has a gradient."""
    if not callable(original):
        raise CannotFollow(f"{shown(name)} was called")
    moving = any(leaf.tensor.requires_grad for leaf in list_arrays((args, kwargs)))
    found = original(*detach(args), **detach(kwargs))
    if moving and not all(map(is_exact, found if isinstance(found, tuple) else [found])):
        raise CannotFollow(f"{shown(name)} was called")
    return constant(found)


def is_exact(value: Any) -> bool:
    """Whether a small change of the arrays that it was made from would not change it: no floats, a dtype."""
    return isinstance(value, np.dtype | type) or np.asarray(value).dtype.kind in "biuUS"


def list_arrays(value: Any) -> Iterator[OnTorch]:
    """Every OnTorch in a nest of lists, tuples and dicts."""
    if isinstance(value, OnTorch):
        yield value
    elif isinstance(value, list | tuple | dict):
        for part in value.values() if isinstance(value, dict) else value:
            yield from list_arrays(part)


def holds_arrays(value: Any) -> bool:
    """Whether there is one."""
    return next(list_arrays(value), None) is not None


def detach(value: Any) -> Any:
    """The plain numbers of every array of ours in such a nest."""
    if isinstance(value, OnTorch):
        return value.plain
    if type(value) is dict:
        return {key: detach(part) for key, part in value.items()}
    return type(value)(map(detach, value)) if type(value) in (list, tuple) else value


def constant(value: Any) -> Any:
    """Plain floating-point arrays as ours, without a gradient, in memory of their own."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "fc":
        return OnTorch(
            torch.as_tensor(np.array(value, np.complex128 if value.dtype.kind == "c" else float)), value.dtype
        )
    return type(value)(map(constant, value)) if type(value) in (list, tuple) else value


def array(value: Any, dtype: Any = None) -> Any:
    """An array of ours or of NumPy from numbers, lists or arrays; as it is where it is one."""
    if isinstance(value, list | tuple) and holds_arrays(value):
        parts = [array(part) for part in value]
        wide = [torch.as_tensor(to_tensor(part)).double() for part in parts]
        value = OnTorch(torch.stack(wide), common_dtype(parts))
    elif not isinstance(value, OnTorch | np.ndarray | np.generic | int | float | complex):
        value = np.asarray(value)
    if dtype is None:
        return value
    return value.astype(dtype) if isinstance(value, OnTorch) else constant(np.asarray(value, dtype))


def to_tensor(value: Any) -> Any:
    """What a rule is given: tensors and Python numbers, of float64 where they are floats."""
    if isinstance(value, OnTorch):
        return value.tensor
    if isinstance(value, np.ndarray):
        wide = value.astype(float) if value.dtype.kind == "f" else value
        return torch.as_tensor(np.array(wide, order="C")) if wide.dtype.kind in "biufc" else value
    return value.item() if isinstance(value, np.generic) else value


def to_torch(value: Any) -> Any:
    """The same in a nest of lists, tuples and dicts."""
    if type(value) is dict:
        return {key: to_torch(part) for key, part in value.items()}
    return type(value)(map(to_torch, value)) if type(value) in (list, tuple) else to_tensor(value)


def from_torch(value: Any, dtype: Any = FLOAT64) -> Any:
    """Floating-point tensors as ours, others as plain arrays."""
    if isinstance(value, torch.Tensor):
        if value.is_floating_point() or value.is_complex():
            return OnTorch(value, dtype)
        return value.numpy()[()]
    return type(value)(from_torch(part, dtype) for part in value) if type(value) in (list, tuple) else value


def common_dtype(args: Any) -> Any:
    """The precision that NumPy's result would have."""
    kinds = {v.dtype for arg in args for v in (arg if isinstance(arg, list | tuple) else [arg]) if hasattr(v, "dtype")}
    return FLOAT64 if FLOAT64 in kinds or not kinds else np.result_type(*kinds)


def as_index(index: Any) -> Any:
    """An index of plain arrays as one of tensors."""
    if isinstance(index, tuple):
        return tuple(map(as_index, index))
    if isinstance(index, OnTorch):
        raise IndexError("arrays used as indices must be of integer (or boolean) type")
    if isinstance(index, list):
        index = np.asarray(index)
    return to_tensor(index) if isinstance(index, np.ndarray | np.generic) else index
