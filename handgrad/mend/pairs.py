"""Two things at hand that together with an expression give a value; the second is looked up by its value."""

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations, product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from handgrad.arrays.precision import to64
from handgrad.judge.isolation import quiet
from handgrad.mend.constants import FITS, MOST_ITEMS
from handgrad.mend.expressions import Writing, filled
from handgrad.mend.material import Item

Float = NDArray[np.float64]
# What is made of the expression e and a thing n, and which n is needed for the value r; then of e and two things m and
# n. The last number is what it costs, as in templates.py.
ALONE: Mapping[str, Callable[[Float, Float], Float]] = {
    "{e} + {n}": lambda r, e: r - e,
    "{e} - {n}": lambda r, e: e - r,
    "{n}": lambda r, e: r,
}
JOINED: Sequence[tuple[str, Callable[[Float, Float, Float], Float], float]] = (
    ("{e} * {m} + {n}", lambda r, e, m: r - e * m, 5),
    ("{n} - {e} * {m}", lambda r, e, m: r + e * m, 5),
    ("{e} + {m} * {n}", lambda r, e, m: (r - e) / m, 5),
    ("{e} - {m} * {n}", lambda r, e, m: (e - r) / m, 5),
    ("{e} + {m} / {n}", lambda r, e, m: m / (r - e), 5),
    ("{e} - {m} / {n}", lambda r, e, m: m / (e - r), 5),
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
# Products of two things, with what makes each of them a matrix of the product: the path of a sum that is missing.
PRODUCTS: Mapping[str, tuple[Callable[[Float], Float], Callable[[Float], Float]]] = {
    "{m} @ {n}": (np.asarray, np.asarray),
    "{m}.T @ {n}": (np.transpose, np.asarray),
    "{m} @ {n}.T": (np.asarray, np.transpose),
    "{np}.outer({m}, {n})": (lambda m: m[:, None], lambda n: n[None, :]),
}
OF_PRODUCT = 0.8  # more than a thing alone


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
        every = things + numbers + list(products(items, needed.shape, writing))
        stacked = np.array([thing.value for thing in every]).reshape(len(every), -1)
        for text, second in ALONE.items():
            for n in near(stacked, second(needed, given)):
                yield text, {"n": every[n].node}, 4.5 + every[n].cost
        for m in (thing for thing in things if thing.first):
            for text, other, cost in JOINED:
                for n in near(stacked, other(needed, given, m.value)):
                    yield text, {"m": m.node, "n": every[n].node}, cost + m.cost + every[n].cost


def near(stacked: Float, wanted: Float) -> list[int]:
    """Which of these values, one in a row, are the one that is wanted; three of them at most."""
    size = np.max(np.abs(wanted), initial=0.0)
    if not (np.isfinite(wanted).all() and size):
        return []
    first = np.nonzero(np.abs(stacked[:, 0] - wanted.flat[0]) <= FITS * size)[0]
    return [int(i) for i in first if np.all(np.abs(stacked[i] - wanted.reshape(-1)) <= FITS * size)][:3]


def products(items: Sequence[Item], shape: tuple[int, ...], writing: Writing) -> Iterator[Thing]:
    """The products of two arrays at hand that have this shape."""
    if not 0 < len(shape) <= 2:
        return
    arrays = [(i, to64(i.value)) for i in items if np.ndim(i.value) in (1, 2) and not i.is_piece][:MOST_ITEMS]
    for text, (left, right) in PRODUCTS.items():
        for (m, a), (n, b) in product(arrays, arrays):
            turned = ("{m}.T" in text and a.ndim == 1) or ("{n}.T" in text and b.ndim == 1)
            if turned or ("outer" in text) != (a.ndim == b.ndim == 1):
                continue
            try:
                value = np.matmul(left(a), right(b))
            except ValueError:
                continue
            if value.shape == shape and np.isfinite(value).all() and value.any():
                cost = m.cost + n.cost + OF_PRODUCT
                yield Thing(filled(text, writing, m=m.node, n=n.node), value, cost)


def summands(items: Sequence[Item], shape: tuple[int, ...], writing: Writing) -> Iterator[Thing]:
    """What may be added to an array of this shape: a thing at hand, its sum over the first axis, a product of two."""
    yield from products(items, shape, writing)
    values = [(item, to64(item.value)) for item in items][:MOST_ITEMS]
    for item, value in values:
        if value.shape == shape:
            yield Thing(item.node, value, item.cost)
        elif value.ndim and value.shape[1:] == shape:
            yield Thing(filled("{m}.sum({axis}=0)", writing, m=item.node), value.sum(0), item.cost + OF_PRODUCT / 2)
    for (m, a), (n, b) in combinations(values, 2):
        if shape in (a.shape, b.shape) and fits_into(a, shape) and fits_into(b, shape):
            yield Thing(filled("{m} * {n}", writing, m=m.node, n=n.node), a * b, m.cost + n.cost + OF_PRODUCT)


def fits_into(value: Float, shape: tuple[int, ...]) -> bool:
    """Whether it may stand beside an array of this shape without making it larger."""
    ours = value.shape[::-1]
    return len(ours) <= len(shape) and all(n in (1, m) for n, m in zip(ours, shape[::-1], strict=False))


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
