"""The sizes of what is drawn: one for every name, each its own, so that no two are taken for one another."""

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from itertools import chain, count

from handgrad.subjects.file.shapes import Drawn, Kind

SIZES = (3, 4, 5, 2)  # of named axes, as they come
Shape = tuple[int, ...]


def choose_sizes(drawn: Mapping[str, Drawn], hints: Mapping[str, Drawn], order: Sequence[int]) -> dict[str, Shape]:
    """A size for every name: where a shape was asked for, the size that it has there; else the next of `order`."""
    sizes: dict[str, int] = {}
    for name, hint in hints.items():
        for axis, size in zip(hint.axes, drawn[name].axes, strict=False):
            if isinstance(axis, str) and isinstance(size, int) and len(hint.axes) == len(drawn[name].axes):
                sizes.setdefault(axis, size)
    used = {*sizes.values(), *(axis for d in drawn.values() for axis in d.axes if isinstance(axis, int))}
    of_indices = {axis for d in drawn.values() if d.kind is Kind.INT for axis in d.axes}

    def next_size(axis: str) -> int:
        least = 3 if axis in of_indices else 1  # of two indices one cannot stand twice, and another beside it
        size = next(n for n in chain(order, count(max(SIZES) + 1)) if n not in used and n >= least)
        used.add(size)
        return size

    def size_of(axis: int | str) -> int:
        if isinstance(axis, int):
            return axis
        if axis not in sizes and is_computed(axis):
            return compute_size(axis, size_of)
        return (
            next_size(axis)
            if axis == "_"
            else sizes[axis]
            if axis in sizes
            else sizes.setdefault(axis, next_size(axis))
        )

    return {name: tuple(map(size_of, d.axes)) for name, d in drawn.items()}


def is_computed(axis: int | str) -> bool:
    """Whether a size is computed from others."""
    return isinstance(axis, str) and bool(set(axis.lstrip("*")) & set("+-*/"))


def compute_size(axis: str, size_of: Callable[[str], int]) -> int:
    """A size that is computed from others. Raises ValueError for one that is no size.

    >>> compute_size("4*k+1", {"k": 2}.__getitem__)
    9
    """

    def value(node: ast.AST) -> int:
        if isinstance(node, ast.BinOp):
            return int(OPERATIONS[type(node.op)](value(node.left), value(node.right)))
        return node.value if isinstance(node, ast.Constant) else size_of(node.id)  # type: ignore[return-value, attr-defined]

    found = value(ast.parse(axis, mode="eval").body)
    if found < 1:
        raise ValueError(f"the size {axis} of a type hint comes out as {found}; give --inputs that make it 1 or more")
    return found


OPERATIONS: Mapping[type, Callable[[int, int], int]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.FloorDiv: operator.floordiv,
}  # fmt: skip


def size_named(axis: str, named_by: Sequence[Mapping[str, Drawn]], shapes: Mapping[str, Shape]) -> int | None:
    """The size that an axis of this name has; None where nothing names it."""
    each = (item for drawn in named_by for item in drawn.items())
    named = (zip(d.axes, shapes[name], strict=False) for name, d in each if name in shapes)
    return next((size for own, size in chain.from_iterable(named) if own == axis), None)
