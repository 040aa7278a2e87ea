"""The whole numbers that a line depends on, and whether the backward pass computes them as the forward pass does.

Where an index or the bound of a loop is computed in the backward pass alone, nothing tells whether it is right; and a
line that it makes wrong is not the line to look at.
"""

import ast
from collections.abc import Iterator, Sequence

from handgrad.mend.axes import name_of
from handgrad.mend.indices import counts, indices_in, names_of
from handgrad.source.program import Part
from handgrad.source.tree import parents_of

# Functions whose results are places in an array.
PLACES = {"argmax", "argmin", "argsort", "argpartition", "unravel_index", "searchsorted", "nonzero", "flatnonzero"}


def uses_own_counts(part: Part, statement: ast.AST, parts: Sequence[Part]) -> bool:
    """Whether an index in the statement, or a loop around it, is a number that another line computes, and forward not.

    parts: of the whole program.
    """
    if not part.backward:
        return False
    others = [p.source.tree for p in parts if p is not part]
    elsewhere = {ast.unparse(n) for tree in others for n in ast.walk(tree) if isinstance(n, ast.expr)}
    lines = (line for line in ast.walk(part.source.tree) if line is not statement)
    own = {name: value for line in lines for name, value in set_by(line)}
    places = {name for name in names_of(statement) if name in own and finds_places(own[name])}
    waiting, seen = [n for n in places.union(*names_read(part.source.tree, statement)) if n in own], set[str]()
    while waiting:
        name = waiting.pop()
        value = own[name]
        if name in seen or ast.unparse(value) in elsewhere:
            continue
        seen.add(name)
        if counts(value) or finds_places(value):
            return True
        waiting += [n for n in names_of(value) if n in own and isinstance(value, ast.Subscript)]
    return False


def names_read(tree: ast.AST, statement: ast.AST) -> Iterator[set[str]]:
    """By the indices of the statement, and by the heads of the loops that it stands in."""
    yield from map(names_of, indices_in(statement))
    parents = parents_of(tree)
    while statement in parents:
        statement = parents[statement]
        if isinstance(statement, ast.For):
            yield names_of(statement.iter)


def set_by(line: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Each name that an assignment sets, with what it is set to; several of one value each with the whole."""
    for target in line.targets if isinstance(line, ast.Assign) else ():
        value = line.value  # type: ignore[attr-defined]
        names = target.elts if isinstance(target, ast.Tuple | ast.List) else [target]
        values = value.elts if isinstance(value, ast.Tuple) and len(value.elts) == len(names) else [value] * len(names)
        yield from ((n.id, v) for n, v in zip(names, values, strict=True) if isinstance(n, ast.Name))


def finds_places(value: ast.AST) -> bool:
    """Whether its result are places in an array."""
    return any(isinstance(n, ast.Call) and name_of(n.func) in PLACES for n in ast.walk(value))
