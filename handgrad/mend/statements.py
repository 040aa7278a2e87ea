"""What a statement may have been meant to be: left out, elsewhere, added instead of assigned, its results exchanged."""

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

from handgrad.mend.expressions import own_edits
from handgrad.mend.local_edits import OPERATORS
from handgrad.mend.siblings import list_as_siblings
from handgrad.source.tree import blocks

Replaced = Mapping[ast.AST, ast.AST | tuple[ast.AST, ...]]
DEFINITIONS = (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)  # which bind a name, and compute nothing
MASKS = (ast.Compare, ast.Name, ast.Attribute, ast.UnaryOp, ast.BinOp)


class Rewrite(NamedTuple):
    """Statements or expressions, and what may stand in their places."""

    changes: Replaced
    cost: float


def rewrites(tree: ast.AST, names: Sequence[str]) -> Iterator[Rewrite]:
    """Edits of whole statements."""
    for block in blocks(tree):
        for i, statement in enumerate(block):
            if not isinstance(statement, DEFINITIONS):
                yield from of_order(statement, block[i + 1] if i + 1 < len(block) else None, len(block) > 1)
                yield from of_assignment(statement)
                yield from of_masked(statement, names)
                yield from of_siblings(block, i)
                yield from of_results(statement, names)


def further_rewrites(
    tree: ast.AST, names: Sequence[str], numbers: Sequence[float], has_numbers: Callable[[ast.AST], bool]
) -> Iterator[Rewrite]:
    """Edits of those parts of statements that have no value to be compared; statements far from their place."""
    for block in blocks(tree):
        for statement in block:
            if not isinstance(statement, DEFINITIONS):
                yield from of_parts(statement, names, numbers, has_numbers)
        yield from of_places(block)


def of_order(statement: ast.stmt, following: ast.stmt | None, several: bool) -> Iterator[Rewrite]:
    """Left out, or after the next one."""
    if isinstance(statement, ast.Return):
        return
    if several:
        yield Rewrite({statement: ()}, 1.6)
    if following is not None and not isinstance(following, ast.Return):
        yield Rewrite({statement: following, following: statement}, 1.8)


def of_assignment(statement: ast.stmt) -> Iterator[Rewrite]:
    """= for +=, += for =, another operator, a copy."""
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target = statement.targets[0]
        if isinstance(target, ast.Name | ast.Subscript | ast.Attribute):
            for kind in OPERATORS[:2]:
                yield Rewrite({statement: ast.AugAssign(target, kind(), statement.value)}, 1.2)
            if isinstance(target, ast.Subscript):  # one entry of each row gets what the others of it have together
                total = ast.Call(ast.Attribute(with_context(target.value), "sum", ast.Load()), [ast.Constant(1)], [])
                yield Rewrite({statement.value: ast.UnaryOp(ast.USub(), total)}, 2)
                yield Rewrite({statement.value: total}, 2.2)
            if isinstance(statement.value, ast.Name | ast.Subscript | ast.Attribute):
                copied = ast.Call(ast.Attribute(statement.value, "copy", ast.Load()), [], [])
                yield Rewrite({statement.value: copied}, 2)
    if isinstance(statement, ast.AugAssign):
        if isinstance(statement.target, ast.Subscript) and isinstance(statement.op, ast.Add):
            yield from (Rewrite({statement: added}, 2.2) for added in with_repetitions(statement, statement.target))
        yield Rewrite({statement: ast.Assign([statement.target], statement.value)}, 1.2)
        for kind in OPERATORS:
            if not isinstance(statement.op, kind):
                yield Rewrite({statement: ast.AugAssign(statement.target, kind(), statement.value)}, 1.2)


def of_siblings(block: Sequence[ast.stmt], i: int) -> Iterator[Rewrite]:
    """Written as a line beside it."""
    yield from (Rewrite({value: new}, 1.9) for value, new in list_as_siblings(block, i))


def of_masked(statement: ast.stmt, names: Sequence[str]) -> Iterator[Rewrite]:
    """What is set where a mask is true, multiplied there, or times another array: dz[z < 0] = 0.1 * dy[z < 0]."""
    if not isinstance(statement, ast.Assign) or not isinstance(target := statement.targets[0], ast.Subscript):
        return
    if isinstance(target.slice, MASKS) and len(statement.targets) == 1:
        yield Rewrite({statement: ast.AugAssign(target, ast.Mult(), statement.value)}, 1.3)
        for name in names:
            there = ast.Subscript(ast.Name(name, ast.Load()), target.slice, ast.Load())
            yield Rewrite({statement.value: ast.BinOp(statement.value, ast.Mult(), there)}, 2)


