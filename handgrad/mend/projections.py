"""What is missing where entries share something: a sum along an axis, taken away from each of them.

Of a softmax dz = p * (dp - sum(p * dp)), of x / norm(x) it is du - u * sum(du * u), of log_softmax dy - p * sum(dy), of
shares w / sum(w) it is dp - sum(dp * p). So the value that is needed is what stands there, or a product of two things
at hand, less m * c where c is the same along an axis; m may be 1. What c is made of is looked up by its value.
"""

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, combinations_with_replacement, permutations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from handgrad.arrays.precision import to64
from handgrad.judge.isolation import quiet
from handgrad.mend.constants import FITS, MOST_SHARING
from handgrad.mend.edit import Edit
from handgrad.mend.expressions import Writing, filled
from handgrad.mend.material import Item

Float = NDArray[np.float64]
# What it costs beside the things that are written in it, as in templates.py: the term, a product in its sum, a factor.
TERM, OF_PRODUCT, OF_FACTOR = 4.5, 0.2, 0.5
# How a thing with one entry where c has one may be a factor of the sum: of a norm the root, of its derivative the cube.
FACTORS: Mapping[str, Callable[[Float], Float]] = {
    "{e} * {m}": lambda q: q,
    "{e} / {m}": lambda q: 1 / q,
    "{e} * {m} ** 2": lambda q: q**2,
    "{e} / {m} ** 2": lambda q: 1 / q**2,
    "{e} * {m} ** 3": lambda q: q**3,
    "{e} / {m} ** 3": lambda q: 1 / q**3,
}


class Thing(NamedTuple):
    """An expression that can be written, its value, and what that costs."""

    node: ast.expr
    value: Float
    cost: float


def with_shared_term(given: Thing, needed: Float, items: Sequence[Item], writing: Writing) -> Iterator[Edit]:
    """What stands there less a term whose entries share a sum along an axis, where that gives the value needed."""
    things = [Thing(i.node, to64(i.value), i.cost) for i in items if not i.is_piece and not i.is_number]
    alike = [thing for thing in things if thing.value.shape == needed.shape][:MOST_SHARING]
    with quiet():
        for axis in (i for i, n in enumerate(needed.shape) if n > 1):
            for m in (None, *alike):
                c = shared(given.value - needed, None if m is None else m.value, axis)
                sums = () if c is None else list_sums([given, *alike], axis, writing)
                for sign, total in () if c is None else find_factors(c, sums, things, writing):
                    term = total.node if m is None else filled("{m} * {n}", writing, m=m.node, n=total.node)
                    cost = TERM + total.cost + (0 if m is None else m.cost)
                    yield Edit(filled(f"{{e}} {sign} {{n}}", writing, e=given.node, n=term), cost)
            for m, n in permutations(alike, 2):
                product = m.value * n.value
                c = shared(product - needed, m.value, axis)
                if c is not None and is_near(product.sum(axis, keepdims=True), c):
                    text = f"{{m}} * ({{n}} - ({{m}} * {{n}}).sum({over(axis, product.ndim)}))"
                    yield Edit(filled(text, writing, m=m.node, n=n.node), TERM + m.cost + n.cost)


def shared(rest: Float, m: Float | None, axis: int) -> Float | None:
    """c with rest = m * c, the same along the axis; None where there is none. Without m, it is 1."""
    m = np.ones_like(rest) if m is None else m
    c: Float = (rest * m).sum(axis, keepdims=True) / (m * m).sum(axis, keepdims=True)
    return c if is_near(c * m, rest) else None


def list_sums(things: Sequence[Thing], axis: int, writing: Writing) -> Iterator[Thing]:
    """The sums and means along the axis of each thing, and of each product of two."""
    products = (
        Thing(filled("{m} * {n}", writing, m=m.node, n=n.node), m.value * n.value, m.cost + n.cost + OF_PRODUCT)
        for m, n in combinations_with_replacement(things, 2)
    )
    for node, value, cost in chain(things, products):
        for name, total in (("sum", value.sum(axis, keepdims=True)), ("mean", value.mean(axis, keepdims=True))):
            yield Thing(filled(f"{{m}}.{name}({over(axis, value.ndim)})", writing, m=node), total, cost)


def find_factors(
    c: Float, sums: Iterable[Thing], things: Sequence[Thing], writing: Writing
) -> Iterator[tuple[str, Thing]]:
    """The sums that are c or -c, alone or with a factor that has one entry where c has one; "-" where c, else "+"."""
    factors = [
        (text, thing, of(thing.value))
        for thing in things
        if thing.value.shape == c.shape
        for text, of in FACTORS.items()
    ]
    for total in sums:
        for sign, value in (("-", total.value), ("+", -total.value)):
            if is_near(value, c):
                yield sign, total
            for text, q, factor in factors:
                if is_near(value * factor, c):
                    node = filled(text, writing, e=total.node, m=q.node)
                    yield sign, Thing(node, c, total.cost + q.cost + OF_FACTOR)


def over(axis: int, ndim: int) -> str:
    """The arguments of a sum along an axis that keeps it; of a vector, none."""
    return "" if ndim == 1 else f"{{axis}}={-1 if axis == ndim - 1 else axis}, {{keep}}=True"


def is_near(value: Float, wanted: Float) -> bool:
    size = np.max(np.abs(wanted), initial=0.0)
    return bool(size and np.max(np.abs(value - wanted), initial=0.0) <= FITS * size)
