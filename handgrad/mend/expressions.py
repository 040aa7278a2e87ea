"""What an expression may have been meant to be: the edits that undo what people do, each with what it costs."""

import ast
import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from handgrad.mend.local_edits import Edit, local_edits
from handgrad.mend.templates import AROUND, SCALED, TOGETHER, WITH_NUMBER
from handgrad.source.tree import changed, expression, parents_of


class Writing(NamedTuple):
    """How the code writes its arrays: the name of its module, and how it says axis and keepdims."""

    np: str
    axis: str
    keep: str


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
    inside = list(ast.iter_child_nodes(node))
    while inside:
        part = inside.pop(0)
        if elsewhere(part):
            continue
        inside += list(ast.iter_child_nodes(part))
        if isinstance(part, ast.expr) and isinstance(getattr(part, "ctx", ast.Load()), ast.Load):
            for new, cost in edits(part):
                yield Edit(changed(node, {part: new}, parents), cost)


def around(node: ast.expr, writing: Writing) -> Iterator[Edit]:
    """Something put around the expression."""
    for text, cost in templates(AROUND):
        yield Edit(filled(text, writing, e=node), cost)


def scaled(node: ast.expr, writing: Writing) -> Iterator[Edit]:
    """The expression times a number."""
    for text, cost in templates(SCALED):
        yield Edit(filled(text, writing, e=node), cost)


def together(node: ast.expr, other: ast.expr, writing: Writing, more: float, *, number: bool) -> Iterator[Edit]:
    """The expression together with another one. more: what that one costs by itself; number: whether it is one."""
    for text, cost in templates(WITH_NUMBER if number else TOGETHER):
        yield Edit(filled(text, writing, e=node, m=other), cost + more)


def templates(table: Mapping[float, str]) -> Iterator[tuple[str, float]]:
    """Every template of a table with its cost."""
    for cost, texts in table.items():
        yield from ((text.strip(), cost) for text in texts.split(";") if text.strip())


_templates: dict[tuple[str, Writing], ast.expr] = {}


def filled(text: str, writing: Writing, **parts: ast.expr) -> ast.expr:
    """The template with these expressions in it."""
    if (text, writing) not in _templates:
        named = text.format(e="_e_", m="_m_", n="_n_", **writing._asdict())
        _templates[text, writing] = expression(named)
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

    return build(_templates[text, writing])  # type: ignore[return-value]