def with_repetitions(statement: ast.AugAssign, target: ast.Subscript) -> Iterator[ast.stmt]:
    """x[i] += v where an index stands in i several times, as NumPy and as torch have it."""
    array = with_context(target.value)
    at = ast.Attribute(ast.Attribute(ast.Name("np", ast.Load()), "add", ast.Load()), "at", ast.Load())
    items = list(map(as_argument, target.slice.elts if isinstance(target.slice, ast.Tuple) else [target.slice]))
    index = ast.Tuple(items, ast.Load())
    yield ast.Expr(ast.Call(at, [array, index if len(items) > 1 else items[0], statement.value], []))
    put = ast.Attribute(array, "index_put_", ast.Load())
    yield ast.Expr(ast.Call(put, [index, statement.value], [ast.keyword("accumulate", ast.Constant(True))]))


def as_argument(index: ast.expr) -> ast.expr:
    """An index as it is written outside brackets: slice(None) for a colon."""
    if not isinstance(index, ast.Slice):
        return index
    none = ast.Constant(None)
    bounds = [index.lower or none, index.upper or none, *([index.step] if index.step else [])]
    return ast.Call(ast.Name("slice", ast.Load()), bounds[1:] if bounds == [none, none] else bounds, [])


def with_context(node: ast.expr) -> ast.expr:
    """The same array where it is read."""
    if isinstance(node, ast.Name):
        return ast.Name(node.id, ast.Load())
    if isinstance(node, ast.Attribute):
        return ast.Attribute(node.value, node.attr, ast.Load())
    return node


def of_results(statement: ast.stmt, names: Sequence[str]) -> Iterator[Rewrite]:
    """Two results, of a tuple or dictionary, exchanged; something for one that is None."""
    value = getattr(statement, "value", None)
    items = (
        value.elts if isinstance(value, ast.Tuple | ast.List) else value.values if isinstance(value, ast.Dict) else []
    )
    for a, b in combinations(items[:8], 2):
        yield Rewrite({a: b, b: a}, 1.5)
    for none in (i for i in items if isinstance(i, ast.Constant) and i.value is None):
        for name in (ast.Name(n, ast.Load()) for n in names):
            yield Rewrite({none: name}, 2)
            yield Rewrite({none: ast.UnaryOp(ast.USub(), name)}, 2.2)
    targets = statement.targets[0] if isinstance(statement, ast.Assign) else None
    if isinstance(targets, ast.Tuple):
        for a, b in combinations(targets.elts[:8], 2):
            yield Rewrite({a: b, b: a}, 1.7)


def of_parts(
    statement: ast.stmt, names: Sequence[str], numbers: Sequence[float], has_numbers: Callable[[ast.AST], bool]
) -> Iterator[Rewrite]:
    """Conditions, indices, loop ranges: what stands in no expression that gives numbers."""
    roots = [getattr(statement, n, None) for n in ("value", "iter", "test", "target")] + list(
        getattr(statement, "targets", [])
    )
    for root in roots:
        if not isinstance(root, ast.expr):
            continue
        if isinstance(getattr(root, "ctx", ast.Load()), ast.Store):
            inside = [n.slice for n in ast.walk(root) if isinstance(n, ast.Subscript)]
        else:
            inside = [] if has_numbers(root) else [root]
        for part in inside:
            for new, cost in own_edits(part, names, numbers, has_numbers):
                yield Rewrite({part: new}, cost + 0.3)
    if isinstance(statement, ast.For):
        yield Rewrite({statement.iter: turned_round(statement.iter)}, 1.8)


def turned_round(items: ast.expr) -> ast.expr:
    """What a loop runs over, from the other end."""
    if isinstance(items, ast.Call) and getattr(items.func, "id", "") == "reversed" and len(items.args) == 1:
        return items.args[0]
    return ast.Call(ast.Name("reversed", ast.Load()), [items], [])


def of_places(block: Sequence[ast.stmt]) -> Iterator[Rewrite]:
    """One statement moved further up or down."""
    for i, j in combinations(range(len(block)), 2):
        if j - i < 2 or j - i > 6 or any(isinstance(s, ast.Return | ast.FunctionDef) for s in (block[i], block[j])):
            continue
        first, second = block[i], block[j]
        yield Rewrite({first: (), second: (second, first)}, 2.4)
        yield Rewrite({second: (), first: (second, first)}, 2.4)
