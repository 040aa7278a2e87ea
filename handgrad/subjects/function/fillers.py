"""Fillers: numbers that stand for infinity, and no longer do where the other numbers are as large.

    scores = np.where(mask, scores, -1e9)      masks, but not beside scores near -1e9: softmax gives it a share there

Their author means infinity. Inputs at which y depends on how large a filler is are none of the function that is meant:
no backward pass is accused there, and the report says so.
"""

import ast
import inspect
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from handgrad.arrays.precision import like, to64
from handgrad.judge.constants import BEYOND, HUGE
from handgrad.judge.isolation import attempt, duplicate, quiet
from handgrad.judge.stage import Arrays
from handgrad.source.program import Part, Passes, Program, cells_of, read_program
from handgrad.source.tree import Changes, changed, parents_of
from handgrad.subjects.function.calling import Code
from handgrad.subjects.function.reference import Reference
from handgrad.subjects.function.through_autograd import program_of, with_passes

# What puts a number into an array as it is; it is no bound to which others are cut, as in np.clip.
FILLS = {
    *("where", "select", "masked_fill", "masked_fill_", "full", "full_like"),
    *("fill", "fill_", "putmask", "place", "copyto", "tensor", "float32", "float64"),
}
NOT_JUDGED = (
    "{0} stands for {1}: inputs at which y would be another one with {1} (beside numbers as large, or where a whole "
    "row is masked) are not judged; set what flows back to masked places to zero, and they are"
)
NO_MASK = (
    "{0} masks nothing here: beside numbers as large, or where a whole row is masked, y is not what {1} would give"
)
Run = Callable[[Passes, Arrays], Any]  # y of the passes at some inputs


class Filler(NamedTuple):
    """An expression of a part that is a large number, its value, and whether arrays are multiplied by it."""

    part: Part
    node: ast.expr
    value: float
    factor: bool

    @property
    def words(self) -> tuple[str, str]:
        """As it is written, and what it stands for."""
        written = ast.get_source_segment(self.part.source.text, self.node) or f"{self.value:g}"
        return written, "-inf" if self.value < 0 else "inf"


def reached_filler(code: Code, reference: Reference, inputs: Arrays) -> Filler | None:
    """The first filler, if y would be another one at these inputs with infinity in its place.

    None where there is none, or its source cannot be read. A number that matters at ordinary inputs is no filler.
    """

    def by_code(passes: Passes, at: Arrays) -> Any:
        own = with_passes(code, passes)
        return to64(own.run_forward([duplicate(a) for a in own.arguments(at)]).y)

    def by_reference(passes: Passes, at: Arrays) -> Any:
        return replace(reference, forward=passes.forward).value({n: to64(a) for n, a in at.items()})

    ways: list[tuple[Program | None, Run]] = [(attempt(program_of, code).value, by_code)]
    if not reference.own:
        ways.append((attempt(read_program, reference.forward, None).value, by_reference))
    for program, y in ways:
        found = [] if program is None else list(list_fillers(program))
        if program is not None and found and attempt(is_reached, program, found, y, inputs).value:
            return found[0]
    return None


def is_reached(program: Program, fillers: list[Filler], y: Run, inputs: Arrays) -> bool:
    """Whether y would be another one with infinity at these inputs, and would not with a huge number at small ones."""
    written, huge, infinite = (program.made(t) for t in ({}, resize(fillers, HUGE), resize(fillers, math.inf)))
    largest = max((float(np.max(np.abs(to64(a)), initial=0.0)) for a in inputs.values()), default=0.0)
    small = {n: like(to64(a) / max(largest, 1.0), a) for n, a in inputs.items()}
    with quiet():
        if not np.array_equal(y(written, small), y(huge, small), equal_nan=True):
            return False
        here, there = y(written, inputs), y(huge, inputs)
        if not np.array_equal(here, there, equal_nan=True):
            return True
        return bool(np.isfinite(here).all() and not np.isfinite(y(infinite, inputs)).all())


def resize(fillers: list[Filler], size: float) -> dict[Part, ast.AST]:
    """The trees of their parts with numbers of this size in their places; no factor is infinite, for 0 * inf is nan."""
    trees: dict[Part, ast.AST] = {}
    for part in dict.fromkeys(f.part for f in fillers):
        sizes = {
            f.node: math.copysign(min(size, HUGE) if f.factor else size, f.value) for f in fillers if f.part is part
        }
        changes: Changes = {node: ast.Constant(s) for node, s in sizes.items()}
        trees[part] = changed(part.source.tree, changes, parents_of(part.source.tree))
    return trees


def list_fillers(program: Program) -> Iterator[Filler]:
    """The large numbers that are put into arrays: as an argument, in an assignment, as a mask's factor, by a choice.

    What others are compared with is a bound: np.where(x > 1e7, 1e7, x).
    """
    for part in program.parts:
        nodes = list(ast.walk(part.source.tree))
        compared = [c for n in nodes if isinstance(n, ast.Compare) for c in (n.left, *n.comparators)]
        bounds = {attempt(number, c, part).value for c in compared}
        for node in nodes:
            for expression in put_in(node):
                value = attempt(number, expression, part).value
                if value is not None and BEYOND <= abs(value) < HUGE and value not in bounds:
                    yield Filler(part, expression, value, isinstance(node, ast.BinOp))


def put_in(node: ast.AST) -> list[ast.expr]:
    """What a node puts somewhere as it is."""
    match node:
        case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name)) if name in FILLS:
            return [*node.args, *(k.value for k in node.keywords)]
        case ast.Assign(targets=[ast.Subscript()]):
            return [node.value]
        case ast.BinOp(op=ast.Mult()):
            return [node.left, node.right]
        case ast.IfExp():
            return [node.body, node.orelse]
    return []


def number(node: ast.expr, part: Part) -> float | None:
    """The value of a number that is written there (-1e9, -10**9), or of a name that is bound to one."""
    match node:
        case ast.Constant(value=int() | float() as value):
            return float(value)
        case ast.UnaryOp(op=ast.USub()):
            positive = number(node.operand, part)
            return None if positive is None else -positive
        case ast.BinOp(op=ast.Pow()):
            base, power = number(node.left, part), number(node.right, part)
            return None if base is None or power is None else float(base**power)
        case ast.Name():
            return bound_to(node.id, part)
    return None


def bound_to(name: str, part: Part) -> float | None:
    """The number that a name of a function stands for: by its one assignment, as a default, or outside."""
    function, tree = part.source.function, part.source.tree
    here = [n.value for n in ast.walk(tree) if isinstance(n, ast.Assign) and is_name(n.targets, name)]
    if here:
        return number(here[0], part) if len(here) == 1 else None
    taken = inspect.signature(function).parameters
    if name in taken:
        value = taken[name].default
    else:
        cell = cells_of(function).get(name)
        value = function.__globals__.get(name) if cell is None else cell.cell_contents
    return float(value) if isinstance(value, int | float | np.number) else None


def is_name(targets: list[ast.expr], name: str) -> bool:
    """Whether one name alone is assigned, and it is this one."""
    return len(targets) == 1 and isinstance(targets[0], ast.Name) and targets[0].id == name
