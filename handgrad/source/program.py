"""All functions that a forward and a backward pass are made of, outside of libraries."""

import ast
import copy
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple

import numpy as np
import torch

from handgrad.judge.isolation import attempt, duplicate
from handgrad.source.held import kinds_held, objects_held
from handgrad.source.libraries import is_library, is_users, only_holds
from handgrad.source.read import Source, read_source
from handgrad.source.tree import located

Trees = Mapping["Part", ast.AST]
MOST_PARTS = 60  # functions of one pair of passes


class Passes(NamedTuple):
    """A forward and a backward pass that can be called; backward is None where autograd finds it in forward."""

    forward: Callable[..., Any]
    backward: Callable[..., Any] | None


STATE = (np.ndarray, torch.Tensor, list, dict)  # what is written into


@dataclass(frozen=True, eq=False)
class Part:
    """One function with its source.

    owner     the class it is a method of, None for a function
    backward  whether the backward pass calls it, and not the forward pass alone
    """

    source: Source
    owner: type | None = None
    backward: bool = True


@dataclass(frozen=True, eq=False)
class Program:
    """The passes and their parts, the backward pass first.

    made(trees) gives the passes anew, with other trees in some parts. Nothing of the original is shared that a run
    could write into: globals, closures and objects are copies.
    """

    passes: Passes
    parts: tuple[Part, ...]
    _codes: dict[ast.AST, CodeType] = field(default_factory=dict, repr=False)  # of trees, each compiled once

    def made(self, trees: Trees, **names: Any) -> Passes:
        """names: what else the new trees may call. Raises SyntaxError or ValueError where a tree is no Python."""
        new = Copies(self, trees, names)
        return Passes(new.of(self.passes.forward), new.of(self.passes.backward))

    def code(self, part: Part, tree: ast.AST) -> CodeType:
        """The compiled tree."""
        if tree is part.source.tree:
            return part.source.function.__code__
        if tree not in self._codes:
            self._codes[tree] = compile_function(tree, part.source, self.free_names)
        return self._codes[tree]

    @property
    def is_ours(self) -> bool:
        """Whether it is the judge's own code that stands around somebody's (a module's call)."""
        return any(str(part.source.function.__module__).startswith("handgrad.") for part in self.parts)  # exec's: None

    @property
    def free_names(self) -> dict[str, CellType]:
        """Every closure variable of every part."""
        cells: dict[str, CellType] = {}
        for part in reversed(self.parts):
            cells |= cells_of(part.source.function)
        return cells


