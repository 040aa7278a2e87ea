"""docs/api.md has every public name, with its signature and docstring as they stand in the source.

`python -m tests.test_api` writes it anew.
"""

import ast
import inspect
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import handgrad
import manual
import manual.sklearn
import torch_ref

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "api.md"
PACKAGES = handgrad, manual, manual.sklearn, torch_ref
NAMES = [(package, name) for package in PACKAGES for name in sorted(package.__all__, key=str.lower)]
BY_TYPES = {"param_shapes", "forward", "backward", "scalar"}  # what Layer, Loss and Activation explain once for all
HEAD = """# Every public name

Generated from the source; `python -m tests.test_api` writes it anew. In Python, `help(handgrad.verify)` shows the same.
The commands are in `handgrad --help`, how the judge decides in [method.md](method.md), every equation in
[derivations.md](derivations.md).
"""


def home(package: ModuleType, name: str) -> ModuleType:
    """The module in which a public name is made."""
    own = sys.modules.get(getattr(getattr(package, name), "__module__", ""))  # a constant has none
    inside = [m for key, m in sorted(sys.modules.items()) if key.startswith(package.__name__)]
    return next(m for m in (own, *inside) if m in inside and name in assigned(inspect.getsource(m)))


@cache
def assigned(source: str) -> dict[str, ast.stmt]:
    """The classes, functions, constants and types of a module."""
    found: dict[str, ast.stmt] = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            found[node.name] = node
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found[node.target.id] = node
    return found


def shown(lines: list[str], node: ast.stmt) -> Iterator[str]:
    """The lines of a definition that its user reads: of a class its fields and the heads of its public methods too."""
    first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))])
    if not isinstance(node, ast.ClassDef | ast.FunctionDef):
        while lines[first - 2].startswith("#"):
            first -= 1
        yield from lines[first - 1 : node.end_lineno]
        return
    documented = ast.get_docstring(node) is not None
    last = node.body[0].end_lineno if documented else node.body[0].lineno - 1
    yield from lines[first - 1 : last]
    if isinstance(node, ast.ClassDef):
        fields = [part for part in node.body if isinstance(part, ast.AnnAssign) and is_public(ast.unparse(part.target))]
        methods = [part for part in node.body if isinstance(part, ast.FunctionDef) and is_public(part.name)]
        yield from ["", *(line for part in fields for line in shown(lines, part))] if fields else ()
        yield from (line for part in methods for line in ["", *shown(lines, part)])


def is_public(name: str) -> bool:
    """Whether a field or a method is for its user."""
    return not name.startswith("_") or name == "__init__"


def inherited(made: Any) -> Iterator[str]:
    """A line for each public method that a class has from another class of ours."""
    for owner in made.__mro__[1:] if inspect.isclass(made) else ():
        if owner.__module__.partition(".")[0] in ("handgrad", "manual", "torch_ref"):
            for name, method in vars(owner).items():
                if is_public(name) and inspect.isfunction(method) and getattr(made, name) is method:
                    arguments = ", ".join([*inspect.signature(method).parameters][1:])
                    yield f"- `{name}({arguments})`" + (f": {first}" if (first := first_paragraph(method)) else "")


def first_paragraph(made: Any) -> str:
    """Of its own docstring; "" where it has none."""
    return (made.__doc__ or "").partition("\n\n")[0].strip()


def entry(package: ModuleType, name: str) -> str:
    """What the page says of one name."""
    source = inspect.getsource(home(package, name))
    code = "\n".join(shown(source.splitlines(), assigned(source)[name]))
    more = "\n".join(inherited(getattr(package, name)))
    return f"### {package.__name__}.{name}\n\n```python\n{code}\n```\n" + (f"\nIt also has\n\n{more}\n" if more else "")


def anchors() -> list[str]:
    """The address of each name's heading: lower case, without dots, numbered where two would be the same."""
    plain = [f"{package.__name__}{name}".lower().replace(".", "") for package, name in NAMES]
    return [each + (f"-{before}" if (before := plain[:i].count(each)) else "") for i, each in enumerate(plain)]


def page() -> str:
    """docs/api.md, as the source has it now."""
    parts = [HEAD]
    for package in PACKAGES:
        found = [(name, anchor) for (owner, name), anchor in zip(NAMES, anchors(), strict=True) if owner is package]
        links = ",\n".join(f"[{name}](#{anchor})" for name, anchor in found)
        parts += [f"## {package.__name__}\n\n{first_paragraph(package)}\n\n{links}\n"]
        parts += [entry(package, name) for name, _ in found]
    return "\n".join(parts)


def test_the_page_is_what_the_source_says() -> None:
    assert PAGE.read_text("utf-8") == page(), "docs/api.md: python -m tests.test_api writes it anew"


@pytest.mark.parametrize(("package", "name"), NAMES, ids=lambda value: getattr(value, "__name__", value))
def test_every_public_name_is_explained(package: ModuleType, name: str) -> None:
    """By a docstring, a constant or a type by a comment; each public method too, or by the class it follows."""
    source = inspect.getsource(home(package, name))
    node, made = assigned(source)[name], getattr(package, name)
    if isinstance(node, ast.AnnAssign):
        assert "#" in "\n".join(shown(source.splitlines(), node))
        return
    assert isinstance(node, ast.ClassDef | ast.FunctionDef)
    assert ast.get_docstring(node)
    if isinstance(node, ast.ClassDef):
        methods = [part.name for part in node.body if isinstance(part, ast.FunctionDef) and part.name[0] != "_"]
        silent = [method for method in methods if not inspect.getdoc(getattr(made, method))]
        assert set(silent) <= BY_TYPES


def test_no_two_headings_have_one_address() -> None:
    assert len({*anchors()}) == len(NAMES)
    assert {"manualsgd", "manualsgd-1"} <= {*anchors()}  # SGD and sgd


def test_what_is_not_public_is_not_shown() -> None:
    head = ["class A:", "    'Doc.'", "    x: int  # why"]
    source = [*head, "    _y: int", "    def f(self):", "        return 1", "    def _g(self): ..."]
    seen = list(shown(source, assigned("\n".join(source))["A"]))
    assert seen == [*head[:2], "", head[2], "", "    def f(self):"]


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
