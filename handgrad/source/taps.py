"""A program run with every value of its expressions noted, or with one of them changed."""

import ast
import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch

from handgrad.arrays.precision import like, to64
from handgrad.judge.isolation import attempt, contents, duplicate
from handgrad.source.program import Part, Passes, Program, Trees

TAP, HERE = "__handgrad_tap__", "__handgrad_here__"
# Without a value of their own that is worth noting: constants, and what cannot stand in a call or only holds others.
UNTAPPED = (ast.Constant, ast.JoinedStr, ast.FormattedValue, ast.Starred, ast.Yield, ast.YieldFrom, ast.Await,
            ast.Slice, ast.Lambda, ast.Dict, ast.Tuple, ast.List, ast.Set)  # fmt: skip
NO_TREES: Trees = {}
MOST_TURNS = 6  # of a loop, of which the names at hand are kept: its edges, and what is handed from one to the next


class TappedPlace(NamedTuple):
    """An expression of a part, and the statement it stands in."""

    part: Part
    node: ast.expr
    statement: ast.stmt | ast.Lambda


class Listener(Protocol):
    """What is called wherever a tapped expression has been computed, and before each statement."""

    def tap(self, number: int, value: Any) -> Any:
        """The value of a place, or another in its stead."""

    def note(self, number: int, names: Mapping[str, Any]) -> None:
        """The names at hand before a statement."""


@dataclass(eq=False)
class Taps:
    """A listener that notes every value, or moves some.

    moves   by how much the values of a place are moved, one for each time it is computed
    values  of each place, one for each time it was computed, in order
    here    the names and values at hand before each statement, the first few times it was run
    """

    places: Sequence[TappedPlace]
    keep: bool = True
    moves: Mapping[int, Sequence[Any]] = field(default_factory=dict)
    values: dict[int, list[Any]] = field(default_factory=dict)
    here: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    _counts: dict[int, int] = field(default_factory=dict, repr=False)
    _aliases: list[tuple[int, Any, Any]] = field(default_factory=list, repr=False)  # a place, its array and a copy
    _memory: set[int] = field(default_factory=set, repr=False)

    def tap(self, number: int, value: Any) -> Any:
        if number in self.moves and is_real(value):
            count = self._counts[number] = self._counts.get(number, 0) + 1
            if count <= len(self.moves[number]):
                return moved(value, self.moves[number][count - 1])
        if self.keep and is_real(value):
            copied = duplicate(value)
            self.values.setdefault(number, []).append(copied)
            if (owner := memory_of(value)) in self._memory:
                self._aliases.append((number, value, copied))
            elif owner is not None:
                self._memory.add(owner)
                self._aliases.append((-1, value, copied))  # held, so that no other array gets its memory
        return value

    @cached_property
    def written(self) -> frozenset[int]:
        """The places whose array had another name as well, and was written into before this was asked."""
        return frozenset(n for n, value, copied in self._aliases if n >= 0 and contents([value]) != contents([copied]))

    def note(self, number: int, names: Mapping[str, Any]) -> None:
        if self.keep and len(known := self.here.setdefault(number, [])) < MOST_TURNS:
            known.append({n: kept(v) for n, v in names.items()})


def is_real(value: Any) -> bool:
    """Whether it is an array or number of floating point."""
    if isinstance(value, torch.Tensor):
        return value.is_floating_point()
    return isinstance(value, float | np.floating) or (isinstance(value, np.ndarray) and value.dtype.kind == "f")


def memory_of(value: Any) -> int | None:
    """Whose memory an array lives in; None for a number."""
    if isinstance(value, torch.Tensor):
        return value.untyped_storage().data_ptr()
    while isinstance(value, np.ndarray) and value.base is not None:
        value = value.base
    return id(value) if isinstance(value, np.ndarray) else None


def kept(value: Any) -> Any:
    """Copies of arrays, in tuples, lists and dictionaries too."""
    if isinstance(value, Mapping):
        return {k: kept(v) for k, v in value.items()}
    if type(value) in (tuple, list):
        return type(value)(kept(v) for v in value)
    return duplicate(value)


def moved(value: Any, delta: Any) -> Any:
    """value + delta, in the library and precision of the value."""
    if isinstance(value, float) and not isinstance(value, np.floating):
        return value + float(delta)
    return value + like(np.reshape(delta, np.shape(value)), value)


class Tapped:
    """A program with taps at every expression of every part, made once and run often."""

    def __init__(self, program: Program, trees: Trees = NO_TREES) -> None:
        self.program = program
        self.places: list[TappedPlace] = []
        self.around: dict[int, int] = {}  # the next larger expression of an expression
        self.before: list[ast.stmt] = []
        self.owner: dict[ast.stmt, Part] = {}
        self.trees: dict[Part, ast.AST] = {}
        for part in program.parts:
            self.trees[part] = self._with_taps(part, trees.get(part, part.source.tree))
        self.statement_number: dict[ast.AST, int] = {statement: i for i, statement in enumerate(self.before)}
        self.number = {place.node: i for i, place in enumerate(self.places)}

    def passes(self, taps: Listener) -> Passes:
        """The passes, calling these taps."""
        return self.program.made(self.trees, **{TAP: taps.tap, HERE: taps.note})

    def _with_taps(self, part: Part, tree: ast.AST) -> ast.AST:
        def build(node: Any, statement: Any, free: bool) -> Any:
            if isinstance(node, list):
                return [made for item in node for made in build_statement(item, statement, free)]
            if not isinstance(node, ast.AST):
                return node
            statement = node if isinstance(node, ast.stmt | ast.Lambda) else statement
            first, new = len(self.places), copy.copy(node)
            for name, value in ast.iter_fields(node):
                inside = free and not (isinstance(node, ast.Subscript) and name == "slice")
                inside = inside and name not in ("decorator_list", "returns", "annotation", "args", "target", "targets")
                if isinstance(node, ast.Call) and name in ("args", "keywords"):
                    inside = free
                setattr(new, name, build(value, statement, inside))
            if not free or not isinstance(node, ast.expr) or isinstance(node, UNTAPPED):
                return new
            if not isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
                return new
            for part_of_it in range(first, len(self.places)):
                self.around.setdefault(part_of_it, len(self.places))
            self.places.append(TappedPlace(part, node, statement))
            return call(TAP, ast.Constant(len(self.places) - 1), new)

        def build_statement(item: Any, statement: Any, free: bool) -> Iterator[Any]:
            if isinstance(item, ast.stmt) and not isinstance(item, ast.FunctionDef):
                self.before.append(item)
                self.owner[item] = part
                names = ast.Call(ast.Name("locals", ast.Load()), [], [])
                yield ast.Expr(call(HERE, ast.Constant(len(self.before) - 1), names))
            yield build(item, statement, free)

        made: ast.AST = build(tree, tree, True)
        return made


def parts_that_run(program: Program, run: Callable[[Passes], Any]) -> Program:
    """The program without the parts that a run does not reach."""
    tapped = Tapped(program)
    noted = Taps(tapped.places)
    attempt(lambda: run(tapped.passes(noted)))
    reached = {tapped.owner[tapped.before[i]] for i in noted.here} | {tapped.places[i].part for i in noted.values}
    return replace(program, parts=tuple(part for part in program.parts if part in reached))


def call(name: str, *args: Any) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), list(args), [])


def flat(values: Sequence[Any]) -> np.ndarray[Any, Any]:
    """All numbers of several values, one after the other."""
    return np.concatenate([to64(v).reshape(-1) for v in values]) if values else np.zeros(0)
