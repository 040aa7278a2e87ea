"""Inputs: bytes are pixels, divided by the largest; all else is brought column by column to mean 0 and variance 1."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handgrad.experiment.datasets.form import DataError, Float, Form, Ints, Raw, Scaling, input_names
from handgrad.report.console import count_of

NAMED = 8  # columns that one warning names


def check(path: str, raw: Raw, fewest: int) -> None:
    """DataError unless x is (N, n) finite real numbers, N >= fewest, with as many targets."""
    x = raw.x
    if x.dtype.kind not in "buif":
        raise DataError(f"{path}: the inputs are {x.dtype}, expected real numbers")
    if len(x) < fewest:
        raise DataError(f"{path}: {count_of(len(x), 'row')} of data, expected {fewest} or more")
    if x.shape[1] == 0:
        raise DataError(f"{path}: no inputs beside the target, expected one column or more")
    if raw.target is not None and len(raw.target) != len(x):
        raise DataError(f"{path}: {len(x)} inputs but {len(raw.target)} labels, expected as many of both")
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        i, j = np.argwhere(~np.isfinite(x))[0].tolist()
        what = "a missing value (nan)" if np.isnan(x[i, j]) else f"{x[i, j]}"
        raise DataError(f"{path}, {raw.where(i, j)}: {what}, expected a finite number; fill it in or leave the row out")


def scale(path: str, raw: Raw, learned: Ints | None = None) -> tuple[Float, Scaling]:
    """The inputs as a network takes them, and what brought them there: learned from these rows, or from all.

    Words stay 0 and 1. Warns of constant columns.
    """
    if raw.x.dtype == np.uint8:
        scaling = Scaling((0.0,), (float(raw.x.max()) or 1.0,))
        return scaling(raw.x), scaling
    x, scaling, constant = standardise(path, raw.x, raw, learned)
    if raw.words:
        of_words = np.concatenate([np.full(len(own) or 1, bool(own)) for own in raw.words])
        x[:, of_words] = raw.x[:, of_words]
        shift, deviation = np.where(of_words, 0.0, scaling.shift), np.where(of_words, 1.0, scaling.scale)
        scaling = Scaling(tuple(shift.tolist()), tuple(deviation.tolist()))
    if constant:
        names = ", ".join(map(repr, constant[:NAMED])) + (", ..." if len(constant) > NAMED else "")
        warnings.warn(
            f"{path}: {count_of(len(constant), 'input')} the same in every row"
            f"{'' if learned is None else ' trained on'}: {names}; kept, but nothing can be learned from them",
            UserWarning,
            stacklevel=4,
        )
    return x, scaling


def standardise(
    path: str, raw: NDArray[Any], names: Raw, learned: Ints | None = None
) -> tuple[Float, Scaling, list[str]]:
    """(raw - mean) / standard deviation per column, both over the rows learned from; and the columns constant there.

    Raises DataError where the numbers are too large or too small to be squared.
    """
    part = raw if learned is None else raw[learned]
    least, most, mean, N = part.min(0), part.max(0), part.mean(0, dtype=np.float64), len(part)
    del part  # it may be as large as everything else
    same = least == most
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        # the mean of equal numbers is rounded: without the first choice a constant column would not become 0
        shift = np.where(same, least, mean)
        x = np.subtract(raw, shift, dtype=np.float64)
        counted = () if learned is None else (np.bincount(learned, minlength=len(x)).astype(np.float64),)
        squares = np.einsum("ij,ij->j" if learned is None else "ij,ij,i->j", x, x, *counted)
        scale = np.where(same, 1.0, np.sqrt(squares / N))
        bad = np.flatnonzero(~(np.isfinite(scale) & (scale > 0)))
    if len(bad):
        j = int(bad[0])
        raise DataError(
            f"{path}, {_name(names, j)!r}: its numbers reach from {raw[:, j].min():g} to {raw[:, j].max():g}, which "
            "cannot be brought to variance 1; write them in other units"
        )
    x /= scale
    return (
        x,
        Scaling(tuple(shift.tolist()), tuple(scale.tolist())),
        [_name(names, int(j)) for j in np.flatnonzero(same)],
    )


def as_form(path: str, raw: Raw, form: Form) -> Float:
    """The inputs scaled as the form says. DataError where their number differs."""
    if raw.x.shape[1] != form.n_in:
        raise DataError(
            f"{path}: {count_of(raw.x.shape[1], 'input')}, expected {form.n_in} as in the data learned from"
        )
    with np.errstate(over="ignore"):
        x = form.scaling(raw.x)
    if not np.isfinite(x).all():
        i, j = np.argwhere(~np.isfinite(x))[0].tolist()
        raise DataError(
            f"{path}, {raw.where(i, j)}: {raw.x[i, j]:g} is too large for the scale of what was learned from"
        )
    return x


def _name(raw: Raw, j: int) -> str:
    named = input_names(raw.columns, raw.words)
    return named[j] if named else f"input {j + 1}"
