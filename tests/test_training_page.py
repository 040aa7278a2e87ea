"""docs/training.md: its commands run and print what stands there, and what it says of files is so.

`python -m tests.test_training_page` writes what is printed anew.
"""

import contextlib
import doctest
import io
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from handgrad.cli import main
from handgrad.experiment.datasets import DataError, load
from handgrad.experiment.datasets.arrays import PAIRS
from handgrad.experiment.datasets.cells import MISSING
from handgrad.experiment.datasets.layout import TARGETS
from handgrad.experiment.datasets.load import CONTEXT, FEWEST, FEWEST_LETTERS, FOREIGN, MOST_LETTERS
from handgrad.experiment.datasets.text import LETTERS
from handgrad.experiment.datasets.words import MOST
from handgrad.experiment.keep import SECONDS
from handgrad.experiment.plan import VALIDATION
from tests.test_checkup_page import without_digits

PAGE = Path(__file__).resolve().parents[1] / "docs" / "training.md"
TEXT = PAGE.read_text("utf-8")
COMMAND = re.compile(r"```console\n\$ handgrad ([^\n]*)\n(.*?)```", re.DOTALL)
PLAIN = " ".join(TEXT.split())


def run(words: str) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert main(words.split()) == 0
    return out.getvalue()


@contextlib.contextmanager
def files() -> Iterator[None]:
    """A working directory with what the page speaks of."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            tables = re.findall(r"```csv\n(.*?)```", TEXT, re.DOTALL)
            for name, rows in zip(("plants.csv", "new.csv"), tables, strict=True):
                Path(name).write_text(rows, "utf-8")
            for kind, grey in {"cat": 60, "dog": 200}.items():
                Path("animals", kind).mkdir(parents=True)
                for i in range(10):
                    Image.new("RGB", (30, 20), (grey, grey + i, 0)).save(f"animals/{kind}/{i}.png")
            assert doctest.testfile(str(PAGE), module_relative=False).failed == 0
            yield
        finally:
            os.chdir(before)


def written(page: str) -> str:
    """The page with what its commands print now."""
    with files():
        return COMMAND.sub(lambda found: f"```console\n$ handgrad {found[1]}\n{run(found[1])}```", page)


def test_the_page_prints_what_the_commands_give() -> None:
    words = "docs/training.md is out of date; python -m tests.test_training_page writes it anew"
    assert without_digits(written(TEXT)) == without_digits(TEXT), words


def test_names_and_numbers_are_those_of_the_code() -> None:
    missing, (*first, last) = [f"`{cell}`" for cell in MISSING if cell], PAIRS
    shown = f"An empty cell, {', '.join(missing[:-1])} and {missing[-1]}, in capitals or not, is refused"
    assert shown.casefold() in PLAIN.casefold()
    pairs = ", ".join(f"{x} and {y}" for x, y in first)
    assert f"The two arrays are called {pairs}, or {' and '.join(last)}." in PLAIN
    assert f"the column called {', '.join(f'`{name}`' for name in TARGETS[:-1])} or `{TARGETS[-1]}`, the" in PLAIN
    assert (f"More than {MOST} words" in PLAIN, len(LETTERS), CONTEXT, FEWEST, FOREIGN) == (True, 28, 5, 4, 0.1)
    assert f"At least {FEWEST_LETTERS:,} letters are needed, and the first {MOST_LETTERS:,} are used." in PLAIN
    assert (VALIDATION, SECONDS) == (0.2, 1)


ROWS = "1,2,ash\n2,5,oak\n3,1,ash\n4,4,oak\n"
COUNTED = "".join(f"{i},{i % 3},{{}}\n" for i in range(6))
TABLES: dict[str, tuple[str, dict[str, Any], str]] = {  # a sentence, a table, options, and what is read or refused
    "parted by comma, semicolon or tab": (ROWS.replace(",", ";"), {}, "column 1, column 2 -> column 3: ash, oak"),
    "may have the separator or an end of line in it": (ROWS.replace("oak", '"o,\nk"'), {}, ": ash, o,\nk"),
    "Blank lines are left out.": ("\n" + ROWS.replace("\n", "\n\n"), {}, ": ash, oak"),
    "with or without a byte-order mark.": ("\ufeffa,b,c\n" + ROWS, {}, "a, b -> c: ash, oak"),
    "Every row has as many cells as the first.": (ROWS + "1,2\n", {}, "row 5: 2 columns, expected 3"),
    "Four rows are the fewest.": (ROWS[:-8], {}, "3 rows of data, expected 4"),
    "if no cell of it is a number,": ("a,b,c\n" + ROWS, {}, "a, b -> c"),
    "or if one is called `label`, `target`, `class` or `y`": ("1,2,Class\n" + ROWS, {}, "1, 2 -> Class: ash"),
    "or as `--target` or `--drop` says.": ("1,2,c\n" + ROWS, {"target": "c"}, "1, 2 -> c: ash, oak"),
    "Any other first row is data": (ROWS, {"drop": ["1"]}, "column 2 -> column 3: ash, oak"),
    "the earlier of these names first": ("y,label,a\n" + "0,1,2\n1,0,5\n" * 2, {}, "y, a -> label: 0, 1"),
    "or else the last column": ("a,b,c\n" + ROWS, {}, "-> c"),
    "`--target 4` chooses another": ("a,b,c\n" + ROWS, {"target": "1"}, "b, c = ash, c = oak -> a: 1 fitted"),
    "leaves columns out": ("a,b,c\n" + ROWS, {"drop": ["a"]}, "b -> c"),
    "So are whole numbers from 0": (COUNTED.format(*"010203"), {}, "column 3: 1 fitted"),
    "at most half as many as there are rows": (COUNTED.format(*"010202"), {}, "column 3: 0, 1, 2"),
    "or -1 and 1": (COUNTED.format(*[-1, 1] * 3), {}, ": -1, 1"),
    "All other numbers are fitted": (COUNTED.format(*[0.5, 1] * 3), {}, ": 1 fitted"),
    "and whole numbers too with `--loss mse`": (COUNTED.format(*"010101"), {"fit": True}, ": 1 fitted"),
    "More words than that are refused": (COUNTED.format(*"abcdef"), {}, "6 different labels"),
    "Numbers have a decimal point": (COUNTED.format(*"ababab").replace("2", '"2,5"'), {}, "write a decimal point"),
    "no separator of thousands": (COUNTED.format(*"ababab").replace("2", '"2,500"'), {}, "thousands separator"),
    "each word becomes an input": ("a,b,c\n" + ROWS, {"target": "2"}, "a, c = ash, c = oak -> b: 1 fitted"),
    "are refused as well.": (COUNTED.format(*"abcdef"), {"target": "1"}, "6 different words in 6 rows"),
    "**Missing values** are never filled in.": (ROWS + "1,N/a,ash\n", {}, "row 5, column 2: a missing value ('N/a')"),
}


def read(path: Path, **how: Any) -> str:
    """What is learned from what, or why nothing is."""
    try:
        form = load(path, **how).form
    except DataError as error:
        return str(error)
    names = [form.input_name(j) for j in range(form.n_in)]
    return f"{', '.join(names)} -> {form.target_name}: {', '.join(form.classes or [f'{form.n_out} fitted'])}"


@pytest.mark.parametrize("sentence", TABLES)
def test_what_is_said_of_tables(sentence: str, tmp_path: Path) -> None:
    rows, how, expected = TABLES[sentence]
    (tmp_path / "own.csv").write_text(rows, "utf-8")
    assert sentence in PLAIN
    assert expected in read(tmp_path / "own.csv", **how)


X, Y = np.random.default_rng(0).normal(size=(8, 2, 3)), np.arange(8) % 2
ARRAYS: dict[str, tuple[Any, Any, str]] = {  # a sentence, x, y, and what is read or refused
    "each row is flattened": (X, Y, "input 5, input 6 -> : 0, 1"),
    "integers, truth values and words are classes": (X, Y == 0, ": 0, 1"),
    "one-hot rows (N, K) too": (X, np.eye(3)[Y], ": 0, 1, 2"),
    "several at once if y is (N, k)": (X, X[:, 0], ": 3 fitted"),
    "too much to be classes are refused": (X, np.arange(8), "8 different labels"),
    "nan and infinity are refused": (np.where(X > 0, X, np.inf), Y, "expected a finite number"),
    "an array of Python objects": (X, Y.astype(object), "is no .npz of plain numbers"),
}


@pytest.mark.parametrize("sentence", ARRAYS)
def test_what_is_said_of_arrays(sentence: str, tmp_path: Path) -> None:
    x, y, expected = ARRAYS[sentence]
    np.savez(tmp_path / "own.npz", x=x, y=y, more=X)
    assert sentence in PLAIN
    assert expected in read(tmp_path / "own.npz")


def test_what_is_said_of_their_inputs(tmp_path: Path) -> None:
    assert "all are divided by the largest. Other numbers are taken as a table's, column by column." in PLAIN
    pixels, flat = np.arange(48, dtype=np.uint8).reshape(8, 2, 3), X.reshape(8, 6)
    for x, expected in ((pixels, pixels.reshape(8, 6) / 47), (X, (flat - flat.mean(0)) / flat.std(0))):
        np.savez(tmp_path / "own.npz", x=x, y=Y)
        np.testing.assert_allclose(load(tmp_path / "own.npz").x, expected, rtol=1e-12)


if __name__ == "__main__":
    PAGE.write_text(written(TEXT), "utf-8")
