"""A table as text (.csv, .tsv): columns parted by comma, semicolon or tab, one of them the target.

A first row without any number, or with a column named label, target, class or y, is a header. The target is the column
of that name (the earlier of these first), or else the last.
"""

import csv
import re
import warnings
from array import array
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple, TextIO

import numpy as np

from handgrad.experiment.datasets.form import DataError, Float, Form, Raw
from handgrad.experiment.datasets.text import no_utf8

TARGETS = ("label", "target", "class", "y")
MISSING = ("", "?", "na", "n/a", "#n/a", "nan", "null")
LOOKED_AT = 20  # lines that tell the delimiter
GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?")  # 1,000


class Layout(NamedTuple):
    """Which columns of the file are what."""

    width: int
    names: tuple[str, ...]  # of all columns; () without a header
    inputs: tuple[int, ...]
    target: int | None

    def place(self, line: int, j: int) -> str:
        return f"row {line}, column {j + 1}" + (f" ({self.names[j]})" if self.names else "")


def read(path: Path, form: Form | None = None) -> Raw:
    """The rows of a table in UTF-8. With a form: its inputs, by name where both have names, and no target needed.

    Raises OSError if the file cannot be read, DataError for what is no table of numbers with one column of labels.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            delimiter = _delimiter(file)
            file.seek(0)
            return _read(path, _rows(path, file, delimiter), form)
    except UnicodeDecodeError as error:
        raise no_utf8(path) from error


def _delimiter(file: TextIO) -> str:
    """Tab or semicolon where they part every line alike (a comma may be a decimal one), else comma, else the most."""
    lines = [line for line in islice(file, LOOKED_AT) if line.strip()]
    for delimiter in "\t;,":
        try:
            widths = {len(row) for row in csv.reader(lines, delimiter=delimiter)}
        except csv.Error:
            continue
        if len(widths) == 1 and widths != {1}:
            return delimiter
    return max(",;\t", key=lines[0].count) if lines else ","


def _rows(path: Path, file: TextIO, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Every row that is not blank, with the number of its line in the file."""
    reader = csv.reader(file, delimiter=delimiter, strict=True)
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                yield reader.line_num, row
    except csv.Error as error:
        raise DataError(
            f"{path}, row {reader.line_num}: {error}; look for a quotation mark without its partner"
        ) from error


def _read(path: Path, rows: Iterator[tuple[int, list[str]]], form: Form | None) -> Raw:
    first = next(rows, None)
    if first is None:
        raise DataError(f"{path}: is empty, expected rows of numbers with a label in each")
    header = _is_header(first[1])
    layout = _layout(path, first[1], header, form)
    values, lines, kept = array("d"), array("q"), dict[str, str]()
    labels: list[str] = []
    for line, row in rows if header else chain([first], rows):
        if len(row) != layout.width:
            raise DataError(f"{path}, row {line}: {len(row)} columns, expected {layout.width} as in row {first[0]}")
        if layout.target is not None:
            word = row[layout.target].strip()
            if word.casefold() in MISSING:
                raise _bad_cell(path, line, layout, row, layout.target)
            labels.append(kept.setdefault(word, word))  # one string per class, not one per row
        try:
            values.extend([float(row[j]) for j in layout.inputs])
        except ValueError as error:
            raise _bad_cell(path, line, layout, row, *layout.inputs) from error
        lines.append(line)
    x = np.frombuffer(values, dtype=np.float64).reshape(len(lines), len(layout.inputs))
    if form is None:
        _note_index(path, layout, first[1], x)
    return Raw(
        x,
        None if layout.target is None else labels,
        lambda i, j: layout.place(lines[i], layout.inputs[j] if j is not None else layout.target or 0),
        tuple(layout.names[j] for j in layout.inputs) if layout.names else (),
        layout.names[layout.target] if layout.names and layout.target is not None else "",
    )


def _note_index(path: Path, layout: Layout, header: Sequence[str], x: Float) -> None:
    """A warning for a column without a name that counts the rows, as programs write beside their tables."""
    for k, j in enumerate(layout.inputs):
        if layout.names and not header[j].strip() and (x[:, k] == x[:1, k] + np.arange(len(x))).all():
            warnings.warn(
                f"{path}, column {j + 1}: has no name and counts the rows, but is learned from as an input like any "
                "other; leave it out of the file, or name it",
                UserWarning,
                stacklevel=5,
            )


def _is_header(row: Sequence[str]) -> bool:
    return any(cell.strip().casefold() in TARGETS for cell in row) or not any(map(_is_number, row))


def _layout(path: Path, first: Sequence[str], header: bool, form: Form | None) -> Layout:
    """Where the inputs and the target stand. DataError for too few columns, names given twice and names missing."""
    width = len(first)
    names = tuple(cell.strip() or f"column {j + 1}" for j, cell in enumerate(first)) if header else ()
    for j, name in enumerate(names):
        if name in names[:j]:
            raise DataError(f"{path}: columns {names.index(name) + 1} and {j + 1} are both called {name!r}; rename one")
    if form is not None and names and form.columns:
        absent = [name for name in form.columns if name not in names]
        if absent:
            raise DataError(f"{path}: no column {', '.join(map(repr, absent[:8]))}, which the network was trained on")
        target = names.index(form.target_name) if form.target_name in names else None
        return Layout(width, names, tuple(map(names.index, form.columns)), target)
    if form is not None and width == form.n_in:
        return Layout(width, names, tuple(range(width)), None)
    if form is not None and width != form.n_in + 1:
        raise DataError(f"{path}: {width} columns, expected {form.n_in} as in the data learned from, or the target too")
    if width < 2:
        raise DataError(f"{path}: one column, expected two or more, parted by comma, semicolon or tab")
    folded = [name.casefold() for name in names]
    target = next((folded.index(name) for name in TARGETS if name in folded), width - 1)
    return Layout(width, names, tuple(j for j in range(width) if j != target), target)


def _bad_cell(path: Path, line: int, layout: Layout, row: Sequence[str], *columns: int) -> DataError:
    """The error for the first of these columns where no number stands."""
    j = next(j for j in columns if row[j].strip().casefold() in MISSING or not _is_number(row[j]))
    cell, place = row[j].strip(), f"{path}, {layout.place(line, j)}"
    if cell.casefold() in MISSING:
        shown = f" ({cell!r})" if cell else ""
        return DataError(f"{place}: a missing value{shown}; fill it in or leave the row out")
    advice = "write it as columns of 0 and 1, or leave the column out"
    if GROUPED.fullmatch(cell):
        advice = "leave the thousands separator out, or write a decimal point in place of the comma"
    elif _is_number(cell.replace(",", ".", 1)):
        advice = "write a decimal point in place of the comma"
    elif not layout.names:
        advice += f"; a header has no numbers in it, or a column named {', '.join(TARGETS)}"
    return DataError(f"{place}: {cell!r}, expected a number; {advice}")


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
