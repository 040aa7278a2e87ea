"""A line that was left out after one that sets several variables at once, or writes into one, or in a loop.

Each variable of such a line is read once more right after it, in a statement `v = v` that is not in the source. What
that expression should give is what the variable should be for all lines that follow, and is looked up like any other.
In a loop the same is read at the start and at the end of each turn: of what was set before the loop.
"""

import ast
from collections.abc import Iterator
from typing import NamedTuple

from handgrad.source.tree import blocks, changed, parents_of

COMPOUND = (ast.For, ast.While, ast.If, ast.With, ast.Try, ast.FunctionDef)


class Reading(NamedTuple):
    """A line, a variable, and whether the variable is read before that line or after it."""

    at: ast.stmt
    name: str
    before: bool = False

    def with_line(self, value: ast.expr) -> dict[ast.AST, tuple[ast.AST, ...]]:
        """The edit that puts `name = value` beside the line."""
        new = assignment(self.name, value)
        return {self.at: (new, self.at) if self.before else (self.at, new)}


def with_readings(tree: ast.AST) -> tuple[ast.AST, dict[ast.AST, Reading]]:
    """The tree with `v = v` wherever a line may be missing, and what reads which."""
    found: dict[ast.AST, Reading] = {}
    sides: dict[ast.stmt, tuple[list[ast.stmt], list[ast.stmt]]] = {}
    for reading in dict.fromkeys([*after_several(tree), *after_writing(tree), *in_loops(tree)]):
        line = assignment(reading.name, ast.Name(reading.name, ast.Load()))
        found[line.value] = reading
        sides.setdefault(reading.at, ([], []))[not reading.before].append(line)
    changes: dict[ast.AST, tuple[ast.AST, ...]] = {at: (*b, at, *a) for at, (b, a) in sides.items()}
    return changed(tree, changes, parents_of(tree)), found


def after_several(tree: ast.AST) -> Iterator[Reading]:
    """After every line that sets several variables."""
    for block in blocks(tree):
        for statement in block:
            for target in statement.targets if isinstance(statement, ast.Assign) else ():
                if isinstance(target, ast.Tuple):
                    yield from (Reading(statement, item.id) for item in target.elts if isinstance(item, ast.Name))


def after_writing(tree: ast.AST) -> Iterator[Reading]:
    """After every line that writes into a part of an array: no expression has the value of the whole."""
    for block in blocks(tree):
        for statement in block:
            for target in targets_of(statement):
                if isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name):
                    yield Reading(statement, target.value.id)


def in_loops(tree: ast.AST) -> Iterator[Reading]:
    """At both ends of each turn: what the loop sets anew, and at its end what it might add to (zeros set before it)."""
    for loop in ast.walk(tree):
        if not isinstance(loop, ast.For):
            continue
        before = {n: s for s in ast.walk(tree) for n in names_set(s) if s.lineno < loop.lineno}  # type: ignore[attr-defined]
        inside = {n for s in ast.walk(loop) for n in names_set(s)}
        first, last = loop.body[0], loop.body[-1]
        if not isinstance(first, COMPOUND):
            yield from (Reading(first, name, before=True) for name in before if name in inside)
        if not isinstance(last, COMPOUND):
            yield from (Reading(last, name) for name, s in before.items() if name in inside or sets_zeros(s))


def names_set(statement: ast.AST) -> Iterator[str]:
    """The names that a statement gives values to."""
    for target in targets_of(statement):
        parts = target.elts if isinstance(target, ast.Tuple) else [target]
        yield from (part.id for part in parts if isinstance(part, ast.Name))


def targets_of(statement: ast.AST) -> list[ast.expr]:
    """What a statement assigns to."""
    if isinstance(statement, ast.Assign):
        return statement.targets
    return [statement.target] if isinstance(statement, ast.AugAssign) else []


def sets_zeros(statement: ast.AST) -> bool:
    """Whether it makes something to be added to: zeros, np.zeros_like(W)."""
    value = getattr(statement, "value", None)
    if isinstance(value, ast.Call):
        return "zeros" in ast.unparse(value.func)
    return isinstance(value, ast.Constant) and value.value == 0


def assignment(name: str, value: ast.expr) -> ast.Assign:
    return ast.Assign([ast.Name(name, ast.Store())], value)
