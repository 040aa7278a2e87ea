"""What can be written at a line of the backward pass: its names, what they hold, and pieces of both passes."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import FunctionType
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from handgrad.arrays.precision import to64
from handgrad.judge.isolation import attempt, contents
from handgrad.mend.constants import MOST_MEMBERS, MOST_NODES, MOST_PIECES, ROUNDED
from handgrad.mend.indices import list_slices, names_of
from handgrad.source.program import Part, Program
from handgrad.source.taps import Tapped, Taps
from handgrad.source.tree import changed, located, parents_of

# What it costs to write a name, an entry by an index of the line's own, an entry of a cache or object, a count that
# the passes write, a name from outside, and each expression of a piece: added to a template's cost, so that of two
# changes the one of nearer things comes first.
NAME, INDEXED, ENTRY, COUNTED, OUTSIDE, OF_PIECE = 0.0, 0.1, 0.2, 0.25, 0.3, 0.08


class Item(NamedTuple):
    """An expression that can be written, its value, and what it costs to write it."""

    node: ast.expr
    value: Any
    cost: float

    @property
    def is_number(self) -> bool:
        return np.ndim(self.value) == 0

    @property
    def is_piece(self) -> bool:
        return self.cost > OUTSIDE


@dataclass(frozen=True, eq=False)
class AtHand:
    """names: of arrays and numbers; items: everything that can be written; scope: for evaluating it.

    slices: every index of both passes that has a slice in it; functions: of the reader's own, that the passes call.
    """

    scope: dict[str, Any]
    names: tuple[str, ...]
    items: tuple[Item, ...]
    slices: tuple[ast.expr, ...] = ()
    functions: tuple[str, ...] = ()

    def value(self, node: ast.expr) -> Any:
        """What an expression gives here; None if it raises."""
        return attempt(evaluate, node, self.scope).value

    @cached_property
    def arrays(self) -> Mapping[tuple[int, ...], Sequence[tuple[ast.expr, NDArray[np.float64]]]]:
        """The arrays with a name, or in an entry of one, by their shapes."""
        found: dict[tuple[int, ...], list[tuple[ast.expr, NDArray[np.float64]]]] = {}
        for item in self.items:
            if not item.is_piece and not item.is_number:
                found.setdefault(np.shape(item.value), []).append((item.node, to64(item.value)))
        return found

    def holding(self, value: Any) -> ast.expr | None:
        """What holds these numbers but for rounding; None where nothing does."""
        if not is_value(value) or np.shape(value) not in self.arrays:
            return None
        value = to64(value)
        near = ROUNDED * np.abs(value)
        return next((n for n, a in self.arrays[value.shape] if bool((np.abs(a - value) <= near).all())), None)


def evaluate(node: ast.expr, scope: Mapping[str, Any]) -> Any:
    code = compile(located(ast.Expression(node)), "<expression>", "eval")
    return eval(code, dict(scope))  # the reader's own expression, or an edit of it


def at_hand(
    program: Program, part: Part, statement: ast.AST, known: Mapping[str, Any], tapped: Tapped, noted: Taps
) -> AtHand:
    """Everything that can be written at a statement where these names are known."""
    if is_within_another(part.source.tree, statement):  # the names of the outer function can be written there too
        known = {**last_names(part, tapped, noted), **known}
    scope = {**part.source.function.__globals__, **closure_values(program), **known}
    left = left_loops(part.source.tree, statement)
    here = {name: value for name, value in known.items() if name not in left}
    near = sorted((*entries(here), *indexed(program, part, here, scope)), key=lambda item: item.cost)
    items = {ast.dump(i.node): i for i in (*near, *numbers_outside(program, here, scope))}
    found, seen = [], set()
    for item in (*items.values(), *pieces(program, here, list(items.values()), scope, tapped, noted)):
        key = (np.shape(item.value), contents([np.asarray(to64(item.value))]))
        if key not in seen or isinstance(item.node, ast.Name):
            seen.add(key)
            found.append(item)
    names = tuple(i.node.id for i in items.values() if isinstance(i.node, ast.Name))
    slices = list_slices(p.source.tree for p in program.parts)
    slices = [index for index in slices if not names_of(index) & left]
    return AtHand(scope, names, tuple(found), tuple(slices), tuple(own_functions(program, scope)))


def is_within_another(tree: ast.AST, statement: ast.AST) -> bool:
    """Whether a statement stands in a function inside the function of this tree."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    return sum(any(node is statement for node in ast.walk(function)) for function in functions) > 1


def own_functions(program: Program, scope: Mapping[str, Any]) -> Iterator[str]:
    """The names of functions of the reader's own that the passes call."""
    called = (node.func for part in program.parts for node in ast.walk(part.source.tree) if isinstance(node, ast.Call))
    names = {function.id for function in called if isinstance(function, ast.Name)}
    yield from sorted(name for name in names if isinstance(scope.get(name), FunctionType))


def left_loops(tree: ast.AST, statement: ast.AST) -> set[str]:
    """The variables of the loops that a statement does not stand in: what they hold there is the end of the loop."""
    loops = {loop: names_of(loop.target) for loop in ast.walk(tree) if isinstance(loop, ast.For)}
    around = [names for loop, names in loops.items() if any(node is statement for node in ast.walk(loop))]
    return set().union(*loops.values()).difference(*around)


def closure_values(program: Program) -> dict[str, Any]:
    cells = program.free_names.items()
    found = {name: attempt(getattr, cell, "cell_contents") for name, cell in cells}
    return {name: outcome.value for name, outcome in found.items() if outcome.error is None}


