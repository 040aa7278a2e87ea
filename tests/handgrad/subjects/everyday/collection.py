"""How a function enters the collection: its name, and how its inputs are drawn."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Everyday(NamedTuple):
    """A forward pass as people write them. make: gives it anew, so that what it keeps is its own."""

    make: Callable[[], Callable[..., Any]]
    shapes: tuple[Any, ...]
    low: float | None


FUNCTIONS: dict[str, Everyday] = {}


def everyday(*shapes: Any, low: float | None = None) -> Any:
    """Enter the decorated forward pass. low: inputs are uniform from there, 2 wide; else normal deviates.

    What is no tuple of sizes is handed on as it is.
    """

    def enter(forward: Callable[..., Any]) -> Callable[..., Any]:
        assert forward.__name__ not in FUNCTIONS, f"{forward.__name__}: two have this name"
        FUNCTIONS[forward.__name__] = Everyday(lambda: forward, shapes, low)
        return forward

    return enter


def made(*shapes: Any, low: float | None = None) -> Any:
    """The same for a function that makes the forward pass: a closure, or a method of an object."""

    def enter(make: Callable[[], Callable[..., Any]]) -> Callable[[], Callable[..., Any]]:
        assert make.__name__ not in FUNCTIONS, f"{make.__name__}: two have this name"
        FUNCTIONS[make.__name__] = Everyday(make, shapes, low)
        return make

    return enter


def draw(function: Everyday, seed: int = 0) -> list[Any]:
    """Its arguments."""
    rng = np.random.default_rng(seed)

    def one(shape: tuple[int, ...]) -> Any:
        return rng.normal(size=shape) if function.low is None else rng.uniform(function.low, function.low + 2, shape)

    return [one(s) if isinstance(s, tuple) else s for s in function.shapes]


def result(forward: Callable[..., Any], args: list[Any]) -> Any:
    """y alone, of a forward pass that may write into its arguments."""
    out = forward(*(np.array(a) if isinstance(a, np.ndarray) else a for a in args))
    return np.asarray(out[0] if isinstance(out, tuple) else out, float)


def slopes(function: Everyday, args: list[Any], which: int, dy: Any) -> Any:
    """d(dy . y) / d(args[which]) by central differences of sixth order, entry by entry."""
    found = np.zeros(np.shape(args[which]))

    def value(at: tuple[int, ...], step: float) -> float:
        moved = np.array(args[which])
        moved[at] += step
        return float(np.sum(dy * result(function.make(), [*args[:which], moved, *args[which + 1 :]])))

    for at in np.ndindex(found.shape):
        wide, half, fine = ((value(at, h) - value(at, -h)) / (2 * h) for h in (1e-3, 5e-4, 2.5e-4))
        found[at] = (64 * fine - 20 * half + wide) / 45
    return found


def is_drawn(shape: Any) -> bool:
    """Whether it stands for an array that has a gradient."""
    return isinstance(shape, tuple)
