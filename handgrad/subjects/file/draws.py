"""Whole numbers and booleans that are drawn for a shape; of floats the judge draws."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from handgrad.subjects.file.shapes import Drawn, Kind
from handgrad.subjects.file.sizes import Shape


def draw(asked: Drawn, shape: Shape, below: int, rng: np.random.Generator, *, in_torch: bool) -> Any:
    """A shape as it is, for the judge draws from it; whole numbers and booleans are constants, drawn here."""
    if asked.kind in (Kind.FLOAT, Kind.DATA):
        return shape
    values: NDArray[Any] = draw_mask(shape, rng)
    if asked.kind is Kind.INT:
        values = draw_indices(shape, below, rng)
    return torch.from_numpy(values) if in_torch else values


def draw_indices(shape: Shape, below: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Whole numbers of which one stands twice along every axis, and not all are one: so dE[x] += dh loses a term."""
    values, twice = np.asarray(rng.integers(below, size=shape)), np.zeros(shape, bool)
    one = tuple(rng.integers(shape))
    for axis, size in enumerate(shape):
        if size > 2 or (size == 2 and len(shape) > 1):
            other = (*one[:axis], (one[axis] + rng.integers(1, size)) % size, *one[axis + 1 :])
            values[other], twice[other], twice[one] = values[one], True, True
    if twice.any() and not twice.all() and (values[~twice] == values[one]).all():
        values[~twice] = (values[one] + 1) % below
    return values


def draw_mask(shape: Shape, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Half are True: one in every row at least, for a row that is masked as a whole has no mean; and not all."""
    mask = np.asarray(rng.random(shape) < 0.5)
    if shape and shape[-1] > 1:
        np.put_along_axis(mask, rng.integers(shape[-1], size=(*shape[:-1], 1)), True, axis=-1)
    if mask.size > 1 and mask.all():
        mask.flat[rng.integers(mask.size)] = False
    return mask
