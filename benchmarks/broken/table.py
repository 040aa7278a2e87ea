"""The table: which functions, how they are called and drawn, and the slips made in their modules.

A module in benchmarks/broken/modules is what somebody's own file looks like, and right. A slip is an edit of its text
after which the gradient is wrong and the forward pass still right. The files in benchmarks/broken/slips enter both.
"""

import ast
import difflib
import importlib.util
import itertools
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

MODULES = Path(__file__).resolve().parent / "modules"
LONG = 25  # lines: a longer backward pass, with its own helpers, counts as long
FUNCTIONS: dict[str, "Function"] = {}
_numbers = itertools.count()


class Slip(NamedTuple):
    """`old` stands once in the module's text, `new` takes its place; or several such pairs for one mistake."""

    sort: str
    what: str
    old: str | tuple[tuple[str, str], ...]
    new: str = ""

    @property
    def edits(self) -> tuple[tuple[str, str], ...]:
        return ((self.old, self.new),) if isinstance(self.old, str) else self.old


class Function(NamedTuple):
    """Forward and backward by their names in the module, or made by `make` from the module."""

    module: str
    forward: str
    backward: str | None
    kind: str
    reference: Callable[..., Any]
    inputs: Sequence[Any]
    also: Sequence[Any]
    slips: tuple[Slip, ...]
    make: Callable[[ModuleType], tuple[Any, Any]] | None

    @property
    def name(self) -> str:
        return f"{self.module}.{self.forward}"

    @property
    def text(self) -> str:
        return (MODULES / f"{self.module}.py").read_text()

    @property
    def length(self) -> int:
        """Lines of the backward pass and of the helpers that only it uses."""
        return backward_length(ast.parse(self.text), self.forward, self.backward)

    def wrong(self, slip: Slip) -> str:
        """The text with the slip. ValueError unless each old text stands there exactly once."""
        text = self.text
        for old, new in slip.edits:
            if text.count(old) != 1:
                raise ValueError(f"{self.name}, {slip.what}: {old!r} stands {text.count(old)} times there, not once")
            text = text.replace(old, new)
        return text

    def made(self, module: ModuleType) -> tuple[Any, Any]:
        """Forward and backward (None if forward brings its own)."""
        if self.make is not None:
            return self.make(module)
        return getattr(module, self.forward), self.backward and getattr(module, self.backward)


def enter(
    kind: str,
    path: str,
    backward: str | None,
    reference: Callable[..., Any],
    inputs: Sequence[Any],
    also: Sequence[Any],
    slips: Sequence[tuple[Any, ...]],
    make: Callable[[ModuleType], tuple[Any, Any]] | None = None,
) -> None:
    """One function into FUNCTIONS; path is MODULE.FORWARD."""
    module, forward = path.split(".")
    assert path not in FUNCTIONS, f"{path}: two functions have this name"
    own = tuple(Slip(*slip) for slip in slips)
    FUNCTIONS[path] = Function(module, forward, backward, kind, reference, inputs, also, own, make)


def trials() -> Iterator[tuple[Function, Slip]]:
    """Every function with each of its slips."""
    for function in FUNCTIONS.values():
        yield from ((function, slip) for slip in function.slips)


def changed_lines(function: Function, slip: Slip) -> set[int]:
    """The lines of the wrong text that differ; where a line was dropped, the neighbours of the gap."""
    right, wrong = function.text.splitlines(), function.wrong(slip).splitlines()
    lines: set[int] = set()
    for tag, _, _, start, end in difflib.SequenceMatcher(None, right, wrong, autojunk=False).get_opcodes():
        if tag == "delete":
            lines |= {start, start + 1}
        elif tag != "equal":
            lines |= set(range(start + 1, end + 1))
    return lines


def load(text: str, folder: Path | None = None, name: str = "right") -> ModuleType:
    """The text imported under a name that no other module has, from a file in the folder (or one that is then gone)."""
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="broken_") as passing:
            return load(text, Path(passing), name)
    unique = f"{name}_{next(_numbers)}"
    path = folder / f"{unique}.py"
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(unique, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[unique] = module
    spec.loader.exec_module(module)
    return module


def backward_length(tree: ast.Module, forward: str, backward: str | None) -> int:
    """Lines of `backward` (or of the methods called so) and of what it calls and `forward` does not."""
    found = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    classes = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    if backward in found:
        start = [found[backward]]
    else:
        home = classes.get(forward) or used_class(found[forward], classes) or found[forward]
        start = [n for n in ast.walk(home) if isinstance(n, ast.FunctionDef) and n.name in ("backward", "gradients")]
    others = reach([found[forward]] if forward in found else [], found)
    helpers = reach(start, found) - others
    nodes = [*start, *(found[name] for name in helpers)]
    return len({line for node in nodes for line in range(node.lineno, 1 + (node.end_lineno or node.lineno))})


def used_class(node: ast.FunctionDef, classes: dict[str, ast.ClassDef]) -> ast.ClassDef | None:
    """The class that the function names."""
    named = [n.id for n in ast.walk(node) if isinstance(n, ast.Name) and n.id in classes]
    return classes[named[0]] if named else None


def reach(start: Sequence[ast.FunctionDef], found: dict[str, ast.FunctionDef]) -> set[str]:
    """The functions of the module that these call, and those call, and so on."""
    seen: set[str] = set()
    waiting = list(start)
    while waiting:
        for node in ast.walk(waiting.pop()):
            name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else None
            if name in found and name not in seen and name not in ("forward", "backward"):
                seen.add(name)
                waiting.append(found[name])
    return seen
