"""What `torch_ref` lends to `manual`, which may not import it. Empty until somebody imports torch_ref."""

from collections.abc import Callable
from typing import Any

LENT: dict[str, Callable[..., Any]] = {}  # "to_module": torch_ref.to_module


def borrow(name: str, why: str) -> Callable[..., Any]:
    """The function of that name. ImportError that says `why` it is asked for and what to do, where it is not there.

    >>> borrow("to_modul", "to_torch() makes a module of PyTorch")
    Traceback (most recent call last):
    ImportError: to_torch() makes a module of PyTorch: import torch_ref first
    """
    if name not in LENT:
        raise ImportError(f"{why}: import torch_ref first")
    return LENT[name]
