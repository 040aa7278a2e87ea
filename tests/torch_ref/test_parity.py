"""Both sides line against line: the same file names, the same order of definitions, the same constructors."""

import ast
import inspect
from dataclasses import fields
from pathlib import Path

import pytest

import manual
import torch_ref
from torch_ref.twin import TWINS

ROOT = Path(__file__).parents[2]
FILES = sorted({str(Path(inspect.getfile(kind)).relative_to(ROOT / "manual")) for kind in TWINS})


def classes(package: str, name: str) -> list[str]:
    """The public classes a file defines, in order; caches and statistics are the manual side's alone."""
    tree = ast.parse((ROOT / package / name).read_text(encoding="utf-8"))
    found = [node.name for node in tree.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_")]
    return [name for name in found if not name.endswith("Cache") and name != "Running"]


@pytest.mark.parametrize("name", FILES)
def test_the_same_definitions_in_the_same_order(name: str) -> None:
    assert classes("torch_ref", name) == classes("manual", name)


def test_every_layer_and_loss_of_manual_has_a_twin() -> None:
    public = [kind for name in manual.__all__ if inspect.isclass(kind := getattr(manual, name))]
    assert {kind for kind in public if hasattr(kind, "backward")} - {manual.Network, manual.Layer, manual.Loss} == set(
        TWINS
    )


@pytest.mark.parametrize("kind", TWINS, ids=lambda kind: kind.__name__)
def test_the_twin_has_the_name_and_the_constructor_of_the_manual_class(kind: type) -> None:
    module = TWINS[kind]
    assert module is getattr(torch_ref, kind.__name__)
    ours, theirs = Path(inspect.getfile(module)), Path(inspect.getfile(kind))
    assert ours.relative_to(ROOT / "torch_ref") == theirs.relative_to(ROOT / "manual")
    names = [field.name for field in fields(kind)]
    takes, fields_of = inspect.signature(module).parameters, inspect.signature(kind).parameters
    if names:
        assert list(takes) == names
    assert {name: p.default for name, p in takes.items() if name in names} == {n: fields_of[n].default for n in names}


def test_all_is_sorted_and_complete() -> None:
    assert {kind.__name__ for kind in TWINS} <= set(torch_ref.__all__)
    assert all(hasattr(torch_ref, name) for name in torch_ref.__all__)
