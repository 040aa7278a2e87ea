"""NumPy's .npz with inputs and targets by name. Nothing in it is ever run: pickled objects are refused."""

from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import numpy as np

from handgrad.experiment.datasets.form import DataError, Form, Raw

PAIRS = (("x", "y"), ("X", "y"), ("images", "labels"), ("x_train", "y_train"))


def read(path: Path, form: Form | None = None) -> Raw:
    """The arrays x (N, ...) and y (N,) or (N, k) under one of the pairs of names; with a form, no y is needed.

    Raises OSError if the file cannot be read, DataError for what is no .npz, for other names and for no numbers.
    """
    with path.open("rb") as file:
        try:
            if not is_zipfile(path):  # NumPy would take it for a pickle, and advise to load it as one
                raise ValueError("no zip archive")
            with np.load(file, allow_pickle=False) as arrays:
                has = tuple(arrays.files)
                x_name, y_name = _names(path, has, form)
                x, y = arrays[x_name], arrays[y_name] if y_name in has else None
        except DataError:
            raise
        except Exception as error:  # on damaged bytes zipfile, zlib and NumPy raise errors of a dozen kinds
            raise DataError(f"{path}: is no .npz of plain numbers, or a damaged one ({error})") from error
    for name, array in ((x_name, x), (y_name, y)):
        if array is not None and array.ndim == 0:
            raise DataError(f"{path}: {name} is a single value, expected one row per sample")

    def where(i: int, j: int | None) -> str:
        return f"{y_name}[{i}]" if j is None else f"{x_name}[{i}]" + (f", number {j}" if x.ndim > 1 else "")

    return Raw(_flat(x), y, where)


def _flat(x: Any) -> Any:
    """(N, ...) as (N, n); NumPy cannot tell n from no rows."""
    return x.reshape(len(x), -1) if x.size else np.zeros((len(x), int(np.prod(x.shape[1:]))))


def _names(path: Path, has: tuple[str, ...], form: Form | None) -> tuple[str, str]:
    for x_name, y_name in PAIRS:
        if x_name in has and (y_name in has or form is not None):
            return x_name, y_name
    pairs = ", ".join(f"{x} and {y}" for x, y in PAIRS)
    raise DataError(f"{path}: holds {', '.join(map(repr, has)) or 'nothing'}, expected arrays named {pairs}")
