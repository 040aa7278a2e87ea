"""A table as text (.csv, .tsv): columns parted by comma, semicolon or tab, one of them the target.

A first row without any number, or with a column named label, target, class or y, is a header. The target is the column
that is chosen, or the one of such a name (the earlier of these first), or else the last. A column of words is an input
for each of its words.
"""

import csv
import warnings
from array import array
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple, TextIO

import numpy as np

from handgrad.experiment.datasets.cells import is_grouped, is_missing, is_number, is_word
from handgrad.experiment.datasets.form import DataError, Float, Form, Raw, Words, some
from handgrad.experiment.datasets.layout import TARGETS, Choice, Layout, choose, is_header
from handgrad.experiment.datasets.text import no_utf8
from handgrad.experiment.datasets.words import check_count, in_order, one_hot

LOOKED_AT = 20  # lines that tell the delimiter


def read(path: Path, form: Form | None = None, choice: Choice = Choice()) -> Raw:  # noqa: B008  a tuple
    """The rows of a table in UTF-8. With a form: its inputs, by name where both have names, and no target needed.

    Raises OSError if the file cannot be read, DataError for what is no table with one column of labels, and for a
    choice of columns that it does not have.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            delimiter = _delimiter(file)
            file.seek(0)
            return _read(path, _rows(path, file, delimiter), form, choice)
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


def _read(path: Path, rows: Iterator[tuple[int, list[str]]], form: Form | None, choice: Choice) -> Raw:
    first = next(rows, None)
    if first is None:
        raise DataError(f"{path}: is empty, expected rows of numbers with a label in each")
    header = is_header(first[1], choice)
    layout = choose(path, first[1], header, form, choice)
    body = rows if header else chain([first], rows)
    found = _cells(path, layout, body, first[0], form)
    x, words = _with_words(path, layout, found, form)
    if form is None:
        _note_index(path, layout, first[1], x)
    origin = [j for j, own in zip(layout.inputs, words or [()] * len(layout.inputs), strict=True) for _ in own or (0,)]
    return Raw(
        one_hot(x, words) if words else x,
        None if layout.target is None else found.labels,
        lambda i, j: layout.place(found.lines[i], origin[j] if j is not None else layout.target or 0),
        tuple(layout.names[j] for j in layout.inputs),
        "" if layout.target is None else layout.names[layout.target],
        words,
    )


class Cells(NamedTuple):
    """The rows as they were read; a word is its place among those of its column."""

    x: Float  # (N, columns)
    labels: list[str]
    lines: Sequence[int]  # of the file
    codes: dict[int, dict[str, int]]  # per column of words


def _cells(path: Path, layout: Layout, rows: Iterator[tuple[int, list[str]]], first: int, form: Form | None) -> Cells:
    """Every row's inputs and label. The first row tells which columns hold words; with a form, the form does."""
    values, lines, kept = array("d"), array("q"), dict[str, str]()
    labels: list[str] = []
    codes: dict[int, dict[str, int]] | None = None if form is None else _known(layout, form)
    for line, row in rows:
        if len(row) != layout.width:
            raise DataError(f"{path}, row {line}: {len(row)} columns, expected {layout.width} as in row {first}")
        if layout.target is not None:
            word = row[layout.target].strip()
            if is_missing(word):
                raise _bad_cell(path, line, layout, row, (layout.target,), learning=form is None)
            labels.append(kept.setdefault(word, word))  # one string per class, not one per row
        if codes is None:
            codes = {j: {} for j in layout.inputs if is_word(row[j])}
        try:
            values.extend([_code(codes[j], row[j], form) if j in codes else float(row[j]) for j in layout.inputs])
        except ValueError as error:
            raise _bad_cell(path, line, layout, row, layout.inputs, codes, learning=form is None) from error
        lines.append(line)
    x = np.frombuffer(values, dtype=np.float64).reshape(len(lines), len(layout.inputs))
    return Cells(x, labels, lines, codes or {})


def _known(layout: Layout, form: Form) -> dict[int, dict[str, int]]:
    """The words of a form's columns, by their place in the file."""
    pairs = zip(layout.inputs, form.words or [()] * form.n_columns, strict=True)
    return {j: {word: k for k, word in enumerate(own)} for j, own in pairs if own}


def _code(known: dict[str, int], cell: str, form: Form | None) -> int:
    """A word's place. ValueError for what is no word, and for one that the form does not know."""
    word = cell.strip()
    if word in known:
        return known[word]
    if form is not None or not is_word(word):
        raise ValueError(word)
    return known.setdefault(word, len(known))


def _with_words(path: Path, layout: Layout, found: Cells, form: Form | None) -> tuple[Float, tuple[Words, ...]]:
    """The columns with each word as its place in the alphabet, and the words per column; () where there are none."""
    if form is not None or not found.codes:
        return found.x, () if form is None else form.words
    x, words = found.x.copy(), list[Words]([()] * len(layout.inputs))
    for k, j in enumerate(layout.inputs):
        if j in found.codes:
            x[:, k], words[k] = in_order(x[:, k], list(found.codes[j]))
            check_count(f"{path}, {layout.column(j)}", layout.names[j], words[k], len(x))
    return x, tuple(words)


def _note_index(path: Path, layout: Layout, header: Sequence[str], x: Float) -> None:
    """A warning for a column without a name that counts the rows, as programs write beside their tables."""
    for k, j in enumerate(layout.inputs):
        if not header[j].strip() and (x[:, k] == x[:1, k] + np.arange(len(x))).all():
            warnings.warn(
                f"{path}, column {j + 1}: has no name and counts the rows, but is learned from as an input like any "
                "other; leave it out of the file, or name it",
                UserWarning,
                stacklevel=5,
            )


def _bad_cell(
    path: Path,
    line: int,
    layout: Layout,
    row: Sequence[str],
    columns: Sequence[int],
    codes: dict[int, dict[str, int]] | None = None,
    *,
    learning: bool,
) -> DataError:
    """The error for the first of these columns where no number stands, or no word in a column of words.

    learning: whether a column may still be left out.
    """
    of_words, or_column = codes or {}, ", or the column (--drop)" if learning else ""
    j = next(
        j
        for j in columns
        if is_missing(row[j]) or (not is_number(row[j]) if j not in of_words else row[j].strip() not in of_words[j])
    )
    cell, place = row[j].strip(), f"{path}, {layout.place(line, j)}"
    if is_missing(cell):
        shown = f" ({cell!r})" if cell else ""
        return DataError(f"{place}: a missing value{shown}; fill it in, or leave the row out{or_column}")
    if j in of_words:
        known = some(of_words[j])
        return DataError(f"{place}: {cell!r}, expected a word as in the rows before or learned from: {known}")
    advice = "write numbers in every row"
    if learning:
        advice += ", or words in every row, or leave the column out (--drop)"
    if is_grouped(cell):
        advice = "leave the thousands separator out, or write a decimal point in place of the comma"
    elif is_number(cell.replace(",", ".", 1)):
        advice = "write a decimal point in place of the comma"
    elif not layout.header:
        advice += f"; a header has no numbers in it, or a column named {', '.join(TARGETS)}"
    return DataError(f"{place}: {cell!r}, expected a number; {advice}")
