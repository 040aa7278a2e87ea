"""All functions that a forward and a backward pass are made of, as far as they stand in the same file."""

import ast
import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import CellType, CodeType, FunctionType, MethodType
from typing import Any, NamedTuple

import torch

from handgrad.judge.isolation import attempt, duplicate
from handgrad.source.read import Source, read_source

Trees = Mapping["Part", ast.AST]


class Passes(NamedTuple):
    """A forward and a backward pass that can be called; backward is None where autograd finds it in forward."""

    forward: Callable[..., Any]
    backward: Callable[..., Any] | None


@dataclass(frozen=True, eq=False)
class Part:
    """One function with its source. owner: the class it is a method of, None for a function."""

    source: Source
    owner: type | None = None


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
        forward = new.of(self.passes.forward)
        return Passes(forward, None if self.passes.backward is None else new.of(self.passes.backward))

    def code(self, part: Part, tree: ast.AST) -> CodeType:
        """The compiled tree."""
        if tree is part.source.tree:
            return part.source.function.__code__
        if tree not in self._codes:
            self._codes[tree] = compile_function(tree, part.source, self.free_names)
        return self._codes[tree]

    @property
    def free_names(self) -> dict[str, CellType]:
        """Every closure variable of every part."""
        cells: dict[str, CellType] = {}
        for part in reversed(self.parts):
            f = part.source.function
            cells |= dict(zip(f.__code__.co_freevars, f.__closure__ or (), strict=True))
        return cells


class Copies:
    """The functions, classes and objects of one making; each is made once."""

    def __init__(self, program: Program, trees: Trees, names: Mapping[str, Any]) -> None:
        self.program, self.trees, self.names = program, trees, names
        self.parts = {part.source.function: part for part in program.parts}
        self.made: dict[Any, Any] = {}
        self.globals: dict[int, dict[str, Any]] = {}
        self.objects: dict[int, Any] = {}

    def of(self, value: Any) -> Any:
        """The copy of a function, method, class or apply; arrays copied, anything else as it is."""
        owner = getattr(value, "__self__", None)
        if isinstance(owner, type) and issubclass(owner, torch.autograd.Function):
            return self.class_of(owner).apply
        if isinstance(value, MethodType):
            return MethodType(self.function_of(value.__func__), self.object_of(owner))
        if isinstance(value, type) and any(part.owner is value for part in self.program.parts):
            return self.class_of(value)
        if isinstance(value, FunctionType):
            return self.function_of(value)
        return duplicate_nest(value)

    def function_of(self, function: Any) -> Any:
        """The function with its new tree, new globals and new cells."""
        part = self.parts.get(function)
        if part is None or function in self.made:
            return self.made.get(function, function)
        code = self.program.code(part, self.trees.get(part, part.source.tree))
        cells = {name: CellType() for name in code.co_freevars}
        made = FunctionType(
            code, self.globals_of(part), function.__name__, function.__defaults__, tuple(cells.values())
        )
        made.__kwdefaults__ = function.__kwdefaults__
        self.made[function] = made
        known = self.program.free_names
        for name, cell in cells.items():
            old = attempt(getattr, known[name], "cell_contents")
            if old.error is None:
                cell.cell_contents = self.of(old.value)
        return made

    def globals_of(self, part: Part) -> dict[str, Any]:
        """The names of a module: its own, with copies of the arrays and parts among those that are used."""
        old = part.source.function.__globals__
        if id(old) not in self.globals:
            new = self.globals[id(old)] = {**old, **self.names}
            used = {n for p in self.program.parts for n in names_in(p.source.function.__code__)}
            new.update({n: self.of(old[n]) for n in used if n in old})
        return self.globals[id(old)]

    def class_of(self, owner: type) -> Any:
        """A class derived from the old one, with the new methods."""
        if owner not in self.made:
            methods = [part for part in self.program.parts if part.owner is owner]
            new = {p.source.name: self.function_of(p.source.function) for p in methods}
            static = {
                n: staticmethod(f) if isinstance(vars_of(owner).get(n), staticmethod) else f for n, f in new.items()
            }
            self.made[owner] = type(owner.__name__, (owner,), static)
        return self.made[owner]

    def object_of(self, owner: Any) -> Any:
        """A copy of the object, of the new class."""
        if id(owner) not in self.objects:
            new = attempt(copy.deepcopy, owner).value
            new = owner if new is None else new
            if any(part.owner is type(owner) for part in self.program.parts) and new is not owner:
                attempt(setattr, new, "__class__", self.class_of(type(owner)))
            self.objects[id(owner)] = new
        return self.objects[id(owner)]


