"""The one wall: somebody's code runs here without spoiling anything, and what it raises is a value."""

import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, ParamSpec, TypeVar

import numpy as np
import torch

T = TypeVar("T")
P = ParamSpec("P")


@dataclass(frozen=True)
class Outcome(Generic[T]):
    """What a call gave, or the exception it raised."""

    value: T | None
    error: Exception | None = None


def attempt(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Outcome[T]:
    """The call made quietly. Code under judgement may raise anything, and its reference as well."""
    try:
        with quiet():
            return Outcome(call(*args, **kwargs))
    except Exception as error:
        return Outcome(None, error)


def raised_in(error: BaseException | None) -> traceback.FrameSummary | None:
    """The step of the code nearest to what was raised that is not ours, nor a library's; None where there is none."""
    own = (str(Path(__file__).parents[1]), str(Path(traceback.__file__).parent), "site-packages", "<")
    frames = traceback.extract_tb(error.__traceback__) if error else []
    theirs = [frame for frame in frames if not any(part in frame.filename for part in own)]
    return theirs[-1] if theirs else None


def raised_at(error: BaseException | None) -> str:
    """(file:line) of it; nothing where there is none."""
    step = raised_in(error)
    return f" ({step.filename}:{step.lineno})" if step else ""


@contextmanager
def quiet() -> Iterator[None]:
    """Without warnings: overflow and division by zero are judged by their results."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def duplicate(value: Any) -> Any:
    """Memory of its own for an array of any library, or for every array of a mapping; anything else as it is."""
    if isinstance(value, Mapping):
        return {key: duplicate(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    return value.__array_namespace__().asarray(value, copy=True) if hasattr(value, "__array_namespace__") else value


def contiguous(array: Any) -> Any:
    """The same numbers in memory of their own, in their order."""
    if isinstance(array, torch.Tensor):
        return array.detach().clone(memory_format=torch.contiguous_format)
    return np.array(array, order="C")


def contents(value: Any) -> tuple[bytes, ...]:
    """The bytes of every array in a nest of tuples, lists and mappings."""
    return tuple(_bytes(a) for a in leaves(value))


def _bytes(a: Any) -> bytes:
    if isinstance(a, torch.Tensor):
        flat = a.detach().cpu().clone(memory_format=torch.contiguous_format).reshape(-1)  # one entry may have stride 0
        return flat.view(torch.uint8).numpy().tobytes()
    return np.asarray(a).tobytes()


def leaves(value: Any, around: tuple[Any, ...] = ()) -> Iterator[Any]:
    """Every array in a nest of tuples, lists and mappings; what stands around it is not entered once more."""
    if any(value is outer for outer in around):
        return
    if isinstance(value, Mapping | tuple | list):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from leaves(part, (*around, value))
    elif hasattr(value, "shape"):
        yield value


def shares_memory(a: Any, b: Any) -> bool:
    """Whether two arrays use the same memory."""
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        return a.untyped_storage().data_ptr() == b.untyped_storage().data_ptr()
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return bool(np.shares_memory(a, b))
    return a is b
