"""A program run with the value of every variable noted after the statement that sets it, or with some of them replaced.

taps.py notes expressions; here it is what a statement leaves behind: `dx += ...` gives dx, `grads["W"][i] = ...` gives
grads["W"], `return a @ b, c` each entry of what is returned. What a helper function is given is noted in the helper,
and at the line that calls it where it is computed there.
"""

import ast
import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from handgrad.arrays.precision import like, to64
from handgrad.judge.isolation import attempt
from handgrad.source.program import Part, Passes, Program
from handgrad.source.taps import TAP, call, is_real
from handgrad.source.tree import changed, expression, parents_of

Float = NDArray[np.float64]
Entry = tuple[int, int]  # the number of a step, and the how-manieth time it was taken, from 0
IN_BLOCKS = (ast.stmt, ast.excepthandler, ast.match_case)
STORED = "__handgrad_stored__"
MOST_NOTED = 2_000_000  # noted in one run; then no more are
PURE = (ast.Name, ast.Attribute, ast.Subscript, ast.Constant, ast.JoinedStr, ast.FormattedValue, ast.BinOp,
        ast.UnaryOp, ast.operator, ast.unaryop, ast.expr_context)  # what can be read twice  # fmt: skip

PLAIN = (ast.Name, ast.Attribute, ast.Constant, ast.Starred)  # arguments that are not computed where they stand


class Step(NamedTuple):
    """A variable that a statement sets, or an entry of what a function returns.

    updates: whether the statement completes what was there, as `dx += ...`, `dx = dx + ...` and `dx[i] = ...` do
    given: an argument of a helper function
    """

    part: Part
    line: int
    variable: str
    returned: bool = False
    updates: bool = False
    given: bool = False


@dataclass(eq=False)
class Notes:
    """What is called after every step while `on`: it notes the value, or puts another in its place.

    values  of every entry, in float64, in the order in which they came
    items   the steps that set an item of a list or dictionary
    """

    instead: Mapping[Entry, Float] = field(default_factory=dict)
    values: dict[Entry, Float] = field(default_factory=dict)
    on: bool = False
    numbers: int = 0
    times: dict[int, int] = field(default_factory=dict)
    items: set[int] = field(default_factory=set)

    def tap(self, number: int, value: Any) -> Any:
        if not self.on or not (is_real(value) or is_other_array(value)):
            return value
        entry = (number, self.times.get(number, 0))
        self.times[number] = entry[1] + 1
        if entry in self.instead:
            other = self.instead[entry].copy()  # a later line may write into it
            value = float(other) if type(value) is float and other.ndim == 0 else like(other, value)
        if self.numbers <= MOST_NOTED:
            self.values[entry] = to64(value).copy()
            self.numbers += self.values[entry].size
        return value


