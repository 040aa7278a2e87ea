"""Edits of what stands between the brackets behind an array: another axis, one more or less, a slice elsewhere."""

import ast
from collections.abc import Iterator

from handgrad.mend.edit import Edit, number


def edit_count(array: ast.expr) -> Iterator[Edit]:
    """All entries where the rows were counted; all rows where those of the first axis were."""
    last = ast.Subscript(ast.Attribute(array, "shape", ast.Load()), number(-1), ast.Load())
    size = ast.Attribute(array, "size", ast.Load())
    for count in (size, ast.Call(ast.Attribute(array, "numel", ast.Load()), [], [])):
        yield Edit(count, 1)
        yield Edit(ast.BinOp(count, ast.FloorDiv(), last), 1.6)


def along_other_axes(index: ast.expr) -> Iterator[ast.expr]:
    """The one thing that an index takes, taken along another axis: [i] as [:, i], [:, ::-1] as [::-1]."""
    items = index.elts if isinstance(index, ast.Tuple) else [index]
    taken = [(place, item) for place, item in enumerate(items) if ast.unparse(item) != ":"]
    if len(taken) != 1 or ast.unparse(taken[0][1]) in ("None", "..."):
        return
    for axis in {0, 1, 2, len(items) - 1} - {taken[0][0]}:
        items = [*(ast.Slice() for _ in range(axis)), taken[0][1]]
        yield ast.Tuple(items, ast.Load()) if axis else taken[0][1]


def edit_index(node: ast.Subscript) -> Iterator[Edit]:
    yield Edit(node.value, 1.5)
    yield from (Edit(ast.Subscript(node.value, index, node.ctx), 1.4) for index in along_other_axes(node.slice))
    if isinstance(node.value, ast.Attribute) and node.value.attr == "shape":
        yield from edit_count(node.value.value)
    if isinstance(node.slice, ast.Slice):
        s = node.slice
        for new in (ast.Slice(s.upper, s.lower, s.step), ast.Slice(negative(s.upper), negative(s.lower), s.step)):
            yield Edit(ast.Subscript(node.value, new, ast.Load()), 1.5)
    elif isinstance(node.slice, ast.Name | ast.BinOp):
        for op in (ast.Add(), ast.Sub()):
            yield Edit(ast.Subscript(node.value, ast.BinOp(node.slice, op, ast.Constant(1)), ast.Load()), 1.5)
        yield Edit(ast.Subscript(node.value, ast.UnaryOp(ast.USub(), node.slice), ast.Load()), 2)
    if isinstance(node.slice, ast.Tuple) and len(node.slice.elts) == 2:
        swapped = ast.Tuple(node.slice.elts[::-1], ast.Load())
        yield Edit(ast.Subscript(node.value, swapped, ast.Load()), 1.5)


def edit_slice(node: ast.Slice) -> Iterator[Edit]:
    """The same number of entries cut off, some of them at the other end: [:-2] as [1:-1] and [2:]."""
    low, high = cut(node.lower), cut(node.upper)
    if low is None or high is None or node.step is not None or low < 0 or high > 0:
        return
    for first in range(low - high + 1):
        if first != low:
            last = first - (low - high)
            yield Edit(ast.Slice(number(first) if first else None, number(last) if last else None), 1.2)


def cut(bound: ast.expr | None) -> int | None:
    """The bound of a slice as a number; 0 where there is none."""
    if bound is None:
        return 0
    value = ast.unparse(bound)
    return int(value) if value.lstrip("-").isdigit() else None


def negative(node: ast.expr | None) -> ast.expr | None:
    if node is None:
        return None
    return node.operand if isinstance(node, ast.UnaryOp) else ast.UnaryOp(ast.USub(), node)
