"""Sizes that whole numbers of the code do not divide: groups = C // G means that G divides C.

A forward pass may run there all the same, x.reshape(N, G, -1), and its gradient is none that the backward pass was
written for. A division in which something is added or subtracted counts places, (H - k) // stride + 1: there what is
left over belongs to the function.
"""

import ast
from collections.abc import Mapping
from typing import Any

import numpy as np

from handgrad.arrays.precision import like
from handgrad.judge.isolation import attempt, duplicate
from handgrad.judge.note import Grave
from handgrad.judge.stage import Arrays
from handgrad.judge.verdict import Verdict
from handgrad.source.taps import Tapped
from handgrad.subjects.function.calling import Code
from handgrad.subjects.function.case import Case, Kind, Tried
from handgrad.subjects.function.through_autograd import program_of, with_passes

NOT_JUDGED = "{0}: not judged, `{1}` leaves a remainder there, and none at the sizes given"


def new_remainder(code: Code, usual: Arrays, inputs: Arrays) -> str | None:
    """The first division of sizes that leaves a remainder at these inputs and none at the usual ones, as it is written.

    None where there is none, or the source cannot be read.
    """
    program = attempt(program_of, code).value
    trees = [] if program is None else [part.source.tree for part in program.parts]
    if program is None or not any(division(node) for tree in trees for node in ast.walk(tree)):
        return None
    tapped = Tapped(program)
    then, now = (attempt(remainders, code, tapped, at).value for at in (usual, inputs))
    return next((text for text in now or () if text not in (then or ())), None)


def without_remainders(code: Code, first: Case, found: Tried) -> Tried:
    """A case at other sizes than the first that is wrong, without its row where it has a remainder that is new."""
    wrong = found.row is not None and found.row.isolated.verdict is not Verdict.CERTIFIED
    text = new_remainder(code, first.inputs, found.case.inputs) if wrong and found.case.kind is Kind.SIZES else None
    return Tried(found.case, None, (Grave(NOT_JUDGED.format(found.case.name, text)),)) if text else found


def remainders(code: Code, tapped: Tapped, inputs: Arrays) -> list[str]:
    """The divisions of sizes that leave a remainder somewhere in a run."""
    noted = Numbers()
    own = with_passes(code, tapped.passes(noted))
    args = [duplicate(a) for a in own.arguments(inputs)]
    ran = own.run_forward(args)
    dy = like(np.ones(np.shape(ran.y)), next(iter(inputs.values())))
    attempt(own.run_backward, args, ran.outputs, ran.cache, dy)
    divided = ((place.node, division(place.node)) for place in tapped.places)
    return [ast.unparse(node) for node, sides in divided if sides and leaves_one(sides, tapped, noted.seen)]


class Numbers:
    """A listener that keeps the whole numbers of each place, one for each time it was computed."""

    def __init__(self) -> None:
        self.seen: dict[int, list[int]] = {}

    def tap(self, number: int, value: Any) -> Any:
        if isinstance(value, int | np.integer):
            self.seen.setdefault(number, []).append(int(value))
        return value

    def note(self, number: int, names: Mapping[str, Any]) -> None:
        """The names are not needed."""


def leaves_one(sides: ast.BinOp, tapped: Tapped, seen: Mapping[int, list[int]]) -> bool:
    """Whether the sides did not divide, at any time."""
    left, right = (values_of(side, tapped, seen) for side in (sides.left, sides.right))
    times = max(len(left), len(right))
    pairs = zip(*(side * times if len(side) == 1 else side for side in (left, right)), strict=False)
    return any(n and m % n for m, n in pairs)


def values_of(node: ast.expr, tapped: Tapped, seen: Mapping[int, list[int]]) -> list[int]:
    """The whole numbers that an expression gave; of a constant, the one."""
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, int) else []
    return seen.get(tapped.number.get(node, -1), [])


def division(node: ast.AST) -> ast.BinOp | None:
    """a // b and int(a / b) of sizes: nothing is added to what is divided, or subtracted from it."""
    match node:
        case ast.BinOp(op=ast.FloorDiv()):
            found = node
        case ast.Call(func=ast.Name(id="int"), args=[ast.BinOp(op=ast.Div()) as inside]):
            found = inside
        case _:
            return None
    return None if any(isinstance(inner, ast.Add | ast.Sub) for inner in ast.walk(found.left)) else found
