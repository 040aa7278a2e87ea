"""The exhibits of examples/museum, and one of them as the checkers' users would call it."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

MUSEUM = Path(__file__).resolve().parent.parent / "examples" / "museum"


@dataclass(frozen=True)
class Exhibit:
    """One historical mistake, as its file tells it.

    title       the first line of the file
    report      the public report's address, or how it was seen
    what        what was wrong, in a sentence
    why_unseen  why its tests did not see it, in a sentence
    forward     y, cache = forward(*inputs)
    wrong       gradients = wrong(dy, cache)
    right       gradients = right(dy, cache)
    reference   y = reference(*inputs), in torch
    inputs      what every checker gets: shapes, arrays, constants
    smallest    inputs and dy, numbers that show the mistake
    asked       what handgrad is given besides: shapes to draw from, a precision
    own_test    whether the test of the project passes, as far as the report tells it; None if it does not
    """

    name: str
    title: str
    report: str
    what: str
    why_unseen: str
    forward: Callable[..., Any]
    wrong: Callable[..., Any]
    right: Callable[..., Any]
    reference: Callable[..., Any]
    inputs: list[Any]
    smallest: tuple[list[Any], Any]
    asked: dict[str, Any]
    own_test: Callable[..., bool] | None

    @property
    def in_torch(self) -> bool:
        """Whether its code is written in torch, where strides can be shown; else in NumPy."""
        return isinstance(self.smallest[1], torch.Tensor)


def load(path: Path) -> Exhibit:
    """The exhibit in that file. AttributeError where the file lacks a name."""
    spec = importlib.util.spec_from_file_location(f"museum_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    names = ("report", "what", "why_unseen", "forward", "wrong", "right", "reference", "inputs", "smallest")
    title = (module.__doc__ or "").partition("\n")[0]
    asked, own_test = getattr(module, "asked", {}), getattr(module, "own_test", None)
    return Exhibit(path.stem, title, *(getattr(module, name) for name in names), asked, own_test)


EXHIBITS = {path.stem: load(path) for path in sorted(MUSEUM.glob("*.py"))}


def variable(value: Any) -> bool:
    """Whether an input has a gradient: an array of floating-point numbers."""
    return hasattr(value, "dtype") and "float" in str(value.dtype)


def draw(inputs: list[Any], dtype: torch.dtype, seed: int) -> list[Any]:
    """The inputs as numbers: normal deviates for a shape, tensors of that precision; constants as they are."""
    rng = np.random.default_rng(seed)
    drawn = [rng.normal(size=value) if isinstance(value, tuple) else value for value in inputs]
    return [to_tensor(value).to(dtype) if variable(value) else value for value in drawn]


def to_tensor(value: Any) -> torch.Tensor:
    """A tensor with the same numbers, which shares no memory."""
    return value.detach().clone() if isinstance(value, torch.Tensor) else torch.tensor(np.asarray(value))


def as_torch(exhibit: Exhibit, backward: Callable[..., Any]) -> Callable[..., torch.Tensor]:
    """The exhibit as a torch function with that backward pass: what a user of torch has, and what gradcheck takes.

    NumPy code gets views of the tensors, so that what it overwrites is overwritten.
    """
    own = (lambda a: a) if exhibit.in_torch else as_numpy

    class Hand(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *args: Any) -> torch.Tensor:
            ctx.variable = [variable(a) for a in args]
            y, ctx.held = exhibit.forward(*map(own, args))
            return y if exhibit.in_torch else to_tensor(y)

        @staticmethod
        def backward(ctx: Any, dy: torch.Tensor) -> Any:  # type: ignore[override]
            grads = backward(own(dy), ctx.held)
            found = iter(grads if isinstance(grads, tuple) else (grads,))
            found = iter(g if g is None or exhibit.in_torch else torch.as_tensor(g) for g in found)
            return tuple(next(found) if has else None for has in ctx.variable)

    return Hand.apply


def as_numpy(value: Any) -> Any:
    return value.detach().numpy() if isinstance(value, torch.Tensor) else value


def run(function: Callable[..., torch.Tensor], inputs: list[Any], dy: torch.Tensor) -> list[torch.Tensor | None]:
    """The gradients of the inputs that have one, after function(*inputs).backward(dy)."""
    leaves = [value.detach().requires_grad_() if variable(value) else value for value in inputs]
    function(*leaves).backward(dy)
    return [leaf.grad for leaf, value in zip(leaves, inputs, strict=True) if variable(value)]


def run_reference(exhibit: Exhibit, inputs: list[Any], dy: torch.Tensor) -> list[torch.Tensor | None]:
    """The same by autograd, on copies."""
    own = [to_tensor(v) if isinstance(v, np.ndarray | torch.Tensor) else v for v in inputs]
    return run(exhibit.reference, own, to_tensor(dy))
