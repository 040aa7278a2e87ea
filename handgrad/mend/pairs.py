"""Two things at hand that together with an expression give a value; the second is looked up by its value."""

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from handgrad.arrays.precision import to64
from handgrad.judge.isolation import quiet
from handgrad.mend.constants import FITS, MOST_ITEMS
from handgrad.mend.expressions import Writing, filled
from handgrad.mend.material import Item

Float = NDArray[np.float64]
# What is made of the expression e and two things m and n, and which n is needed for the value r;
# the last number is what it costs, as in templates.py.
JOINED: Sequence[tuple[str, Callable[[Float, Float, Float], Float], float]] = (
    ("{e} * {m} + {n}", lambda r, e, m: r - e * m, 5),
    ("{n} - {e} * {m}", lambda r, e, m: r + e * m, 5),
    ("{e} + {m} * {n}", lambda r, e, m: (r - e) / m, 5),
    ("{e} - {m} * {n}", lambda r, e, m: (e - r) / m, 5),
    ("{e} * ({m} + {n})", lambda r, e, m: r / e - m, 5.2),
    ("{e} * ({m} - {n})", lambda r, e, m: m - r / e, 5.2),
    ("{e} * {m} * {n}", lambda r, e, m: r / (e * m), 5),
    ("{e} * {m} / {n}", lambda r, e, m: e * m / r, 5),
    ("{e} / ({m} * {n})", lambda r, e, m: e / (r * m), 5.2),
    ("{m} * {n}", lambda r, e, m: r / m, 5),
    ("{m} / {n}", lambda r, e, m: m / r, 5),
    ("{m} + {n}", lambda r, e, m: r - m, 5),
    ("{m} - {n}", lambda r, e, m: m - r, 5),
)
# What else may be made of one thing: its text and its value. Of the first of two things the first four alone.
SHAPED: Mapping[str, Callable[[Float], Float]] = {
    "{m}": lambda m: m,
    "1 - {m}": lambda m: 1 - m,
    "{m} ** 2": lambda m: m**2,
    "1 - {m} ** 2": lambda m: 1 - m**2,
    "{m} * (1 - {m})": lambda m: m * (1 - m),
    "{np}.exp({m})": np.exp,
    "{np}.exp(-{m})": lambda m: np.exp(-m),
    "1 - {np}.exp(-{m})": lambda m: 1 - np.exp(-m),
    "1 / (1 + {np}.exp(-{m}))": lambda m: 1 / (1 + np.exp(-m)),
    "{np}.cos({m})": np.cos,
    "{np}.sin({m})": np.sin,
    "{np}.sign({m})": np.sign,
    "({m} > 0)": lambda m: (m > 0).astype(float),
    "{np}.sqrt({m})": np.sqrt,
}
FIRST = tuple(SHAPED)[:4]


class Thing(NamedTuple):
    """What may be joined: how it is written, its value, what it costs, and whether it may be the first of two."""

    node: ast.expr
    value: Float
    cost: float
    first: bool = False


def pairs(
    given: Float, needed: Float, items: Sequence[Item], writing: Writing
) -> Iterator[tuple[str, dict[str, ast.expr], float]]:
    """Templates with what is to stand for m and n in them, and what they cost."""
    with quiet():
        things = list(shaped(items, needed.shape, writing))
        numbers = [Thing(ast.Constant(n), np.full(needed.shape, float(n)), 0.3) for n in (1, 2, 0.5)]
        every = things + numbers
        stacked = np.array([thing.value for thing in every]).reshape(len(every), -1)
        for m in (thing for thing in things if thing.first):
            for text, second, cost in JOINED:
                wanted = second(needed, given, m.value)
                size = np.max(np.abs(wanted), initial=0.0)
                if not (np.isfinite(wanted).all() and size):
                    continue
                near = np.nonzero(np.abs(stacked[:, 0] - wanted.flat[0]) <= FITS * size)[0]
                for i in [i for i in near if np.all(np.abs(stacked[i] - wanted.reshape(-1)) <= FITS * size)][:3]:
                    yield text, {"m": m.node, "n": every[i].node}, cost + m.cost + every[i].cost


def shaped(items: Sequence[Item], shape: tuple[int, ...], writing: Writing) -> Iterator[Thing]:
    """Everything at hand that fits the shape, and what is often made of it."""
    for item in sorted(items, key=lambda i: i.cost)[:MOST_ITEMS]:
        try:
            value = np.broadcast_to(to64(item.value), shape)
        except ValueError:
            continue
        for text, of in SHAPED.items():
            made = of(value)
            if np.isfinite(made).all() and made.any():
                cost = item.cost + (0.5 if text != "{m}" else 0)
                yield Thing(filled(text, writing, m=item.node), made, cost, text in FIRST)
