"""A reader's own network from a file of JSON or NumPy's .npz. Nothing in it is ever run."""

import json
from itertools import count, takewhile
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import numpy as np

from handgrad.worked.example import Example, make_example

FORMAT = (
    "FILE is JSON, or an .npz of arrays under the same names: W1, b1, W2, b2, ... (W1 has a row of weights for each "
    "unit, b1 a bias for each; leave all b out for none), x (one sample) and t (its target; with cross_entropy the "
    "number of its class will do); and, if you like, title, activation and loss"
)
WORDS = ("title", "activation", "loss")


def load_file(path: Path, activation: str, loss: str) -> Example:
    """The example in the file. activation, loss: for a file that does not name its own.

    Raises OSError if it cannot be read, ValueError for what is not of this FORMAT.
    """
    try:
        found = read_npz(path) if is_zipfile(path) else json.loads(path.read_text("utf-8"))
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: is neither JSON nor an .npz; {FORMAT}") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: is no JSON: {error}; {FORMAT}") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path}: holds a {type(found).__name__}, expected names with their numbers; {FORMAT}")
    layers = list(takewhile(lambda i: f"W{i}" in found, count(1)))
    known = {"x", "t", *WORDS, *(f"{letter}{i}" for letter in "Wb" for i in layers)}
    missing = [name for name in ("W1", "x", "t") if name not in found]
    if missing or set(found) - known:
        wrong = f"has no {missing[0]}" if missing else f"has {sorted(set(found) - known)[0]!r}, which is not known"
        raise ValueError(f"{path}: {wrong}; {FORMAT}")
    words = {"title": path.stem, "activation": activation, "loss": loss} | {
        k: str(found[k]) for k in WORDS if k in found
    }
    weights = [(found[f"W{i}"], found.get(f"b{i}")) for i in layers]
    try:
        return make_example(words["title"], weights, found["x"], found["t"], words["activation"], words["loss"])
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def read_npz(path: Path) -> dict[str, Any]:
    """The arrays by their names; ValueError for a damaged file and for pickled objects."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except Exception as error:  # on damaged bytes zipfile, zlib and NumPy raise errors of a dozen kinds
        raise ValueError(f"{path}: is no .npz of plain numbers, or a damaged one ({error})") from error
