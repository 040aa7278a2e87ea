"""Other windows of an array: [:H, :W] as [pad:pad + H, pad:pad + W], [k:] as [:-k], [:] as [::stride].

What is moved in one bound is mostly moved in the other as well, and along every axis that is cut; so whole windows are
made, of whole numbers at hand. Of those that have the same entries here a few are kept: at other sizes they differ.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from handgrad.judge.isolation import attempt
from handgrad.mend.bounds import NONE, Bound, Window, minus, negative, plus
from handgrad.mend.constants import MOST_COUNTS
from handgrad.mend.edit import Edit, number
from handgrad.mend.indices import bounds_of, items_of
from handgrad.mend.material import AtHand, evaluate, is_value, is_whole

Scope = Mapping[str, Any]
KNOWN, OTHER, ALONE = 1.3, 1.4, 0.2  # one that stands elsewhere, another, more where one axis of several is moved
PER_KIND = 0.01  # more for what is further down in `others`
CONSTANT, LESS, LENGTH = 0.1, 0.3, 0.4  # more for a constant of the passes, one less than a name, an array's length
NOWHERE = 0.5  # more for 1 and 2 where they stand nowhere
ALIKE = 3  # windows with the same entries that are kept
ZERO = ast.Constant(0)


class Whole(NamedTuple):
    """A whole number at hand, and what it costs to write it."""

    bound: Bound
    cost: float


def edit_window(
    node: ast.Subscript, hand: AtHand, scopes: Sequence[Scope], constants: Sequence[float]
) -> Iterator[list[Edit]]:
    """What else may stand between its brackets; together what has the same entries here.

    scopes: the names at hand, once for each time that is looked at; constants: of both passes.
    """
    shapes = [np.shape(array) for array in read(node.value, scopes)]
    axes = axes_of(node.slice, len(shapes[0])) if shapes else {}
    own = windows_of(node.slice, scopes)
    if not axes or own is None:
        return
    lengths = {place: [shape[axis] for shape in shapes] for place, axis in axes.items()}
    elsewhere = (windows_of(index, scopes) for index in hand.slices if is_alike(index, node.slice))
    known = [(windows, KNOWN) for windows in elsewhere if windows and windows.keys() <= own.keys()]
    met: dict[tuple[Any, ...], list[Edit]] = {}
    for changes, cost in sorted([*known, *moved(own, whole_numbers(hand, scopes, constants))], key=lambda m: m[1]):
        key = entries({**own, **changes}, lengths)
        if not key or len(alike := met.setdefault(key, [])) == ALIKE:
            continue
        new = with_windows(node.slice, changes)
        if ast.dump(new) not in [ast.dump(edit.node) for edit in alike]:
            alike.append(Edit(new, cost))
    met.pop(entries(own, lengths), None)
    yield from met.values()


def read(node: ast.expr, scopes: Sequence[Scope]) -> list[Any]:
    """An array each time; empty where it is none at one of them."""
    found = [attempt(evaluate, node, scope).value for scope in scopes]
    return found if all(map(is_value, found)) else []


def axes_of(index: ast.expr, count: int) -> dict[int, int]:
    """The places of the slices in an index, each with its axis of an array that has so many."""
    items = items_of(index)
    takes = [not (isinstance(i, ast.Constant) and (i.value is None or i.value is ...)) for i in items]
    dots = next((p for p, i in enumerate(items) if isinstance(i, ast.Constant) and i.value is ...), len(items))
    axis = [sum(takes[:p]) if p < dots else count - sum(takes[p:]) for p in range(len(items))]
    return {p: axis[p] for p, i in enumerate(items) if isinstance(i, ast.Slice)} if sum(takes) <= count else {}


def is_alike(index: ast.expr, other: ast.expr) -> bool:
    """Whether two indices have as many parts, so that one may stand for the other."""
    return type(index) is type(other) and len(items_of(index)) == len(items_of(other))


def windows_of(index: ast.expr, scopes: Sequence[Scope]) -> dict[int, Window] | None:
    """The slices of an index by their places in it; None where a bound is no whole number."""
    found = {}
    for place, item in enumerate(items_of(index)):
        if isinstance(item, ast.Slice):
            bounds = [NONE if b is None else bound_of(b, scopes) for b in bounds_of(item)]
            if None in bounds:
                return None
            found[place] = Window(*(b for b in bounds if b is not None))
    return found


def bound_of(node: ast.expr, scopes: Sequence[Scope]) -> Bound | None:
    """An expression with the whole number that it is each time; None where it is none."""
    values = [attempt(evaluate, node, scope).value for scope in scopes]
    return Bound(node, tuple(int(v) for v in values)) if all(map(is_whole, values)) else None  # type: ignore[arg-type]


def whole_numbers(hand: AtHand, scopes: Sequence[Scope], constants: Sequence[float]) -> list[Whole]:
    """Those at hand, the lengths of arrays, one less than a name, and the constants of both passes."""
    whole = [(item.node, item.cost) for item in hand.items if is_whole(item.value)]
    less = [(ast.BinOp(n, ast.Sub(), ast.Constant(1)), cost + LESS) for n, cost in whole if isinstance(n, ast.Name)]
    plain = [(number(c), CONSTANT if c in constants else NOWHERE) for c in {*constants, 1, 2} if is_whole(c) and c > 0]
    arrays = [item for item in hand.items if isinstance(item.node, ast.Name) and not item.is_number]
    sizes = [
        (ast.Subscript(ast.Attribute(item.node, "shape", ast.Load()), ast.Constant(axis), ast.Load()), LENGTH)
        for item in arrays
        for axis in range(np.ndim(item.value))
    ]
    nodes = sorted([*whole, *less, *plain, *sizes], key=lambda n: n[1])[:MOST_COUNTS]
    found = ((bound_of(node, scopes), cost) for node, cost in nodes)
    return [Whole(bound, cost) for bound, cost in found if bound is not None]


def moved(own: Mapping[int, Window], numbers: Sequence[Whole]) -> Iterator[tuple[dict[int, Window], float]]:
    """Other windows of the axes that are cut, all together and each alone, with what they cost.

    Where none is cut, of the last ones and of each alone.
    """
    cut = [place for place, window in own.items() if window != Window()]
    together = [tuple(cut)] if cut else [tuple(own)[i:] for i in range(len(own))]
    for places in dict.fromkeys([*together, *((place,) for place in own)]):
        more = OTHER + ALONE * (len(places) < len(cut))
        if cut and not set(places) <= set(cut):  # one that is not cut, as the others are
            yield from (({places[0]: own[other]}, more) for other in cut)
            continue
        rows = [(one,) * len(places) for one in numbers]
        if len(places) > 1:  # H, W for two axes: numbers that follow one another
            rows += zip(*(numbers[i:] for i in range(len(places))), strict=False)
        for row in rows:
            each = [others(own[place], one.bound) for place, one in zip(places, row, strict=True)]
            for kind, windows in enumerate(zip(*each, strict=True)):
                cost = more + max(one.cost for one in row) + PER_KIND * kind
                yield dict(zip(places, windows, strict=True)), cost


def others(own: Window, by: Bound) -> list[Window]:
    """What a window may have been meant to be, with a number in it: the likely ones first."""
    lower, upper, step = own
    first = Bound(ZERO, (0,) * len(by.values or ())) if lower == NONE else lower
    last = plus(by, upper) if lower == NONE else plus(upper, by)  # pad:pad + H, but i + pad:i + k + pad
    further, back, before_end = plus(first, by), minus(first, by), negative(by)
    width = minus(upper, first) if all(n >= 0 for n in upper.values or ()) else NONE
    moved = [(by, plus(by, width)), (by, before_end), (further, last), (back, minus(upper, by))]
    longer = [(lower, NONE), (NONE, upper), (NONE, NONE)]
    one_end = [(NONE, by), (by, NONE), (NONE, before_end), (before_end, NONE)]
    other_end = [(by, upper), (lower, before_end), (lower, by), (lower, further)]
    other_end += [(further, upper), (back, upper), (lower, last), (lower, minus(upper, by))]
    ends = [(a, b, step) for a, b in (*moved, *longer, *one_end, *other_end)]
    steps = [(lower, upper, by), (NONE, NONE, by), (by, upper, step), *((a, b, NONE) for a, b in (own[:2], *one_end))]
    return [Window(NONE if a.is_zero else a, b, s) for a, b, s in (*ends, *steps)]


def entries(windows: Mapping[int, Window], lengths: Mapping[int, Sequence[int]]) -> tuple[Any, ...]:
    """Which entries of the array they have, each time; () where it is none at all."""
    parts = [windows[p].part(n, time) for p, each in lengths.items() for time, n in enumerate(each)]
    return tuple(parts) if all(part[0] for part in parts) else ()


def with_windows(index: ast.expr, changes: Mapping[int, Window]) -> ast.expr:
    """The index with these windows at these places."""
    if not isinstance(index, ast.Tuple):
        return changes[0].node
    return ast.Tuple([changes[p].node if p in changes else item for p, item in enumerate(index.elts)], ast.Load())
