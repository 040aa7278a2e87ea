"""Fewer rows and columns of large inputs, for what asks for many runs of the code and not for many numbers."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from handgrad.judge.constants import FEWER_NUMBERS
from handgrad.judge.verdict import Verdict
from handgrad.subjects.function.calling import Code
from handgrad.subjects.function.case import Case, Kind, Tried, try_case
from handgrad.subjects.function.reference import Reference
from handgrad.subjects.function.through_autograd import by_autograd

Shape = tuple[int, ...]
SMALL_SIZES = (16, 4)  # up to which the largest size is divided, and to which the first axis alone is cut
Smaller = tuple[Code, Reference, Tried]


def on_fewer_numbers(
    code: Code, reference: Reference, first: Tried, rng: np.random.Generator, slack: float
) -> Smaller | None:
    """Code and reference with smaller constants, and the same case at fewer numbers; None where none is as good.

    Where the code is CERTIFIED at the numbers given it must be at the fewer as well, else these are none of its own.
    """
    arrays = {**code.constants, **first.case.inputs}
    shapes = {n: tuple(np.shape(a)) for n, a in arrays.items() if hasattr(a, "shape")}
    numbers = sum(int(np.prod(np.shape(a))) for a in first.case.inputs.values())
    if numbers < FEWER_NUMBERS or not is_certified(first) or not repeats(first):
        return None
    for wanted in smaller_shapes(shapes):
        small = {n: cut(arrays[n], shape) for n, shape in wanted.items()}
        constants = {n: small.get(n, value) for n, value in code.constants.items()}
        fewer = replace(code, constants=constants)
        if code.graph is not None:
            fewer = by_autograd(fewer, code.graph)
        theirs = replace(reference, constants={n: small.get(n, v) for n, v in reference.constants.items()})
        case = Case(first.case.name, {n: small[n] for n in first.case.inputs}, Kind.SPECIAL)
        tried = try_case(fewer, theirs, case, rng, slack, name_it=False)
        if tried.judgement is not None and is_certified(tried):
            return fewer, theirs, tried
    return None


def is_certified(tried: Tried) -> bool:
    """Whether its row is."""
    return tried.row is not None and tried.row.isolated.verdict is Verdict.CERTIFIED


def repeats(tried: Tried) -> bool:
    """Whether a second run gave the same, bit for bit."""
    return tried.judgement is not None and tried.judgement.trial.repeats


def smaller_shapes(shapes: Mapping[str, Shape]) -> Iterator[dict[str, Shape]]:
    """Every size divided by the same power of two, as far as it is one of its factors; then the first axis alone cut.

    So equal sizes stay equal, and multiples multiples.
    """
    largest = max(n for shape in shapes.values() for n in shape)
    by = 1
    while largest // by > SMALL_SIZES[0]:
        by *= 2
    yield {name: tuple(divide(n, by) for n in shape) for name, shape in shapes.items()}
    rows = next(shape[0] for shape in shapes.values() if shape)
    if rows > SMALL_SIZES[1]:
        yield {n: (SMALL_SIZES[1], *shape[1:]) if shape[:1] == (rows,) else shape for n, shape in shapes.items()}


def divide(size: int, by: int) -> int:
    """A size divided as often by two as it goes, at most by `by`; not below two.

    >>> divide(1024, 64), divide(48, 64), divide(7, 64)
    (16, 3, 7)
    """
    while by > 1 and size % 2 == 0 and size > 2:
        size, by = size // 2, by // 2
    return size


def cut(array: Any, shape: Shape) -> Any:
    """The first rows and columns, in memory of their own."""
    part = array[tuple(slice(0, n) for n in shape)]
    if isinstance(part, torch.Tensor):
        return part.detach().clone()
    return np.array(part) if isinstance(part, np.ndarray | np.generic) else part
