"""Inputs that are not plain normal numbers."""

from collections.abc import Callable
from typing import Any

import numpy as np

Draw = Callable[[np.random.Generator], Any]


def labels(classes: int, *size: int) -> Draw:
    """Class numbers."""
    return lambda rng: rng.integers(classes, size=size)


def different(classes: int, n: int) -> Draw:
    """n class numbers, no two the same."""
    return lambda rng: rng.permutation(classes)[:n]


def positive(*size: int) -> Draw:
    """Numbers between 0.5 and 2."""
    return lambda rng: rng.uniform(0.5, 2, size)


def between(low: float, high: float, *size: int) -> Draw:
    """Numbers from that range."""
    return lambda rng: rng.uniform(low, high, size)


def wide(factor: float, *size: int) -> Draw:
    """Normal numbers times the factor."""
    return lambda rng: factor * rng.normal(size=size)


def mask(*size: int, keep: float = 0.6) -> Draw:
    """True where kept; something is kept in every row, something dropped in the whole."""

    def draw(rng: np.random.Generator) -> Any:
        kept = rng.random(size) < keep
        kept[..., 0] = True
        kept.reshape(-1)[-1] = False
        return kept

    return draw


def dropout(*size: int, keep: float = 0.7) -> Draw:
    """Boolean keep masks with both values in it."""

    def draw(rng: np.random.Generator) -> Any:
        kept = rng.random(size) < keep
        kept.reshape(-1)[:2] = True, False
        return kept

    return draw


def signs(*size: int) -> Draw:
    """Labels -1 and 1 as whole numbers, both of them there."""

    def draw(rng: np.random.Generator) -> Any:
        drawn = 2 * rng.integers(2, size=size) - 1
        drawn.reshape(-1)[:2] = 1, -1
        return drawn

    return draw


def zero_one(*size: int) -> Draw:
    """Labels 0 and 1 as whole numbers, both of them there."""

    def draw(rng: np.random.Generator) -> Any:
        drawn = rng.integers(2, size=size)
        drawn.reshape(-1)[:2] = 1, 0
        return drawn

    return draw


def definite(n: int) -> Draw:
    """A symmetric positive definite matrix."""

    def draw(rng: np.random.Generator) -> Any:
        a = rng.normal(size=(n, n))
        return a @ a.T / n + 0.5 * np.eye(n)

    return draw


def adjacency(n: int) -> Draw:
    """A directed graph with self loops, as booleans; not symmetric."""

    def draw(rng: np.random.Generator) -> Any:
        linked = rng.random((n, n)) < 0.4
        linked[0, 1], linked[1, 0] = True, False
        return linked | np.eye(n, dtype=bool)

    return draw
