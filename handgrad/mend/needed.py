"""What one statement gives on every draw, and what it should give."""

import ast
from collections.abc import Sequence

from handgrad.mend.change import unparse
from handgrad.mend.draw import Draw, Float
from handgrad.mend.required import find_needs
from handgrad.source.program import Program
from handgrad.source.safely import safely
from handgrad.source.taps import Tapped


def find_values(
    program: Program, draws: Sequence[Draw], statement: ast.AST, deadline: float
) -> list[tuple[Float, Float]]:
    """Given and needed value of its largest expression, on each draw on which no other value would do as well."""
    tapped, found = Tapped(program), list[tuple[Float, Float]]()
    largest = max((i for i, place in enumerate(tapped.places) if place.statement is statement), default=-1)
    with safely():
        for draw in draws:
            need = next(iter(find_needs(tapped, draw, deadline, only=[largest]).found), None)
            if need is not None and need.unique and len(need.values) == 1:
                found.append((need.given[0], need.values[0]))
    return found


def value_name(statement: ast.AST) -> str:
    """What the value of a statement is called."""
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        return unparse(statement.targets[0])
    if isinstance(statement, ast.AugAssign):
        return f"what changes {unparse(statement.target)}"
    return "the result" if isinstance(statement, ast.Return) else "the value"
