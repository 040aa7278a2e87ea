"""How axes are counted in what somebody wrote, from the front, 1, or from the end, -1; and how they are moved."""

import ast
from collections.abc import Iterable, Iterator, Sequence

from handgrad.mend.local_edits import WITH_AXIS
from handgrad.source.tree import expression


def signs_of_axes(nodes: Iterable[ast.AST]) -> frozenset[bool]:
    """Of every axis named in a call of these trees, whether it is counted from the end."""
    return frozenset(
        isinstance(n, ast.UnaryOp)
        for root in nodes
        for call in ast.walk(root)
        for value in axes_of_call(call)
        for n in (value.elts if isinstance(value, ast.Tuple) else [value])
        if isinstance(n, ast.UnaryOp) or (isinstance(n, ast.Constant) and isinstance(n.value, int) and n.value > 0)
    )


def axes_of_call(node: ast.AST) -> Iterator[ast.expr]:
    """What stands as an axis in a call, or in a keyword by itself."""
    yield from axes_of_keyword(node)
    if isinstance(node, ast.Call) and node.args and name_of(node.func) in WITH_AXIS.split():
        yield node.args[-1]


def same_axis_everywhere(own: ast.AST, trees: Sequence[ast.AST]) -> Iterator[dict[ast.AST, ast.AST]]:
    """An axis that several calls of a tree name, in all of them another that is named in these trees."""
    named = [value for tree in trees for node in ast.walk(tree) for value in axes_of_keyword(node)]
    texts = dict.fromkeys(map(ast.unparse, named))
    for text in texts:
        places = [value for node in ast.walk(own) for value in axes_of_keyword(node) if ast.unparse(value) == text]
        for other in texts if len(places) > 1 else ():
            if other != text:
                yield {place: expression(other) for place in places}


def other_axes(own: ast.AST) -> Iterator[tuple[ast.Call, ast.Call]]:
    """Each call of some other function than NumPy's that names an axis, with other ones: log_softmax(z, axis=0)."""
    for call in ast.walk(own):
        if isinstance(call, ast.Call) and name_of(call.func) not in WITH_AXIS.split():
            for i, keyword in enumerate(call.keywords):
                for text in ("0", "1", "-1") if [*axes_of_keyword(keyword)] else ():
                    other = ast.keyword(keyword.arg, expression(text))
                    yield call, ast.Call(call.func, call.args, [*call.keywords[:i], other, *call.keywords[i + 1 :]])


def axes_of_keyword(node: ast.AST) -> Iterator[ast.expr]:
    """What stands behind axis= or dim=."""
    if isinstance(node, ast.keyword) and node.arg in ("axis", "dim"):
        yield node.value


def name_of(called: ast.expr) -> str:
    """The name that is called, without what it belongs to."""
    return str(getattr(called, "attr", getattr(called, "id", "")))


def moves_of_axes(nodes: Iterable[ast.AST]) -> tuple[str, ...]:
    """Every order of axes in these trees, and the one that undoes it, as both are written behind an array.

    >>> moves_of_axes([ast.parse("x.transpose(0, 2, 3, 1)")])
    ('.transpose(0, 2, 3, 1)', '.transpose(0, 3, 1, 2)')
    """
    found: list[str] = []
    for call in (n for root in nodes for n in ast.walk(root) if isinstance(n, ast.Call)):
        word, order = name_of(call.func), [getattr(a, "value", None) for a in call.args]
        if word in ("transpose", "permute") and sorted(map(str, order)) == [str(i) for i in range(len(order))]:
            undone = sorted(range(len(order)), key=lambda i, order=order: order[i])  # type: ignore[misc]
            found += [f".{word}({', '.join(map(str, axes))})" for axes in (order, undone) if len(axes) > 1]
    return tuple(dict.fromkeys(found))
