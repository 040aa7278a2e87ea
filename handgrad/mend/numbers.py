"""A number of an expression that should be another one: which, and how that is written with what is at hand.

A count of the wrong axis, a constant typed short, another eps than the forward pass's: the value that the expression
should have tells the number, and the number tells what was meant.
"""

import ast
import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from handgrad.arrays.precision import to64
from handgrad.mend.constants import FITS, MOST_COUNTS, NEWTON_STEPS, SAME, STEP
from handgrad.mend.edit import Edit, number
from handgrad.mend.expressions import Writing, filled
from handgrad.mend.material import Item, is_whole

Float = NDArray[np.float64]
At = Callable[[float], Float | None]  # the value of an expression with another number in it

# What may be made of one number at hand, and of two, by what it costs beside them, as in templates.py.
OF_ONE: dict[str, tuple[Callable[[float], float], float]] = {
    "{m}": (lambda m: m, 1.0),
    "{m} - 1": (lambda m: m - 1, 1.5),
    "{m} + 1": (lambda m: m + 1, 1.5),
    "1 - {m}": (lambda m: 1 - m, 1.5),
    "2 * {m}": (lambda m: 2 * m, 1.5),
    "{m} / 2": (lambda m: m / 2, 1.5),
    "1 / {m}": (lambda m: 1 / m, 1.5),
    "{m} ** 2": (lambda m: m**2, 1.5),
    "{m} ** 0.5": (lambda m: m**0.5, 1.5),
    "{m} ** -0.5": (lambda m: m**-0.5, 1.6),
    "1 / (1 - {m})": (lambda m: 1 / (1 - m), 1.7),
    "2 / {m}": (lambda m: 2 / m, 1.7),
    "(2 * {m}) ** 0.5": (lambda m: (2 * m) ** 0.5, 1.7),
}
OF_TWO: dict[str, Callable[[float, float], float]] = {
    "{m} * {n}": lambda m, n: m * n,
    "{m} // {n}": lambda m, n: m // n if isinstance(m, int) and isinstance(n, int) and m % n == 0 else math.nan,
    "{m} / {n}": lambda m, n: m / n,
    "{m} - {n}": lambda m, n: m - n,
}
TWO = 2.0  # what two of them cost
FACTOR = 0.5  # more, where they are a factor of what stands there
PLAIN = 0.1  # what a number without a name costs: one that has a name is meant by it
ALIKE = 3  # ways to write one number that are kept: at another size they differ
LEAST = 0.01  # a number is moved as if it were as large, so that beside an eps digits are left for the difference


class Number(NamedTuple):
    """A number that can be written, and what it costs to write it."""

    node: ast.expr
    value: float
    cost: float


def find_number(at: At, now: float, wanted: Float) -> float | None:
    """The number with which an expression has the wanted value; None where none gives it.

    Newton's steps in the number itself, and in its reciprocal: a count divides.
    """
    for turned in (False, True):
        if turned and not now:
            continue
        t = 1 / now if turned else now

        def there(t: float, turned: bool = turned) -> Float | None:
            return at(1 / t if turned else t) if t or not turned else None

        for _ in range(NEWTON_STEPS):
            step = STEP * max(abs(t), LEAST)
            value, moved = there(t), there(t + step)
            if value is None or moved is None:
                break
            slope, missing = (moved - value) / step, wanted - value
            square = float(np.sum(slope * slope))
            if not square or not np.isfinite(square):
                break
            more = float(np.sum(slope * missing)) / square
            t += more
            found = there(t) if abs(more) <= FITS * max(abs(t), STEP) else None  # it has come to rest
            if found is not None and np.max(np.abs(found - wanted)) <= FITS * np.max(np.abs(wanted), initial=0.0):
                return 1 / t if turned else t
    return None


def numbers_at_hand(items: Sequence[Item], constants: Sequence[float], writing: Writing) -> list[Number]:
    """The numbers among what is at hand, the sizes of its arrays, and the constants of both passes."""
    found = [Number(number(c), c, PLAIN) for c in dict.fromkeys((*constants, 1, 2, 3, 4, 0.5))]
    found.append(Number(filled("{np}.pi", writing), math.pi, PLAIN))
    size = "{m}.numel()" if writing.axis == "dim" else "{m}.size"
    for item in items:
        if item.is_number:
            found.append(Number(item.node, item.value if is_whole(item.value) else float(to64(item.value)), item.cost))
        elif not item.is_piece:
            shape = np.shape(item.value)
            counts = [(f"{{m}}.shape[{i}]", n, 0.5) for i, n in enumerate(shape)] + [(size, math.prod(shape), 0.6)]
            found += [Number(filled(text, writing, m=item.node), n, item.cost + cost) for text, n, cost in counts]
    kept: dict[float, list[Number]] = {}
    for one in sorted(found, key=lambda n: n.cost):
        alike = kept.setdefault(one.value, [])
        if one.value not in (0, 1) and math.isfinite(one.value) and len(alike) < ALIKE:
            alike.append(one)  # of 0 and 1 others are made in templates.py
    return [one for alike in kept.values() for one in alike][:MOST_COUNTS]


def written(wanted: float, numbers: Sequence[Number], writing: Writing) -> Iterator[Edit]:
    """How a number may be written with those at hand."""
    for one in numbers:
        for text, (made, cost) in OF_ONE.items():
            if is_same(made(one.value), wanted):
                yield Edit(filled(text, writing, m=one.node), cost + one.cost)
    for text, join in OF_TWO.items():
        for m in numbers:
            for n in numbers:
                plain = isinstance(m.node, ast.Constant) and isinstance(n.node, ast.Constant)
                if not plain and is_same(join(m.value, n.value), wanted):
                    yield Edit(filled(text, writing, m=m.node, n=n.node), TWO + m.cost + n.cost)


def rewritten(node: ast.expr, now: float, wanted: float, numbers: Sequence[Number], writing: Writing) -> Iterator[Edit]:
    """How what gives one number may be written so that it gives another: anew, or with a factor."""
    yield from written(wanted, numbers, writing)
    if now:
        yield from with_factor(node, wanted / now, numbers, writing)


def with_factor(node: ast.expr, ratio: float, numbers: Sequence[Number], writing: Writing) -> Iterator[Edit]:
    """How an expression may be written so that it is so many times what it was."""
    for text, by in (("{e} * {m}", ratio), ("{e} / {m}", 1 / ratio)):
        for factor, cost in written(by, numbers, writing) if not is_same(ratio, 1) else ():
            yield Edit(filled(text, writing, e=node, m=factor), cost + FACTOR)


def is_same(value: complex, wanted: float) -> bool:
    return isinstance(value, float | int) and abs(value - wanted) <= SAME * abs(wanted)
