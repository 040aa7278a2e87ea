"""What an expression may have been meant to be: the edits that undo what people do, each with what it costs."""

import ast
import copy
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from types import CodeType
from typing import Any, NamedTuple

from handgrad.mend.edit import Edit, is_number
from handgrad.mend.local_edits import local_edits
from handgrad.mend.templates import AROUND
from handgrad.source.tree import changed, expression, parents_of

MOVED = 2.3  # what it costs to move axes as the passes do elsewhere
RENAMED = 1.8  # what another name costs, in all places of an expression


class Writing(NamedTuple):
    """How the code writes its arrays: the name of its module, how it says axis and keepdims, how it moves axes.

    moves: the orders of axes that stand in the passes, and those that undo them, as they are written behind a name.
    """

    np: str
    axis: str
    keep: str
    moves: tuple[str, ...] = ()


def own_edits(
    node: ast.expr, names: Sequence[str], numbers: Sequence[float], elsewhere: Callable[[ast.AST], bool]
) -> Iterator[Edit]:
    """Edits of the expression itself, and of those of its parts that are not edited elsewhere."""
    return edits_inside(node, lambda n: local_edits(n, names, numbers), elsewhere)


def edits_inside(
    node: ast.expr, edits: Callable[[ast.expr], Iterator[Edit]], elsewhere: Callable[[ast.AST], bool]
) -> Iterator[Edit]:
    """The edits of a node and of its parts, down to those that are edited elsewhere."""
    yield from edits(node)
    parents = parents_of(node)
    for part in parts_inside(node, elsewhere):
        for new, cost in edits(part):
            yield Edit(changed(node, {part: new}, parents), cost)


def rename_everywhere(node: ast.expr, names: Sequence[str]) -> Iterator[Edit]:
    """Another name wherever one stands that is there more than once: the line was copied from the other's."""
    loaded = [n for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)]
    parents = parents_of(node)
    for name, count in Counter(n.id for n in loaded).items():
        for other in names if count > 1 and name in names else ():
            if other != name:
                new = ast.Name(other, ast.Load())
                yield Edit(changed(node, {n: new for n in loaded if n.id == name}, parents), RENAMED)


def parts_inside(node: ast.expr, elsewhere: Callable[[ast.AST], bool]) -> Iterator[ast.expr]:
    """The expressions in a node, down to those that are edited elsewhere."""
    inside = list(ast.iter_child_nodes(node))
    while inside:
        part = inside.pop(0)
        if elsewhere(part):
            continue
        inside += list(ast.iter_child_nodes(part))
        if isinstance(part, ast.expr) and isinstance(getattr(part, "ctx", ast.Load()), ast.Load):
            yield part


def around(node: ast.expr, writing: Writing, table: Mapping[float, str] = AROUND) -> Iterator[Edit]:
    """Something put around the expression."""
    for text, cost in templates(table):
        yield Edit(filled(text, writing, e=node), cost)


def moved(node: ast.expr, writing: Writing) -> Iterator[Edit]:
    """Its axes in another order, as the passes have it elsewhere."""
    for move in (".T", *writing.moves):
        yield Edit(filled(f"{{e}}{move}", writing, e=node), MOVED)


def templates(table: Mapping[float, str]) -> Iterator[tuple[str, float]]:
    """Every template of a table with its cost."""
    for cost, texts in table.items():
        yield from ((text.strip(), cost) for text in texts.split(";") if text.strip())


@cache
def parsed(text: str, writing: Writing) -> ast.expr:
    """A template as a tree, with the names _e_, _m_ and _n_ for what is put in."""
    return expression(text.format(e="_e_", m="_m_", n="_n_", **writing._asdict()))


@cache
def compiled(text: str, writing: Writing) -> CodeType:
    """A template as code that takes values by the same names."""
    return compile(ast.Expression(parsed(text, writing)), "<template>", "eval")


def filled(text: str, writing: Writing, **parts: ast.expr) -> ast.expr:
    """The template with these expressions in it."""
    marks = {f"_{name}_": part for name, part in parts.items()}

    def build(node: ast.AST) -> ast.AST:
        if isinstance(node, ast.Name) and node.id in marks:
            return marks[node.id]
        new = copy.copy(node)
        for name, value in ast.iter_fields(node):
            if isinstance(value, ast.AST):
                setattr(new, name, build(value))
            elif isinstance(value, list):
                setattr(new, name, [build(v) if isinstance(v, ast.AST) else v for v in value])
        return new

    return build(parsed(text, writing))  # type: ignore[return-value]


def count_idle(tree: Any) -> int:
    """How many operations in it change nothing, as x * 1 and x += 0, or are written so by nobody, as x + x."""
    trees = tree if isinstance(tree, tuple) else (tree,)
    operations = (
        ast.BinOp(n.target, n.op, n.value) if isinstance(n, ast.AugAssign) else n for t in trees for n in ast.walk(t)
    )
    return sum(isinstance(n, ast.BinOp) and is_idle(n) for n in operations)


def is_idle(node: ast.BinOp) -> bool:
    neutral = 0 if isinstance(node.op, ast.Add | ast.Sub) else 1
    either = isinstance(node.op, ast.Add | ast.Mult)
    if not isinstance(node.op, ast.Add | ast.Sub | ast.Mult | ast.Div | ast.Pow):
        return False
    if isinstance(node.op, ast.Add | ast.Sub | ast.Div) and ast.dump(node.left) == ast.dump(node.right):
        return True
    sides = (node.left, node.right) if either else (node.right,)
    return any(isinstance(side, ast.Constant) and is_number(side.value) and side.value == neutral for side in sides)