def entries(here: Mapping[str, Any]) -> Iterator[Item]:
    """The arrays and numbers among the names, and those inside a cache or an object."""
    inside: Iterator[tuple[ast.expr, Any]]
    for name, value in here.items():
        node = ast.Name(name, ast.Load())
        if is_value(value):
            yield Item(node, value, NAME)
        elif isinstance(value, Mapping):
            inside = ((ast.Subscript(node, ast.Constant(k), ast.Load()), v) for k, v in value.items())
            yield from (Item(n, v, ENTRY) for n, v in inside if is_value(v))
        elif isinstance(value, tuple | list):
            fields = getattr(value, "_fields", None)
            for i, v in enumerate(value[:MOST_MEMBERS]):
                entry = (
                    ast.Attribute(node, fields[i], ast.Load())
                    if fields
                    else ast.Subscript(node, ast.Constant(i), ast.Load())
                )
                if is_value(v):
                    yield Item(entry, v, ENTRY)
        elif hasattr(value, "__dict__") and not isinstance(value, type) and not callable(value):
            inside = ((ast.Attribute(node, k, ast.Load()), v) for k, v in vars(value).items())
            yield from (Item(n, v, ENTRY) for n, v in inside if is_value(v))


def indexed(program: Program, part: Part, here: Mapping[str, Any], scope: dict[str, Any]) -> Iterator[Item]:
    """What the passes index, at the indices of this one: u[t] where h[t - 1] stands, whatever t is this time.

    An index holds whole numbers; one of which a slice or a mask is made belongs to its own array.
    """
    containers = {n for p in program.parts for n, _ in subscripts(p.source.tree) if n in here}
    found = {ast.unparse(index): index for _, index in subscripts(part.source.tree)}
    indices = [i for i in found.values() if is_whole(attempt(evaluate, i, scope).value) and names_of(i) <= set(here)]
    for name in sorted(containers):
        for index in indices:
            node = ast.Subscript(ast.Name(name, ast.Load()), index, ast.Load())
            value = attempt(evaluate, node, scope).value
            if is_value(value):
                yield Item(node, value, INDEXED)


def subscripts(tree: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Each name that is indexed by a name or what is computed from one, and that index."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and names_of(node.slice):
            yield node.value.id, node.slice


def is_whole(value: Any) -> bool:
    """Whether it is one whole number."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def numbers_outside(program: Program, here: Mapping[str, Any], scope: Mapping[str, Any]) -> Iterator[Item]:
    """Constants of the closure and of the module that the passes name."""
    used = {n for p in program.parts for n in (*p.source.function.__code__.co_names, *program.free_names)}
    for name in sorted(used - set(here)):
        if is_value(scope.get(name)):
            yield Item(ast.Name(name, ast.Load()), scope[name], OUTSIDE)


def pieces(
    program: Program, here: Mapping[str, Any], items: list[Item], scope: dict[str, Any], tapped: Tapped, noted: Taps
) -> Iterator[Item]:
    """Expressions of both passes, where everything they name is at hand, perhaps under another name."""
    count = 0
    for part in reversed(program.parts):  # the forward pass first
        there = last_names(part, tapped, noted)
        for node in ast.walk(part.source.tree):
            size = sum(isinstance(n, ast.expr) for n in ast.walk(node)) if isinstance(node, PIECES) else 99
            if size > MOST_NODES or count > MOST_PIECES:
                continue
            renamed = rename(node, there, here, items)  # type: ignore[arg-type]
            value = None if renamed is None else attempt(evaluate, renamed, scope).value
            if renamed is not None and is_value(value):
                count += 1
                yield Item(renamed, value, COUNTED if is_count(renamed) else OUTSIDE + OF_PIECE * size)


def is_count(node: ast.expr) -> bool:
    """Whether it is len(x) or x.shape[0] of a name."""
    match node:
        case ast.Call(func=ast.Name(id="len"), args=[ast.Name()]):
            return True
        case ast.Subscript(value=ast.Attribute(value=ast.Name(), attr="shape"), slice=ast.Constant()):
            return True
    return False


PIECES = (ast.BinOp, ast.Call, ast.Compare, ast.UnaryOp, ast.Subscript, ast.Attribute, ast.IfExp)


def last_names(part: Part, tapped: Tapped, noted: Taps) -> Mapping[str, Any]:
    """The names of a part as they were before its last statement that was run."""
    own = [i for i, s in enumerate(tapped.before) if i in noted.here and tapped.owner[s] is part]
    return noted.here[own[-1]][0] if own else {}


def rename(node: ast.expr, there: Mapping[str, Any], here: Mapping[str, Any], items: list[Item]) -> ast.expr | None:
    """The expression with what holds the same values here in place of its names; None where nothing does."""
    changes: dict[ast.AST, ast.AST] = {}
    for name in ast.walk(node):
        if not isinstance(name, ast.Name) or name.id not in there:
            continue
        if not isinstance(name.ctx, ast.Load):
            return None
        value = there[name.id]
        if name.id in here and same(here[name.id], value):
            continue
        match = next((i for i in items if same(i.value, value)), None)
        if match is None:
            return None
        changes[name] = match.node
    return changed(node, changes, parents_of(node)) if changes else node


def same(a: Any, b: Any) -> bool:
    """Whether two values are the same numbers."""
    if a is b:
        return True
    if not (is_value(a) and is_value(b)) or np.shape(a) != np.shape(b):
        return False
    return bool(np.array_equal(to64(a), to64(b)))


def is_value(value: Any) -> bool:
    """Whether it is a number or an array of numbers or truths."""
    if isinstance(value, torch.Tensor):
        return not value.is_complex()
    if isinstance(value, np.ndarray | np.generic):
        return value.dtype.kind in "fiub"
    return isinstance(value, int | float) and not isinstance(value, bool)
