"""A whole number that a line gives to a name, m = H * W, as another one.

It has no value that least squares could ask for. The number with which everything is right is found by running the
code with a few others.
"""

import ast
from collections.abc import Callable, Iterator, Sequence

from handgrad.mend.edit import Edit
from handgrad.mend.expressions import Writing
from handgrad.mend.material import AtHand, is_whole
from handgrad.mend.numbers import Float, find_number, is_same, numbers_at_hand, rewritten


def counts_set(tree: ast.AST) -> Iterator[tuple[ast.stmt, ast.expr]]:
    """Every line that gives one name a value, with what it gives."""
    for line in ast.walk(tree):
        if isinstance(line, ast.Assign) and len(line.targets) == 1 and isinstance(line.targets[0], ast.Name):
            yield line, line.value


def edit_count(
    value: ast.expr,
    hand: AtHand,
    run: Callable[[float], Float | None],
    right: Float,
    constants: Sequence[float],
    writing: Writing,
) -> Iterator[Edit]:
    """What a count may have been meant to be.

    run: the results with another number in its place; right: the results as they should be.
    """
    now = hand.value(value)
    found = find_number(run, float(now), right) if is_whole(now) and now else None
    if found and not is_same(found, now):
        yield from rewritten(value, now, found, numbers_at_hand(hand.items, constants, writing), writing)
