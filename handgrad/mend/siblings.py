"""A line written as a line beside it is: dk = dk.reshape(T, C), where dv = dv.transpose(1, 0).reshape(T, C) stands."""

import ast
from collections.abc import Iterator, Sequence
from copy import deepcopy
from itertools import takewhile

NEAR = 3  # lines


def list_as_siblings(block: Sequence[ast.stmt], i: int) -> Iterator[tuple[ast.expr, ast.expr]]:
    """The value that statement i assigns, and what may have been meant: what a neighbour assigns, with its names."""
    own = assigned(block[i])
    for j in range(max(0, i - NEAR), min(len(block), i + NEAR + 1)):
        other = assigned(block[j])
        if not own or not other or own[0] == other[0]:
            continue
        meant = renamed(other[1], other[0], own[0])
        if ast.dump(meant) not in (ast.dump(own[1]), ast.dump(other[1])):
            yield own[1], meant


def assigned(statement: ast.stmt) -> tuple[str, ast.expr] | None:
    """The one name that a statement assigns to, and the value."""
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
        return None
    target = statement.targets[0]
    return (target.id, statement.value) if isinstance(target, ast.Name) else None


def renamed(value: ast.expr, old: str, new: str) -> ast.expr:
    """The value with one name's letters for the other's: from dq to dk, also qh is kh, and Wq is Wk.

    >>> ast.unparse(renamed(ast.parse("dqh @ Wq.T + dq", mode="eval").body, "dq", "dk"))
    'dkh @ Wk.T + dk'
    """
    front = alike(old, new)
    back = alike(old[front:][::-1], new[front:][::-1])
    letters, others = old[front : len(old) - back], new[front : len(new) - back]
    made = deepcopy(value)
    for node in ast.walk(made):
        if isinstance(node, ast.Name):
            node.id = new if node.id == old else node.id.replace(letters, others) if letters else node.id
    return made


def alike(one: str, other: str) -> int:
    """With how many of the same letters two words begin."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
