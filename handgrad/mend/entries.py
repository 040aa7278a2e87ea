"""A line that was left out after one that sets an array: dz[labels] -= 1, where a few entries should be others."""

import ast
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from handgrad.arrays.precision import to64
from handgrad.judge.isolation import attempt, duplicate
from handgrad.mend.indices import names_of
from handgrad.mend.material import AtHand, evaluate, is_whole
from handgrad.mend.required import Need

LINE = 3.5  # what such a line costs
# What is done to the entries v of an array d: how the line ends, and the values that they then have.
DONE: Mapping[str, Callable[[Any, Any], Any]] = {
    "-= 1": lambda v, d: v - 1,
    "+= 1": lambda v, d: v + 1,
    "= 0": lambda v, d: 0 * v,
    "= -{d}.sum({axis}=1)": lambda v, d: -d.sum(1),
}


def change_entries(
    name: str, value: Any, need: Need, hand: AtHand, indices: Iterator[ast.expr]
) -> Iterator[tuple[ast.stmt, float]]:
    """Lines that give some entries of a variable the values that they should have.

    value: the variable's; hand: what is at hand before it is set; indices: that stand in the passes.
    """
    for index in {ast.dump(i): i for i in (*indices, *of_labels(value, hand))}.values():
        at = attempt(evaluate, index, hand.scope)
        if at.error is not None or name in names_of(index):
            continue
        for done, entries in DONE.items():
            new = attempt(changed_at, value, at.value, entries).value
            if new is not None and need.served_by(to64(new)):
                end = done.format(d=name, axis=axis_word(value))
                yield ast.parse(f"{name}[{ast.unparse(index)}] {end}").body[0], LINE


def changed_at(value: Any, index: Any, entries: Callable[[Any, Any], Any]) -> Any:
    """A copy in which something is done to some entries."""
    new = duplicate(value)
    new[index] = entries(new[index], value)
    return new


def axis_word(value: Any) -> str:
    """What NumPy and torch call the axis of a sum."""
    return "dim" if hasattr(value, "requires_grad") else "axis"


def of_labels(value: Any, hand: AtHand) -> Iterator[ast.expr]:
    """One entry by a whole number at hand; one of each row by as many of them."""
    module = next((m for m in ("np", "torch") if m in hand.scope), "np")
    for item in hand.items:
        if is_whole(item.value) and np.ndim(value) == 1 and not item.is_piece:
            yield item.node
        kind = str(getattr(item.value, "dtype", ""))
        if np.ndim(value) == 2 and "int" in kind and np.shape(item.value) == np.shape(value)[:1]:
            rows = ast.parse(f"{module}.arange(len({ast.unparse(item.node)}))", mode="eval").body
            yield ast.Tuple([rows, item.node], ast.Load())