class Steps:
    """A program with a note after every step of every part, made once and run often."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.steps: list[Step] = []
        self.helpers = {p.source.function.__name__ for p in program.parts[1:] if p.backward}
        self.trees: dict[Part, ast.AST] = {part: self._noted(part) for part in program.parts}

    def passes(self, notes: Notes) -> Passes:
        """The passes, noting here."""
        return self.program.made(self.trees, **{TAP: notes.tap, STORED: partial(note_stored, notes)})

    def _noted(self, part: Part) -> ast.AST:
        tree = self._with_arguments(part)
        if isinstance(tree, ast.Lambda):
            new = copy.copy(tree)
            new.body = self._returned(part, tree.body)
            return new
        given = [] if part is self.program.parts[0] else list(self._given(part, tree))
        noted = self._with_notes(part, tree)
        noted.body = [*given, *noted.body]  # type: ignore[attr-defined]
        return noted

    def _with_arguments(self, part: Part) -> ast.FunctionDef | ast.Lambda:
        """The part with a note of every argument that is computed where a helper function is called."""
        tree, changes = part.source.tree, dict[ast.AST, ast.AST]()
        for node in own_nodes(tree):
            if isinstance(node, ast.Call) and (name := called(node)) in self.helpers:
                for value in (*node.args, *(k.value for k in node.keywords)):
                    is_helped = isinstance(value, ast.Call) and called(value) in self.helpers
                    if not isinstance(value, PLAIN) and not is_helped:
                        number = self._add(Step(part, value.lineno, f"argument (of {name})"))
                        changes[value] = call(TAP, number, value)
        return changed(tree, changes, parents_of(tree)) if changes else tree

    def _given(self, part: Part, tree: ast.FunctionDef) -> Iterator[ast.stmt]:
        """The notes of what a helper function is given: its caller may have chosen the wrong thing."""
        for arg in (*tree.args.posonlyargs, *tree.args.args, *tree.args.kwonlyargs):
            number = self._add(Step(part, tree.lineno, arg.arg, given=True))
            yield ast.Assign([ast.Name(arg.arg, ast.Store())], call(TAP, number, ast.Name(arg.arg, ast.Load())))

    def _with_notes(self, part: Part, node: ast.AST) -> ast.AST:
        """A statement with notes in the blocks below it, and at what it returns."""
        new = copy.copy(node)
        for name, value in ast.iter_fields(node):
            if isinstance(value, list) and value and isinstance(value[0], IN_BLOCKS):
                setattr(new, name, [made for item in value for made in self._followed(part, item)])
        if isinstance(node, ast.Return) and node.value is not None:
            new.value = self._returned(part, node.value)  # type: ignore[attr-defined]
        return new

    def _followed(self, part: Part, item: ast.AST) -> Iterator[ast.AST]:
        """A statement, and the notes of what it sets."""
        yield self._with_notes(part, item)
        if isinstance(item, ast.Assign):
            targets: list[ast.expr] = item.targets
        elif isinstance(item, ast.AugAssign) or (isinstance(item, ast.AnnAssign) and item.value is not None):
            targets = [item.target]
        else:
            return
        for target in (leaf for whole in targets for leaf in leaves(whole)):
            yield from self._note(part, target, adds_to(item, target))

    def _note(self, part: Part, target: ast.expr, adds: bool) -> Iterator[ast.stmt]:
        """The note of one variable; none where reading it again could do something."""
        if isinstance(target, ast.Name | ast.Attribute) and is_pure(target):
            number = self._add(Step(part, target.lineno, ast.unparse(target), updates=adds))
            yield ast.Assign([target], call(TAP, number, expression(ast.unparse(target))))
        elif isinstance(target, ast.Subscript) and is_pure(target.value):
            has_key = is_pure(target.slice)
            named = any(isinstance(n, ast.JoinedStr) or is_text(n) for n in ast.walk(target.slice))
            variable = ast.unparse(target if has_key and named else target.value)
            key = expression(ast.unparse(target.slice)) if has_key else ast.Constant(None)
            container = expression(ast.unparse(target.value))
            number = self._add(Step(part, target.lineno, variable, updates=adds or variable[-1] != "]"))
            yield ast.Expr(call(STORED, number, container, key))

    def _returned(self, part: Part, value: ast.expr) -> ast.expr:
        """What is returned, with a note of every entry."""
        new = copy.copy(value)
        if isinstance(value, ast.Tuple | ast.List):
            new.elts = [self._entry(part, v, f"return[{i}]") for i, v in enumerate(value.elts)]  # type: ignore[attr-defined]
        elif isinstance(value, ast.Dict):
            names = [str(key.value) if isinstance(key, ast.Constant) else "return" for key in value.keys]
            new.values = [self._entry(part, v, n) for n, v in zip(names, value.values, strict=True)]  # type: ignore[attr-defined]
        elif isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "dict":
            new.keywords = [  # type: ignore[attr-defined]
                ast.keyword(k.arg, self._entry(part, k.value, k.arg) if k.arg else k.value) for k in value.keywords
            ]
        else:
            return self._entry(part, value, "return")
        return new

    def _entry(self, part: Part, value: ast.expr, name: str) -> ast.expr:
        if isinstance(value, ast.Starred | ast.Constant):
            return value
        name = value.id if isinstance(value, ast.Name) else name
        return call(TAP, self._add(Step(part, value.lineno, name, returned=True)), value)

    def _add(self, step: Step) -> ast.Constant:
        """The number of a new step."""
        self.steps.append(step)
        return ast.Constant(len(self.steps) - 1)


def own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """What stands below a node, outside of functions that are made there."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield child
            yield from own_nodes(child)


def called(node: ast.Call) -> str:
    """The last word of what is called: back of self.layer.back(dh)."""
    return ast.unparse(node.func).rpartition(".")[2]


def is_other_array(value: Any) -> bool:
    """Whether it is a floating-point array of another library."""
    return hasattr(value, "__array_namespace__") and "float" in str(getattr(value, "dtype", ""))


def note_stored(notes: Notes, number: int, container: Any, key: Any) -> None:
    """The note of an entry of a dictionary or list, or of a whole array into which something was written."""
    if isinstance(container, dict | list):
        notes.items.add(number)
        value = attempt(lambda: container[key]).value
        new = notes.tap(number, value)
        if new is not value:
            container[key] = new
        return
    new = notes.tap(number, container)
    if new is not container:
        container[...] = new


def leaves(target: ast.expr) -> Iterator[ast.expr]:
    """The single variables of what is assigned to."""
    if isinstance(target, ast.Tuple | ast.List):
        for item in target.elts:
            yield from leaves(item)
    elif not isinstance(target, ast.Starred):
        yield target


def adds_to(item: ast.AST, target: ast.expr) -> bool:
    """Whether a statement adds to a variable, or takes from it."""
    if isinstance(item, ast.AugAssign):
        return isinstance(item.op, ast.Add | ast.Sub)
    value = getattr(item, "value", None)
    names = [ast.unparse(node) for node in ast.walk(value) if isinstance(node, ast.expr)] if value is not None else []
    return isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add | ast.Sub) and ast.unparse(target) in names


def is_pure(node: ast.expr) -> bool:
    return all(isinstance(n, PURE) for n in ast.walk(node))


def is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)
