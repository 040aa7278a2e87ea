"""Draws for a pair of NumPy functions, and a search on them without the judge: quick enough for many small cases."""

from collections.abc import Callable

import numpy as np
import torch

from handgrad.arrays.on_torch.array import OnTorch
from handgrad.arrays.on_torch.copies import on_torch
from handgrad.mend.change import describe_edits
from handgrad.mend.draw import Draw
from handgrad.mend.search import FoundEdits, find_edits
from handgrad.source.clock import clock
from handgrad.source.program import read_program

Shapes = dict[str, tuple[int, ...]]


def make_draw(forward: Callable, right: Callable, shapes: Shapes, seed: int) -> Draw:
    """right(dy, cache) gives the right gradients of the inputs of these shapes, in their order."""
    rng = np.random.default_rng(seed)
    inputs = [rng.normal(size=shape) for shape in shapes.values()]
    y, cache = forward(*inputs)
    dy = rng.normal(size=np.shape(y))

    def named(y, grads):
        return {"y": y} | dict(
            zip((f"d{n}" for n in shapes), grads if isinstance(grads, tuple) else (grads,), strict=True)
        )

    def results(passes, array):
        y, cache = passes.forward(*map(array, inputs))
        return named(y, passes.backward(array(dy), cache))

    def follow(passes):
        return {n: v.tensor for n, v in results(on_torch(passes), lambda a: OnTorch(torch.tensor(a))).items()}

    expected = named(np.asarray(y), right(dy, cache))
    bound = {n: np.full(np.shape(v), 1e-8) for n, v in expected.items()}
    return Draw(lambda passes: results(passes, np.copy), follow, dy, expected, bound, in_float64=True)


def search(forward: Callable, wrong: Callable, draws: list[Draw], judge: Callable = lambda trees: None) -> FoundEdits:
    """What is found for a wrong backward pass."""
    return find_edits(read_program(forward, wrong), draws, judge, clock() + 60)


def after(forward: Callable, wrong: Callable, draws: list[Draw]) -> str:
    """What should stand in the one place that is changed; "" where nothing is found."""
    found = search(forward, wrong, draws).edits
    return "" if found is None else describe_edits(found).after
