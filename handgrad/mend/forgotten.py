"""A line that was left out after one that sets several variables at once.

Each variable of such a line is read once more right after it, in a statement `v = v` that is not in the source. What
that expression should give is what the variable should be for all lines that follow, and is looked up like any other.
"""

import ast
from collections.abc import Iterator
from typing import NamedTuple

from handgrad.source.tree import blocks, changed, parents_of


class Reading(NamedTuple):
    """The line that sets a variable, and its name."""

    after: ast.stmt
    name: str

    def with_line(self, value: ast.expr) -> dict[ast.AST, tuple[ast.AST, ...]]:
        """The edit that puts `name = value` after the line."""
        return {self.after: (self.after, assignment(self.name, value))}


def with_readings(tree: ast.AST) -> tuple[ast.AST, dict[ast.AST, Reading]]:
    """The tree with `v = v` after every line that sets several variables, and what reads which."""
    found: dict[ast.AST, Reading] = {}
    changes: dict[ast.AST, tuple[ast.AST, ...]] = {}
    for block in blocks(tree):
        for statement in block:
            lines = [assignment(name, ast.Name(name, ast.Load())) for name in names_set(statement)]
            found |= {line.value: Reading(statement, line.targets[0].id) for line in lines}  # type: ignore[attr-defined]
            if lines:
                changes[statement] = (statement, *lines)
    return changed(tree, changes, parents_of(tree)), found


def names_set(statement: ast.stmt) -> Iterator[str]:
    """The names that a line sets, where they are several."""
    for target in statement.targets if isinstance(statement, ast.Assign) else ():
        if isinstance(target, ast.Tuple):
            yield from (item.id for item in target.elts if isinstance(item, ast.Name))


def assignment(name: str, value: ast.expr) -> ast.Assign:
    return ast.Assign([ast.Name(name, ast.Store())], value)
