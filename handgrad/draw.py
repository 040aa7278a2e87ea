"""Inputs drawn from shapes: ordinary ones, and every kind at which backward passes are wrong that looked right."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Shape = tuple[int, ...]
Draw = Callable[[np.random.Generator, Shape], Float]


def one_hot(rng: np.random.Generator, shape: Shape) -> Float:
    """A single one in every row."""
    out = np.zeros(shape)
    if shape:
        np.put_along_axis(out, rng.integers(shape[-1], size=(*shape[:-1], 1)), 1.0, axis=-1)
    return out


# What an input may look like when nobody says; the first that the reference accepts is the ordinary one.
ORDINARY: dict[str, Draw] = {
    "ordinary": lambda rng, shape: rng.normal(size=shape),
    "between 0 and 1": lambda rng, shape: rng.uniform(0.05, 0.95, size=shape),
    "positive": lambda rng, shape: rng.uniform(0.5, 3, size=shape),
}
SPECIAL: dict[str, Draw] = {
    "tiny, 1e-30": lambda rng, shape: 1e-30 * rng.normal(size=shape),
    "large, 1e4": lambda rng, shape: 1e4 * rng.normal(size=shape),
    "zeros": lambda rng, shape: np.zeros(shape),
    "ties": lambda rng, shape: rng.choice((-1.5, 0.5, 2.0), size=shape),
    "kinks": lambda rng, shape: np.where(rng.random(shape) < 0.5, rng.choice((-1.0, 0.0, 1.0), shape), rng.normal(size=shape)),
    "saturated": lambda rng, shape: rng.choice((-1, 1), size=shape) * rng.uniform(20, 800, size=shape),
    "one-hot": one_hot,
    "sparse": lambda rng, shape: rng.normal(size=shape) * (rng.random(shape) < 0.2),
}


def sizes(shapes: Mapping[str, Shape]) -> Iterator[tuple[str, dict[str, Shape]]]:
    """The same shapes at other sizes: all different, all equal, batch 1. A size keeps its role; a size of 1 stays."""
    found = sorted({n for shape in shapes.values() for n in shape if n > 1})
    first = next((shape[0] for shape in shapes.values() if shape), 1)
    ways = {
        "sizes all different": dict(zip(found, range(len(found) + 1, 1, -1), strict=True)),
        "sizes all equal": dict.fromkeys(found, 3),
        "batch 1": {first: 1},
    }
    for name, becomes in ways.items():
        new = {key: tuple(becomes.get(n, n) for n in shape) for key, shape in shapes.items()}
        if new != dict(shapes):
            yield name, new


def is_shape(value: Any) -> bool:
    """A tuple of positive integers; () is the shape of a scalar."""
    return isinstance(value, tuple) and all(isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in value)
