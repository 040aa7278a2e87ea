"""The bounds of a slice, written and in numbers: what is added to one of them, or taken from it."""

import ast
from collections.abc import Callable
from typing import NamedTuple

from handgrad.mend.edit import number


class Bound(NamedTuple):
    """A bound as it is written, and the whole number that it is each time; all of it None where there is none."""

    node: ast.expr | None = None
    values: tuple[int, ...] | None = None

    @property
    def is_zero(self) -> bool:
        return self.values is not None and not any(self.values)


NONE = Bound()


class Window(NamedTuple):
    """Of one axis, from `lower` on, up to `upper`, in steps."""

    lower: Bound = NONE
    upper: Bound = NONE
    step: Bound = NONE

    @property
    def node(self) -> ast.Slice:
        return ast.Slice(self.lower.node, self.upper.node, self.step.node)

    def part(self, length: int, time: int) -> tuple[int, int, int]:
        """How many entries of an axis of this length it has, the first of them, and the step, the how-manieth time."""
        lower, upper, step = (None if b.values is None else b.values[time] for b in self)
        taken = range(*slice(lower, upper, step).indices(length)) if step != 0 else ()
        return len(taken), taken[0] if taken else 0, taken[1] - taken[0] if len(taken) > 1 else 1


def plus(bound: Bound, by: Bound) -> Bound:
    """
    >>> one, H = Bound(number(1), (1,)), Bound(ast.Name("H"), (5,))
    >>> ast.unparse(plus(H, one).node), plus(H, one).values
    ('H + 1', (6,))
    """
    return joined(bound, by, ast.Add(), lambda a, b: a + b)


def minus(bound: Bound, by: Bound) -> Bound:
    """
    >>> p, H = Bound(ast.Name("p"), (1,)), Bound(ast.Name("H"), (5,))
    >>> ast.unparse(minus(plus(H, p), p).node), minus(p, p).is_zero
    ('H', True)
    """
    return joined(bound, by, ast.Sub(), lambda a, b: a - b)


def negative(by: Bound) -> Bound:
    """So many entries before the end."""
    return minus(Bound(number(0), (0,) * len(by.values or ())), by)


def joined(bound: Bound, by: Bound, op: ast.Add | ast.Sub, of: Callable[[int, int], int]) -> Bound:
    """None where one of them is; a zero is not written, and what was added before is not taken away again."""
    if bound.values is None or by.values is None or bound.node is None or by.node is None:
        return NONE
    values = tuple(map(of, bound.values, by.values))
    a, b = bound.node, by.node
    if is_plain(a) and is_plain(b):
        return Bound(number(values[0]), values)
    if is_plain(b) and by.is_zero:
        return bound
    if is_plain(a) and bound.is_zero:
        return Bound(b if isinstance(op, ast.Add) else ast.UnaryOp(ast.USub(), b), values)
    if isinstance(op, ast.Sub) and ast.dump(a) == ast.dump(b):
        return Bound(number(0), values)
    undone = ast.Sub if isinstance(op, ast.Add) else ast.Add
    if isinstance(a, ast.BinOp) and isinstance(a.op, undone):
        if ast.dump(a.right) == ast.dump(b):
            return Bound(a.left, values)
        if undone is ast.Add and ast.dump(a.left) == ast.dump(b):
            return Bound(a.right, values)
    return Bound(ast.BinOp(a, op, b), values)


def is_plain(node: ast.expr) -> bool:
    """Whether it is a number as it is written."""
    return isinstance(node.operand if isinstance(node, ast.UnaryOp) else node, ast.Constant)