def read_program(forward: Callable[..., Any], backward: Callable[..., Any] | None) -> Program | None:
    """None where the source of the backward pass cannot be read."""
    found: dict[FunctionType, Part] = {}
    roots = [backward, forward] if backward is not None else [forward]
    for root in roots:
        for function, owner in functions_of(root):
            collect(function, owner, found)
    first = next(functions_of(roots[0]), None)
    return Program(Passes(forward, backward), tuple(found.values())) if first and first[0] in found else None


def functions_of(value: Any) -> Iterator[tuple[FunctionType, type | None]]:
    """The plain functions behind a callable, the backward pass first."""
    owner = getattr(value, "__self__", value)
    if isinstance(owner, type) and issubclass(owner, torch.autograd.Function):
        for name in ("backward", "forward", "setup_context"):
            function = getattr(vars_of(owner).get(name), "__func__", None)
            if isinstance(function, FunctionType) and not function.__module__.startswith("torch."):
                yield function, owner
    elif isinstance(value, MethodType) and isinstance(value.__func__, FunctionType):
        yield value.__func__, type(value.__self__)
    elif isinstance(value, FunctionType):
        yield value, None


def collect(function: FunctionType, owner: type | None, found: dict[FunctionType, Part]) -> None:
    """The function and every function of the same file that it names, each once."""
    source = None if function in found else read_source(function)
    if source is None:
        return
    found[function] = Part(source, owner)
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    for name in names_in(function.__code__):
        value = (
            attempt(getattr, cells[name], "cell_contents").value if name in cells else function.__globals__.get(name)
        )
        named = list(functions_of(value))
        if owner is not None and name not in cells and isinstance(vars_of(owner).get(name), FunctionType):
            named.append((vars_of(owner)[name], owner))
        for other, its in named:
            if other.__code__.co_filename == source.file:
                collect(other, its, found)


def names_in(code: CodeType) -> list[str]:
    """Every name that a function uses and does not bind, in it and in the functions written inside it."""
    inside = [name for c in code.co_consts if isinstance(c, CodeType) for name in names_in(c)]
    return list(dict.fromkeys([*code.co_names, *code.co_freevars, *inside]))


def vars_of(owner: type) -> dict[str, Any]:
    """What a class and those it is derived from define, the nearest first."""
    return {name: value for kind in reversed(owner.__mro__) for name, value in vars(kind).items()}


def duplicate_nest(value: Any) -> Any:
    """Copies of arrays, alone or in a list, tuple or dict."""
    if isinstance(value, list | tuple) and type(value) in (list, tuple):
        return type(value)(duplicate_nest(v) for v in value)
    if isinstance(value, dict):
        return {k: duplicate_nest(v) for k, v in value.items()}
    return duplicate(value)


def compile_function(tree: ast.AST, source: Source, free: Mapping[str, Any]) -> CodeType:
    """The code of one function whose closure variables may be any of `free`. Raises SyntaxError or ValueError."""
    if isinstance(tree, ast.Lambda):
        inner: ast.stmt = ast.Return(tree)
    else:
        inner = copy.copy(tree)  # type: ignore[assignment]
        inner.decorator_list = []  # type: ignore[attr-defined]
    own = {a.arg for a in ast.walk(tree) if isinstance(a, ast.arg)}
    args = [ast.arg(name) for name in free if name not in own or name == "__class__"]
    taken = ast.arguments(posonlyargs=[], args=args, kwonlyargs=[], kw_defaults=[], defaults=[])
    outer = ast.FunctionDef("handgrad_outer", taken, [inner], [])
    module = ast.fix_missing_locations(ast.Module([outer], []))
    code = compile(module, source.file, "exec")
    made = next(c for c in code.co_consts if isinstance(c, CodeType))
    return next(c for c in made.co_consts if isinstance(c, CodeType) and c.co_name == source.function.__code__.co_name)
