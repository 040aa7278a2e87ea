"""NumPy's functions on torch tensors, from `torch._numpy`: a private room of torch that only this file enters.

tests/handgrad/arrays/test_on_torch.py pins what is needed of it.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch._numpy

private: Any = torch._numpy
LINALG_ERRORS: tuple[type[Exception], ...] = (vars(torch.linalg)["LinAlgError"], private.linalg.LinAlgError)


def find(name: str) -> Callable[..., Any] | None:
    """NumPy's function of that name ("sum", "linalg.inv") as one of torch tensors; None where there is none."""
    found: Any = private
    for part in name.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        return None
    return lambda *args, **kwargs: unwrap(found(*wrap(args), **wrap(kwargs)))


def wrap(value: Any) -> Any:
    """Tensors as torch._numpy's arrays, in a nest of tuples, lists and dicts."""
    if isinstance(value, torch.Tensor):
        return private.ndarray(value)
    if isinstance(value, dict):
        return {key: wrap(item) for key, item in value.items()}
    return type(value)(map(wrap, value)) if type(value) in (list, tuple) else value


def unwrap(value: Any) -> Any:
    """And back."""
    if isinstance(value, private.ndarray):
        return value.tensor
    return [unwrap(item) for item in value] if isinstance(value, list | tuple) else value
