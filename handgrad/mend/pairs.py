"""Two things at hand that together with an expression give a value; the second is looked up by its value."""

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from handgrad.arrays.precision import to64
from handgrad.judge.isolation import quiet
from handgrad.mend.constants import FITS, MOST_ITEMS
from handgrad.mend.expressions import Writing, filled
from handgrad.mend.material import Item

Float = NDArray[np.float64]
PLAIN = Writing("np", "axis", "keepdims")  # these templates name neither
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
# What else may be made of one thing: its text and its value.
SHAPED: Mapping[str, Callable[[Float], Float]] = {
    "{m}": lambda m: m,
    "1 - {m}": lambda m: 1 - m,
    "{m} ** 2": lambda m: m**2,
    "1 - {m} ** 2": lambda m: 1 - m**2,
}


def pairs(given: Float, needed: Float, items: Sequence[Item]) -> Iterator[tuple[str, dict[str, ast.expr], float]]:
    """Templates with what is to stand for m and n in them, and what they cost."""
    things = list(shaped(items, needed.shape))
    numbers = [(ast.Constant(n), np.full(needed.shape, float(n)), 0.3) for n in (1, 2, 0.5)]
    stacked = np.array([value for _, value, _ in things + numbers])
    with quiet():
        for m, value, more in things:
            for text, second, cost in JOINED:
                wanted = second(needed, given, value)
                size = np.max(np.abs(wanted), initial=0.0)
                if not (np.isfinite(wanted).all() and size):
                    continue
                for i in np.nonzero((np.abs(stacked - wanted) <= FITS * size).reshape(len(stacked), -1).all(1))[0][:3]:
                    n, _, too = (things + numbers)[i]
                    yield text, {"m": m, "n": n}, cost + more + too


def shaped(items: Sequence[Item], shape: tuple[int, ...]) -> Iterator[tuple[ast.expr, Float, float]]:
    """Everything at hand that fits the shape, and what is often made of it; with its value."""
    for item in sorted(items, key=lambda i: i.cost)[:MOST_ITEMS]:
        try:
            value = np.broadcast_to(to64(item.value), shape)
        except ValueError:
            continue
        for text, of in SHAPED.items():
            made = of(value)
            if np.isfinite(made).all() and made.any():
                yield filled(text, PLAIN, m=item.node), made, item.cost + (0.5 if text != "{m}" else 0)
