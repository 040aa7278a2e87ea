"""Which columns of a table are what: the inputs and the target, by name, by number, or by their place."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from handgrad.experiment.datasets.cells import is_number
from handgrad.experiment.datasets.form import DataError, Form, some

TARGETS = ("label", "target", "class", "y")


class Choice(NamedTuple):
    """Which columns are wanted, by name or by number from 1."""

    target: str = ""  # "" for the one that the header tells, or the last
    drop: tuple[str, ...] = ()  # left out


class Layout(NamedTuple):
    """Which columns of the file are what."""

    width: int
    names: tuple[str, ...]  # of all columns; without a header their numbers
    inputs: tuple[int, ...]
    target: int | None

    @property
    def header(self) -> bool:
        """Whether the file has one that names its columns."""
        return self.names != numbered(self.width)

    def place(self, line: int, j: int) -> str:
        return f"row {line}, {self.column(j)}"

    def column(self, j: int) -> str:
        return f"column {j + 1}" + ("" if is_numbered(self.names[j]) else f" ({self.names[j]})")


def numbered(width: int) -> tuple[str, ...]:
    """The names of columns that have none.

    >>> numbered(2)
    ('column 1', 'column 2')
    """
    return tuple(f"column {j + 1}" for j in range(width))


def is_numbered(name: str) -> bool:
    """Whether it is a name of `numbered`."""
    word, _, number = name.partition(" ")
    return word == "column" and number.isdecimal()


def has_names(form: Form) -> bool:
    """Whether the data learned from were a table with a header."""
    return bool(form.columns) and not all(map(is_numbered, (*form.columns, form.target_name)))


def is_header(row: Sequence[str], choice: Choice) -> bool:
    """Whether a first row names the columns: it has a name that is asked for or usual, or no number at all."""
    cells = [cell.strip() for cell in row]
    if any(name in cells and not name.isdecimal() for name in (choice.target, *choice.drop)):
        return True
    return any(cell.casefold() in TARGETS for cell in cells) or not any(map(is_number, row))


def choose(path: Path, first: Sequence[str], header: bool, form: Form | None, choice: Choice) -> Layout:
    """Where the inputs and the target stand. DataError for too few columns, names given twice and names missing."""
    width = len(first)
    names = tuple(cell.strip() or f"column {j + 1}" for j, cell in enumerate(first)) if header else numbered(width)
    for j, name in enumerate(names):
        if name in names[:j]:
            raise DataError(f"{path}: columns {names.index(name) + 1} and {j + 1} are both called {name!r}; rename one")
    if not header:
        _note_numbers(path, first)
    if form is not None:
        return _layout_of(path, names, form)
    if width < 2:
        raise DataError(f"{path}: one column, expected two or more, parted by comma, semicolon or tab")
    dropped = [_find(path, "drop", name, names) for name in choice.drop]
    left = [j for j in range(width) if j not in dropped]
    if not left:
        raise DataError(f"{path}: --drop leaves no column, expected a target and an input or more")
    target = _find(path, "target", choice.target, names) if choice.target else _usual_target(path, names, left)
    if target in dropped:
        raise DataError(f"{path}: {names[target]!r} is the target, and left out by --drop; choose one of the two")
    return Layout(width, names, tuple(j for j in left if j != target), target)


def _note_numbers(path: Path, first: Sequence[str]) -> None:
    """A warning for a first row 0, 1, 2, ... or 1, 2, 3, ...: programs name columns so that had no names."""
    counts = [[str(j + start) for j in range(len(first))] for start in (0, 1)]
    if len(first) > 2 and [cell.strip() for cell in first] in counts:
        warnings.warn(
            f"{path}: its first row, {some(first)}, is taken for data, since numbers are no names; if it is a header, "
            "leave it out of the file, or write names in it",
            UserWarning,
            stacklevel=6,
        )


def _usual_target(path: Path, names: Sequence[str], left: Sequence[int]) -> int:
    """The column of a name that targets have, or else the last of those that are left."""
    folded = {names[j].casefold(): j for j in reversed(left)}
    target = next((folded[name] for name in TARGETS if name in folded), left[-1])
    if target != left[-1] and names[target].casefold() == "y":  # which may as well be a coordinate
        warnings.warn(
            f"{path}: the target is {names[target]!r}, for its name; to learn {names[left[-1]]!r}, the last column, "
            f"say so: --target {names[left[-1]]!r} (from Python: target=)",
            UserWarning,
            stacklevel=6,
        )
    return target


def _find(path: Path, option: str, wanted: str, names: Sequence[str]) -> int:
    """The column of that name, or else of that number from 1."""
    if wanted in names:
        return names.index(wanted)
    if wanted.isdecimal() and 1 <= int(wanted) <= len(names):
        return int(wanted) - 1
    raise DataError(f"{path}: --{option}: no column {wanted!r}; the columns are {some(names)}, or a number from 1")


def _layout_of(path: Path, names: tuple[str, ...], form: Form) -> Layout:
    """Where the inputs of a form stand, and its target if there is one: by name where both have names, else by place.

    By place there are all inputs and nothing else, or the target too: where it stood, or last. Warns where names were
    learned that the file has not.
    """
    width, n, named, by_number = len(names), form.n_columns, has_names(form), numbered(len(names))
    if named and names != by_number:
        absent = [name for name in form.columns if name not in names]
        if absent:
            raise DataError(f"{path}: no column {', '.join(map(repr, absent[:8]))}, which the network was trained on")
        target = names.index(form.target_name) if form.target_name in names else None
        return Layout(width, names, tuple(map(names.index, form.columns)), target)
    usual = next((j for j, name in enumerate(names) if name.casefold() in TARGETS), None)
    if form.columns and usual is None and {*form.columns, form.target_name} <= set(by_number):
        return Layout(width, names, tuple(map(by_number.index, form.columns)), by_number.index(form.target_name))
    if width == n:
        target = None
    elif width == n + 1 and (usual is not None or named or not form.columns):
        target = width - 1 if usual is None else usual
    else:  # which of them it is, nothing tells
        raise DataError(f"{path}: {width} columns, expected {n} as in the data learned from, or the target too")
    if named:
        _note_order(path, form, target)
    return Layout(width, names, tuple(j for j in range(width) if j != target), target)


def _note_order(path: Path, form: Form, target: int | None) -> None:
    """A warning that the columns of a file without names are taken for those learned from, in their order."""
    taken = some([*form.columns, *([form.target_name] if target is not None else [])])
    warnings.warn(
        f"{path}: has no header, so its columns are taken for {taken}, in the order of the data learned from",
        UserWarning,
        stacklevel=7,
    )
