"""The floors of the house. A room imports from its own floor's rooms never, from lower ones only.

A folder is a room, and so is each file that stands directly in a package. Imports are read from the syntax trees, those
inside functions too; only what is imported for type checking alone does not count, since it is never run.
"""

import ast
import importlib
import tomllib
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# From the ground up. The rooms of one line do not know each other. The package's own name is its __init__.
FLOORS: dict[str, list[str]] = {
    "manual": [
        "types initial lent",  # the contract of layers and losses
        "namespace arguments tree",
        "precision",
        "layers optimizers",
        "losses names network neuron",
        "checks",
        "gradients training presets",
        "files sklearn",
        "manual",
    ],
    "torch_ref": [
        "layers losses",  # the twins
        "sync_batch_norm",
        "twin",
        "weights",
        "gradients hand",
        "training",
        "torch_ref",
    ],
    "handgrad": [
        "handgrad",  # hands its names on when they are first used, and imports nothing itself
        "mark",  # a mark on a function, read by whoever looks for it
        "arrays html",
        "arrays.on_torch",
        "judge",
        "source",
        "mend",
        "explain.recognise",
        "explain.catalogue",
        "explain",
        "report",
        "subjects.torch_function",
        "subjects.function subjects.network",
        "subjects.file",
        "subjects",
        "experiment.datasets checkup",
        "experiment",
        "grading.child",  # all that runs in the process of a submission
        "grading",
        "grading.exercises suite course worked",
        "commands assertions",
        "cli pytest_plugin",
        "__main__",
    ],
}


@cache
def files(package: str) -> dict[str, Path]:
    """Every module of the package with its file: "manual.layers.relu", and "manual.layers" for the __init__."""
    paths = sorted((ROOT / package).rglob("*.py"))
    return {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in paths}


def room(module: str) -> str:
    """The folder of a module, or its own name where it stands directly in the package."""
    package, *inside = module.split(".")
    if not inside:
        return package
    if files(package)[module].name == "__init__.py" or len(inside) == 1:
        return ".".join(inside)
    return ".".join(inside[:-1])


def statements(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node of the tree but those below `if TYPE_CHECKING`."""
    for node in ast.iter_child_nodes(tree):
        if not (isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")):
            yield node
            yield from statements(node)


def imports(module: str) -> set[str]:
    """The modules of the same package that a module imports."""
    known, found = files(module.split(".")[0]), set()
    for node in statements(ast.parse(files(module.split(".")[0])[module].read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in known else str(node.module) for name in names}
    return found & known.keys()


def arrows(package: str) -> set[tuple[str, str]]:
    """(importing module, imported module) of the whole package."""
    return {(module, other) for module in files(package) for other in imports(module)}


@pytest.mark.parametrize(
    "package",
    FLOORS,
)
def test_a_room_knows_lower_floors_only(package: str) -> None:
    floor = {name: i for i, names in enumerate(FLOORS[package]) for name in names.split()}
    upward = {
        f"{module} -> {other}"
        for module, other in arrows(package)
        if room(module) != room(other) and floor[room(module)] <= floor[room(other)]
    }
    assert sorted(upward) == []


@pytest.mark.parametrize("package", FLOORS)
def test_every_room_has_a_floor(package: str) -> None:
    named = [name for names in FLOORS[package] for name in names.split()]
    assert sorted(named) == sorted({room(module) for module in files(package)})


@pytest.mark.parametrize("package", FLOORS)
def test_no_circle_between_files(package: str) -> None:
    """Inside a room too. graphlib raises CycleError, which names the files."""
    below: dict[str, set[str]] = {module: imports(module) - {module} for module in files(package)}
    TopologicalSorter(below).prepare()


@pytest.mark.parametrize("package", FLOORS)
def test_every_room_says_what_it_is(package: str) -> None:
    folders = [module for module, path in files(package).items() if path.name == "__init__.py"]
    silent = [module for module in folders if not importlib.import_module(module).__doc__]
    assert folders
    assert silent == []


def test_the_distribution_has_every_room() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["packages"]
    folders = {m for package in FLOORS for m, path in files(package).items() if path.name == "__init__.py"}
    assert sorted(listed) == sorted({*folders, "handgrad.lectures"})  # the lectures' scripts stand in examples/
    assert {str(path.parent.relative_to(ROOT)) for package in FLOORS for path in (ROOT / package).rglob("*.py")} == {
        folder.replace(".", "/") for folder in folders
    }
