"""Somebody's file imported as `python FILE` would run it, but for what stands under `if __name__ == "__main__"`."""

import ast
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, TypeGuard

from handgrad.judge.isolation import attempt


class CannotLoad(Exception):
    """The file raised something; the message says where and what."""


class CallsExit(Exception):
    """Stands in for SystemExit, which would end the command with an exit code of the file's own."""


@dataclass(frozen=True, eq=False)
class Loaded:
    """The module, and the statement of every name that its top level defines itself; "Class.method" too."""

    path: Path
    module: ModuleType
    defined: dict[str, ast.stmt]

    def find(self, name: str) -> Any:
        """What a name of the file means; None for one that it does not define."""
        return getattr(self.module, name, None) if name in self.defined else None


@contextmanager
def load(path: Path) -> Iterator[Loaded]:
    """The file, imported until the block ends. Raises CannotLoad with the line for whatever stops it.

    Its folder comes first on sys.path, so that it finds its neighbours; a file of a package is imported as a part of
    that. Afterwards sys.path and sys.modules are as before, so that an edited file can be read again.
    """
    name, folder = module_name(path)
    before, modules, arguments = list(sys.path), dict(sys.modules), sys.argv
    sys.path.insert(0, str(folder))
    sys.argv = [str(path)]
    try:
        with redirect_stdout(sys.stderr):
            done = attempt(run, path, name)
        if done.value is None:
            raise CannotLoad(f"{place(path, done.error)}: {type(done.error).__name__}: {reason(path, done.error)}")
        yield done.value
    finally:
        sys.path[:], sys.argv = before, arguments
        forget(folder, modules)
        sys.modules.pop(name, None)
        sys.modules.update({name: modules[name]} if name in modules else {})


def run(path: Path, name: str) -> Loaded:
    """The file read once and run; no bytecode is kept, which could be older than the last edit."""
    tree = ast.parse(path.read_bytes(), str(path))
    spec = spec_from_file_location(name, path)
    assert spec is not None
    if "." in name:
        import_module(name.rpartition(".")[0])
    sys.modules[name] = module = module_from_spec(spec)
    try:
        exec(compile(tree, str(path), "exec", dont_inherit=True), module.__dict__)
    except SystemExit as stop:
        raise CallsExit("it ends the program").with_traceback(stop.__traceback__) from None
    return Loaded(path, module, definitions(tree))


def module_name(path: Path) -> tuple[str, Path]:
    """Under which name a file is imported, and from which folder: of a package, with the package's name before it."""
    folder, parts = path.resolve().parent, [path.stem]
    while (folder / "__init__.py").is_file():
        folder, parts = folder.parent, [folder.name, *parts]
    return ".".join(parts), folder


def definitions(tree: ast.AST) -> dict[str, ast.stmt]:
    """Functions, classes with their methods, and variables of the top level, those inside if, try and with too."""
    found: dict[str, ast.stmt] = {}
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found[node.name] = node
            if isinstance(node, ast.ClassDef):
                found |= {f"{node.name}.{m.name}": m for m in node.body if isinstance(m, ast.FunctionDef)}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {target.id: node for target in targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.If | ast.Try | ast.With | ast.ExceptHandler):
            found |= definitions(node)
    return dict(sorted(found.items(), key=lambda item: item[1].lineno))


def place(path: Path, error: Exception | None) -> str:
    """FILE:LINE of the last line of the file that took part; FILE alone where none did."""
    line = error.lineno if is_syntax(error, path) else None
    step: TracebackType | None = error.__traceback__ if error else None
    while step is not None:
        line = step.tb_lineno if step.tb_frame.f_code.co_filename == str(path) else line
        step = step.tb_next
    return f"{path}:{line}" if line else str(path)


def reason(path: Path, error: Exception | None) -> str:
    """Its words; of a SyntaxError of this file without the place, which is said before."""
    return error.msg if is_syntax(error, path) else str(error)


def is_syntax(error: Exception | None, path: Path) -> TypeGuard[SyntaxError]:
    """Whether the file itself is no Python, and not one that it imports."""
    return isinstance(error, SyntaxError) and error.filename == str(path)


def forget(folder: Path, kept: dict[str, ModuleType]) -> None:
    """Neighbours that were imported since go again; installed libraries stay, for few of them can be loaded twice."""
    for name in [n for n in sys.modules if n not in kept]:
        file = getattr(sys.modules[name], "__file__", None)
        if file and Path(file).is_relative_to(folder) and "site-packages" not in Path(file).parts:
            del sys.modules[name]
