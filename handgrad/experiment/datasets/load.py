"""A file of any kind that is understood, as data to train on; with the form of a training, as data to predict from."""

import warnings
from collections.abc import Callable, Sequence
from importlib.resources import as_file, files
from pathlib import Path
from typing import NamedTuple

from handgrad.experiment.datasets import arrays, idx, inputs, table, targets, text
from handgrad.experiment.datasets.form import Data, DataError, Form, Ints, Raw, Scaling, some
from handgrad.experiment.datasets.layout import Choice
from handgrad.report.console import count_of

FEWEST = 4  # rows to learn from
CONTEXT = 5  # letters of a text that the next one is guessed from
FEWEST_LETTERS, MOST_LETTERS = 1_000, 100_000  # of a text: needed, and used (each is 140 numbers)
FOREIGN = 0.1  # of a text's letters may be none of a to z without a word about it
TABLES, TEXTS = (".csv", ".tsv"), (".txt", ".text", ".md")


def load(
    source: str | Path,
    form: Form | None = None,
    *,
    fit: bool = False,
    target: str = "",
    drop: Sequence[str] = (),
    standardise: bool = True,
    learned: Callable[[int], Ints] | None = None,
) -> Data:
    """The data of "digits" (bundled), of an .npz, .csv, .tsv or idx file, of a folder with idx files, or of a text.

    Inputs: bytes are divided by the largest, other numbers brought per column to mean 0 and variance 1, words of a
    table are inputs of 0 and 1. Targets: words and few whole numbers are classes 0 .. K-1, other numbers are brought
    to mean 0 and variance 1; with `fit` all numbers of a table or an .npz are, while the labels of images stay
    classes, and words too.

    form         of the data that a network learned from: its columns, scaling and classes; the target may be missing
    target       a table's column to be learned, by name or by number from 1
    drop         a table's columns to be left out
    standardise  False: inputs as they stand in the file
    learned      which of N rows mean and variance are taken over (all): those trained on

    Raises OSError where the file cannot be read, DataError (a ValueError) where it cannot be used.

    >>> digits = load("digits")
    >>> digits.x.shape, digits.target.shape, digits.title
    ((1797, 64), (1797,), 'digits: 1797 rows, 64 inputs, 10 classes (0, 1, 2, 3, 4, 5, 6, 7, ...)')
    """
    how, choice = How(fit, standardise, learned), Choice(target, tuple(drop))
    if choice != Choice() and Path(source).suffix.lower() not in TABLES:
        raise DataError(f"{source}: has no columns to choose from; --target and --drop are for {', '.join(TABLES)}")
    if source == "digits":
        with as_file(files("handgrad.experiment.datasets") / "data/digits.npz") as path:
            return _numbers("digits", "digits", arrays.read(path, form), form, how._replace(fit=False))
    path = Path(source)
    if path.suffix.lower() in TEXTS:
        return _letters(path, form)
    if path.suffix.lower() in TABLES:
        return _numbers(str(path), path.name, table.read(path, form, choice), form, how)
    if path.suffix.lower() == ".npz":
        return _numbers(str(path), path.name, arrays.read(path, form), form, how)
    if path.is_dir() or idx.is_idx(path):
        return _numbers(str(path), path.name, idx.read(path, form), form, how._replace(fit=False))
    endings = ", ".join((".npz", *TABLES, *TEXTS))
    raise DataError(f"{path}: the ending {path.suffix!r} is not known; expected {endings}, or MNIST's idx files")


def load_labelled(source: str | Path, form: Form) -> Data:
    """The data that a network learned from, or others like them. DataError without labels, and what `load` raises."""
    data = load(source, form)
    if data.target is None:
        what = f"column {form.target_name!r}" if form.target_name else "labels"
        raise DataError(f"--data: {source} has no {what}, which the network was trained to predict; give data with it")
    return data


class How(NamedTuple):
    """How numbers are taken; see load."""

    fit: bool
    standardise: bool
    learned: Callable[[int], Ints] | None


def _numbers(path: str, name: str, raw: Raw, form: Form | None, how: How) -> Data:
    inputs.check(path, raw, 1 if form else FEWEST)
    rows = f"{name}: {count_of(len(raw.x), 'row')}"
    if form is not None:
        if form.context:
            raise DataError(f"{path}: numbers, but the network was trained on text; expected {', '.join(TEXTS)}")
        x = inputs.as_form(path, raw, form)
        target = None if raw.target is None else targets.as_form(path, raw, form)
        return Data(x, target, form, f"{rows}, {_outputs(form)}")
    if raw.target is None:
        raise DataError(f"{path}: has no target, expected a label in every row")
    learned = None if how.learned is None else how.learned(len(raw.x))
    found = targets.target_of(path, raw, fit=how.fit, learned=learned)
    x, scaling = inputs.scale(path, raw, learned) if how.standardise else (Scaling()(raw.x), Scaling())
    form = Form(x.shape[1], raw.columns, raw.target_name, found.classes, scaling, found.scaling, words=raw.words)
    return Data(x, found.values, form, f"{rows}, {count_of(form.n_in, 'input')}, {_outputs(form)}")


def _outputs(form: Form) -> str:
    if form.classes is None:
        return f"{form.target_name or 'numbers'} to be fitted"
    return f"{len(form.classes)} classes ({some(form.classes)})"


def _letters(path: Path, form: Form | None) -> Data:
    """The next letter from those before it; the first letters of a long text."""
    if form is not None and not form.context:
        raise DataError(
            f"{path}: text, but the network was trained on numbers; expected .npz, {', '.join(TABLES)} or idx"
        )
    written = text.read(path)
    letters, foreign = text.clean(written), text.foreign(written)
    others = f"{path}: {100 * foreign:.0f} % of its letters are not a to z, and each of those becomes an underscore"
    if foreign > 0.5:
        raise DataError(f"{others}; expected text in Latin letters, with or without accents")
    if foreign > FOREIGN and form is None:
        warnings.warn(others, UserWarning, stacklevel=3)
    context = form.context if form else CONTEXT
    fewest = context + 1 if form else FEWEST_LETTERS
    if len(letters) < fewest:
        raise DataError(f"{path}: {count_of(len(letters), 'letter')} after cleaning, expected {fewest} or more")
    used = letters[:MOST_LETTERS]
    if form is None and len(set(used)) == 1:
        raise DataError(f"{path}: every letter is {used[0]!r} after cleaning, expected two or more different ones")
    x, target = text.next_letters(used, context)
    form = form or Form(x.shape[1], (), "", tuple(text.LETTERS), Scaling(), None, context)
    of = f" of {len(letters)}" if len(used) < len(letters) else ""
    return Data(x, target, form, f"{path.name}: {len(used)}{of} letters, the next one from {context} before it")