# handgrad/arrays/on_torch/copies.py has copies of another kind: they put other arrays and another NumPy into all that
# is reached. Here only the parts and what holds them are made anew, with other trees, and arrays stay what they are.
class Copies:
    """The functions, classes, modules and objects of one making; each is made once, and what was shared still is."""

    def __init__(self, program: Program, trees: Trees, names: Mapping[str, Any]) -> None:
        self.program, self.trees, self.names = program, trees, names
        self.parts = {part.source.function: part for part in program.parts}
        self.owners = {part.owner for part in program.parts if part.owner is not None}
        self.used = {name for part in program.parts for name in names_in(part.source.function.__code__)}
        self.made: dict[int, Any] = {}
        self.kept: list[Any] = []  # so that no id is given twice

    def of(self, value: Any) -> Any:
        """The copy of anything that parts belong to, and of arrays; anything else as it is."""
        if id(value) not in self.made:
            self.kept.append(value)
            self._copy(value)
        return self.made[id(value)]

    def _copy(self, value: Any) -> None:
        """Enter the copy. What holds others is entered before they are copied: they may hold it."""
        made, key = self.made, id(value)
        owner = getattr(value, "__self__", None)
        if isinstance(owner, type) and owner in self.owners:  # the apply of an autograd.Function
            made[key] = getattr(self.of(owner), value.__name__)
        elif isinstance(value, MethodType):
            made[key] = MethodType(self.of(value.__func__), self.of(owner))
        elif isinstance(value, FunctionType) and value in self.parts:
            self._copy_function(value)
        elif self._has_parts(value) and isinstance(value, FunctionType):
            self._copy_decorated(value)
        elif isinstance(value, type) and (value in self.owners or only_holds(value)):
            self._copy_class(value)
        elif isinstance(value, ModuleType) and not is_library(getattr(value, "__file__", None)):
            made[key] = ModuleType(value.__name__)
            vars(made[key]).update(vars(value))
            vars(made[key]).update(self._own_copies(vars(value)))
        elif type(value) in self.owners or is_users(type(value)):
            self._copy_object(value)
        elif type(value) in (list, dict):
            made[key] = type(value)()
            pairs = value.items() if isinstance(value, dict) else ()
            made[key].update({k: self.of(v) for k, v in pairs}) if isinstance(value, dict) else made[key].extend(
                self.of(v) for v in value
            )
        else:
            made[key] = type(value)(map(self.of, value)) if type(value) is tuple else duplicate(value)

    def _own_copies(self, names: Mapping[str, Any]) -> dict[str, Any]:
        """Copies of the parts among these, and of what the parts may write into."""
        return {
            n: self.of(v)
            for n, v in names.items()
            if self._has_parts(v) or (n in self.used and (isinstance(v, (*STATE, type)) or is_users(type(v))))
        }

    def _has_parts(self, value: Any) -> bool:
        return (isinstance(value, FunctionType) and undecorated(value) in self.parts) or (
            isinstance(value, type) and value in self.owners
        )

    def _copy_function(self, function: Any) -> None:
        """The function with its new tree, new globals and new cells."""
        part = self.parts[function]
        code = self.program.code(part, self.trees.get(part, part.source.tree))
        known = self.program.free_names | cells_of(function)
        cells = tuple(self._cell(known[name]) for name in code.co_freevars)
        new = FunctionType(code, self._globals(function), function.__name__, function.__defaults__, cells)
        new.__kwdefaults__ = function.__kwdefaults__
        self.made[id(function)] = new
        for name, cell in zip(code.co_freevars, cells, strict=True):
            old = attempt(getattr, known[name], "cell_contents")
            if old.error is None and attempt(getattr, cell, "cell_contents").error is not None:
                cell.cell_contents = self.of(old.value)

    def _copy_decorated(self, function: FunctionType) -> None:
        """What a decorator has put around a part: the same code around the new part."""
        cells = tuple(CellType(self.of(cell.cell_contents)) for cell in function.__closure__ or ())
        new = FunctionType(
            function.__code__, function.__globals__, function.__name__, function.__defaults__, cells or None
        )
        new.__kwdefaults__ = function.__kwdefaults__
        self.made[id(function)] = new

    def _cell(self, old: CellType) -> CellType:
        if id(old) not in self.made:
            self.made[id(old)] = CellType()
        found: CellType = self.made[id(old)]
        return found

    def _globals(self, function: FunctionType) -> dict[str, Any]:
        """The names of a module: its own, with copies of the arrays and parts among those that are used."""
        old = function.__globals__
        if id(old) not in self.made:
            new = self.made[id(old)] = {**old, **self.names}
            new.update({n: self.of(old[n]) for n in self.used if n in old})
        found: dict[str, Any] = self.made[id(old)]
        return found

    def _copy_class(self, owner: type) -> None:
        """A class derived from the old one, with the new methods."""
        new = self.made[id(owner)] = type(owner.__name__, (owner,), {"__module__": owner.__module__})
        for name, value in self._own_copies({n: v for n, v in vars_of(owner).items() if isinstance(v, STATE)}).items():
            setattr(new, name, value)
        for name, method in vars_of(owner).items():
            function = getattr(method, "__func__", method)
            if isinstance(function, FunctionType) and self._has_parts(function):
                made = self.of(function)
                setattr(new, name, staticmethod(made) if isinstance(method, staticmethod) else made)

    def _copy_object(self, value: Any) -> None:
        """A copy of the object, of the new class."""
        new = attempt(copy.deepcopy, value).value
        self.made[id(value)] = value if new is None else new
        if new is not None:
            for held in (new, *objects_held(new)):
                if held is new or type(held) in self.owners:
                    kind = self.of(type(held))
                    attempt(object.__setattr__, held, "__class__", kind)  # a frozen dataclass refuses its own


def read_program(forward: Callable[..., Any], backward: Callable[..., Any] | None) -> Program | None:
    """None where the source of the backward pass cannot be read."""
    found: dict[FunctionType, Part] = {}
    roots = [backward, forward] if backward is not None else [forward]
    for root in roots:
        for function, owner in functions_of(root, ()):
            collect(function, owner, found, root is backward)
            for kind in kinds_held(getattr(root, "__self__", None)):
                for other, its in methods(kind, names_in(function.__code__)):
                    collect(other, its, found, root is backward)
    first = next(functions_of(roots[0], ()), None)
    return Program(Passes(forward, backward), tuple(found.values())) if first and first[0] in found else None


