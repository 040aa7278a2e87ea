"""Where a function may bend: at the numbers that stand in its code, and where the slope of its reference jumps."""

from collections.abc import Callable, Iterator, Mapping
from types import CodeType
from typing import Any

import numpy as np

from handgrad.judge.constants import BEND_JUMP, BEND_POINTS, BEND_RANGE, BEND_SMALLEST, BENDS, BESIDE, BEYOND
from handgrad.judge.isolation import attempt
from handgrad.subjects.function.reference import Reference


def numbers_in(*functions: Any) -> tuple[float, ...]:
    """The numbers other than 0, 1 and -1 that stand in the functions' code, defaults, closures and globals.

    >>> numbers_in(lambda x, low=-2.5: x.clip(low, 6))
    (2.5, 6.0)
    """
    found = {abs(float(n)) for f in functions for n in _numbers(f)}
    return tuple(sorted(n for n in found if n != 1 and 0 < n < BEYOND)[:BENDS])


def _numbers(function: Any) -> Iterator[float]:
    """Every number that a function's own lines can name."""
    if isinstance(owner := getattr(function, "__self__", function), type):  # a torch.autograd.Function, or its apply
        for part in ("forward", "backward"):
            yield from _numbers(vars(owner).get(part))
        return
    function = getattr(function, "__func__", getattr(function, "__wrapped__", function))
    code = getattr(function, "__code__", None)
    if code is None:
        return
    cells = (attempt(getattr, cell, "cell_contents").value for cell in function.__closure__ or ())
    names = {name for part in _parts(code) for name in part.co_names}
    outside = (function.__globals__[name] for name in names if name in function.__globals__)
    keywords = (function.__kwdefaults__ or {}).values()
    for value in (*_constants(code), *cells, *outside, *(function.__defaults__ or ()), *keywords):
        if isinstance(value, int | float | np.number) and not isinstance(value, bool) and np.isfinite(value):
            yield float(value)


def _parts(code: CodeType) -> Iterator[CodeType]:
    """The code and every function written inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _parts(constant)


def _constants(code: CodeType) -> Iterator[Any]:
    for part in _parts(code):
        for constant in part.co_consts:
            yield from constant if isinstance(constant, tuple) else (constant,)


def slope_jumps(reference: Reference, inputs: Mapping[str, Any]) -> tuple[float, ...]:
    """The numbers on both sides of every jump of an elementwise reference's slope; none for any other function.

    A jump stays when the step is halved; a steep slope does not.
    """
    name = next(iter(inputs))
    shape = inputs[name].shape
    size = int(np.prod(shape))

    def slope(t: Any) -> Any:
        """dx at every entry of t, for an upstream gradient of ones."""
        pieces = np.resize(t, (-(-len(t) // size), *shape))
        found = [reference.gradients({**inputs, name: piece}, np.ones(shape))[f"d{name}"] for piece in pieces]
        return np.concatenate([f.reshape(-1) for f in found])[: len(t)]

    def look() -> tuple[float, ...]:
        if any(v.shape != shape for v in inputs.values()) or reference.value(inputs).shape != shape:
            return ()
        grid = np.linspace(-BEND_RANGE, BEND_RANGE, BEND_POINTS) + BESIDE / 4  # off the whole numbers
        change = np.abs(np.diff(slope(grid)))
        around = np.maximum(np.r_[0, change[:-1]], np.r_[change[1:], 0])
        (at,) = np.nonzero(change > np.maximum(BEND_JUMP * around, BEND_SMALLEST))
        if not 0 < len(at) <= BENDS:
            return ()
        low, high = grid[at], grid[at + 1]
        for _ in range(56):  # from a grid step down to neighbouring numbers; at 0, which is drawn anyway, no further
            middle = (low + high) / 2
            left = np.abs(slope(middle) - slope(low)) >= np.abs(slope(high) - slope(middle))
            low, high = np.where(left, low, middle), np.where(left, middle, high)
        jumps = np.abs(slope(high) - slope(low)) > change[at] / 2
        return tuple(float(v) for pair in zip(low[jumps], high[jumps], strict=True) for v in pair if abs(v) > 1e-9)

    return attempt(look).value or ()


def draw_at(points: tuple[float, ...]) -> Callable[[np.random.Generator, tuple[int, ...]], Any]:
    """A draw of these numbers, of both signs, of their neighbours, and of what lies a little beside them."""
    near = [p * sign * f for p in points for sign in (1, -1) for f in (1, 1 + BESIDE, 1 - BESIDE)]

    def draw(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
        values = np.resize(rng.permutation(near), int(np.prod(shape)))
        return np.asarray(rng.permutation(values).reshape(shape))

    return draw