def functions_of(value: Any, names: Sequence[str]) -> Iterator[tuple[FunctionType, type | None]]:
    """The plain functions behind a callable, an object or a module of which these names are used."""
    owner = getattr(value, "__self__", value)
    if isinstance(owner, type) and issubclass(owner, torch.autograd.Function):
        yield from methods(owner, ("backward", "forward", "setup_context"))
    elif isinstance(value, MethodType) and isinstance(value.__func__, FunctionType):
        yield undecorated(value.__func__), type(value.__self__)
    elif isinstance(value, FunctionType):
        yield undecorated(value), None
    elif isinstance(value, ModuleType) and not is_library(getattr(value, "__file__", None)):
        for inside in vars(value).values():
            if getattr(inside, "__module__", None) == value.__name__:
                own = isinstance(inside, type)
                yield from methods(inside, tuple(vars(inside))) if own else functions_of(inside, names)
    elif isinstance(value, list | tuple):
        for item in value[:8]:
            yield from functions_of(item, names)
    else:
        kind = value if isinstance(value, type) else type(value)
        if not is_library(getattr(sys.modules.get(kind.__module__), "__file__", None)) or kind.__module__ == "__main__":
            yield from methods(kind, names)


def methods(owner: type, names: Sequence[str]) -> Iterator[tuple[FunctionType, type]]:
    """The methods of these names that are written in Python, outside of libraries."""
    for name in names:
        method = vars_of(owner).get(name)
        function = getattr(method, "__func__", method)
        if isinstance(function, FunctionType) and not is_library(undecorated(function).__code__.co_filename):
            yield undecorated(function), owner


def collect(function: FunctionType, owner: type | None, found: dict[FunctionType, Part], backward: bool) -> None:
    """The function and every function outside of libraries that it names, each once."""
    source = None if function in found else read_source(function)
    if source is None or len(found) >= MOST_PARTS:
        return
    backward = backward or function.__name__ == "backward"  # of an autograd.Function that a forward pass names
    found[function] = Part(source, owner, backward)
    cells, names = cells_of(function), names_in(function.__code__)
    for name in names:
        value = (
            attempt(getattr, cells[name], "cell_contents").value if name in cells else function.__globals__.get(name)
        )
        for other, its in functions_of(value, names):
            if not is_library(other.__code__.co_filename):
                collect(other, its, found, backward)
    for other, its in methods(owner, names) if owner is not None else ():
        collect(other, its, found, backward)


def undecorated(function: FunctionType) -> FunctionType:
    """The function that a decorator made with functools.wraps stands around."""
    inner = inspect.unwrap(function)
    return inner if isinstance(inner, FunctionType) else function


def cells_of(function: FunctionType) -> dict[str, CellType]:
    """Its closure variables."""
    return dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))


def names_in(code: CodeType) -> list[str]:
    """Every name that a function uses and does not bind, in it and in the functions written inside it."""
    inside = [name for c in code.co_consts if isinstance(c, CodeType) for name in names_in(c)]
    return list(dict.fromkeys([*code.co_names, *code.co_freevars, *inside]))


def vars_of(owner: type) -> dict[str, Any]:
    """What a class and those it is derived from define, the nearest first."""
    return {name: value for kind in reversed(owner.__mro__) for name, value in vars(kind).items()}


def compile_function(tree: ast.AST, source: Source, free: Mapping[str, Any]) -> CodeType:
    """The code of one function whose closure variables may be any of `free`. Raises SyntaxError or ValueError."""
    if isinstance(tree, ast.Lambda):
        inner: ast.stmt = ast.Return(tree)
    else:
        inner = copy.copy(tree)  # type: ignore[assignment]
        inner.decorator_list = []  # type: ignore[attr-defined]
    args = [ast.arg(name) for name in free]
    taken = ast.arguments(posonlyargs=[], args=args, kwonlyargs=[], kw_defaults=[], defaults=[])
    outer = ast.FunctionDef("handgrad_outer", taken, [inner], [])
    module = located(ast.Module([outer], []))
    code = compile(module, source.file, "exec")
    made = next(c for c in code.co_consts if isinstance(c, CodeType))
    return next(c for c in made.co_consts if isinstance(c, CodeType) and c.co_name == source.function.__code__.co_name)
