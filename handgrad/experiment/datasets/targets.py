"""Targets: words, and whole numbers of which there are few, are classes; all other numbers are to be fitted."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from handgrad.experiment.datasets.form import DataError, Float, Form, Ints, Raw, Scaling, some
from handgrad.experiment.datasets.inputs import standardise

OTHER = "; another column to be learned: --target COLUMN (from Python: target=)"
FIT = "numbers to be fitted: --loss mse (from Python: fit=True)"


class Target(NamedTuple):
    """Class indices (N,) with the classes' names, or scaled numbers (N, k) with their scaling."""

    values: Ints | Float
    classes: tuple[str, ...] | None
    scaling: Scaling | None


def target_of(path: str, raw: Raw, *, fit: bool = False, learned: Ints | None = None) -> Target:
    """The targets of data to learn from; with `fit`, numbers are fitted even where they could be classes.

    Numbers are scaled as the rows learned from are, all by default.

    Raises DataError for numbers among words, values not finite, negative classes, one class only, labels that are no
    classes (nearly every row has its own), and a number to be fitted that is always the same.
    """
    given = _numbers(path, raw)
    if isinstance(given, list):
        return _classes(path, raw, *np.unique(np.array(given, dtype=object), return_inverse=True), str)
    if given.shape[1] > 1 and _one_hot(given):
        at = given.argmax(1)
        if (at == at[0]).all():
            raise DataError(f"{path}: every label is {at[0]}, expected two classes or more")
        return Target(at.astype(np.int64), tuple(map(str, range(given.shape[1]))), None)
    if given.shape[1] == 1 and not fit and (given == np.floor(given)).all():
        found, at = np.unique(given, return_inverse=True)
        if given.dtype.kind in "biu" or _few(len(found), len(given)):
            if found[0] < 0 and found.tolist() != [-1, 1]:
                i = int((given[:, 0] < 0).argmax())
                raise DataError(
                    f"{path}, {raw.where(i, None)}: label {given[i, 0]:g} is negative, expected classes as words, as "
                    f"-1 and 1, or as numbers from 0; the labels are {some([f'{value:g}' for value in found])}; {FIT}"
                )
            return _classes(path, raw, found, at, _whole)
    return _scale_numbers(path, given, raw, learned)


def _classes(path: str, raw: Raw, found: NDArray[Any], at: NDArray[Any], name: Callable[[Any], str]) -> Target:
    names, column = tuple(name(value) for value in found), raw.target_name
    where, other = (f"{path}, {column!r}", OTHER) if column else (path, "")
    if len(names) == 1:
        raise DataError(f"{where}: every label is {names[0]!r}, expected two classes or more{other}")
    if not _few(len(names), at.size):
        advice = f"; {FIT}" if name is _whole else other
        raise DataError(
            f"{where}: {len(names)} different labels ({some(names)}) in {at.size} rows are no classes; expected two "
            f"or more rows of each on average, ten if there are more than 20{advice}"
        )
    return Target(at.astype(np.int64).ravel(), names, None)


def _scale_numbers(path: str, given: NDArray[Any], raw: Raw, learned: Ints | None) -> Target:
    names = raw._replace(columns=(raw.target_name,) if raw.target_name and given.shape[1] == 1 else (), words=())
    values, scaling, constant = standardise(f"{path}: the target", given, names, learned)
    if constant:
        part = given if learned is None else given[learned]
        same, where = part[0, int((part == part[0]).all(0).argmax())], "" if learned is None else " that is trained on"
        raise DataError(
            f"{path}: every target{where} is {same:g}, expected numbers that differ, or two classes or more"
        )
    return Target(values, None, scaling)


def as_form(path: str, raw: Raw, form: Form) -> Ints | Float:
    """The targets of other data, in the classes and the scaling of the form. DataError for what does not fit it."""
    given = _numbers(path, raw)
    if form.classes is None:
        if isinstance(given, list):
            raise DataError(
                f"{path}, {raw.where(0, None)}: {given[0]!r}, expected a number as in the data learned from"
            )
        if given.shape[1] != form.n_out:
            raise DataError(f"{path}: {given.shape[1]} targets in a row, expected {form.n_out}")
        assert form.target_scaling is not None
        return form.target_scaling(given)
    if not isinstance(given, list) and given.shape[1] == len(form.classes) > 1 and _one_hot(given):
        return np.asarray(given.argmax(1), dtype=np.int64)
    names = given if isinstance(given, list) else [_whole(v) for v in given[:, 0]]
    index = {name: k for k, name in enumerate(form.classes)}
    for i, name in enumerate(names):
        if name not in index:
            raise DataError(f"{path}, {raw.where(i, None)}: label {name!r}, expected one of {some(form.classes)}")
    return np.array([index[name] for name in names], dtype=np.int64)


def _numbers(path: str, raw: Raw) -> list[str] | NDArray[Any]:
    """The targets as numbers (N, k), or as words. DataError for some of both, and for what is not finite."""
    given = raw.target
    assert given is not None
    if not isinstance(given, list) and given.dtype.kind == "U":
        given = given.ravel().tolist()
    if isinstance(given, list):
        numbers = [_number(word) for word in given]
        if all(number is None for number in numbers):
            return given
        if None in numbers:
            i, j = numbers.index(None), next(i for i, number in enumerate(numbers) if number is not None)
            raise DataError(
                f"{path}, {raw.where(i, None)}: {given[i]!r}, but {given[j]!r} in {raw.where(j, None)}; expected all "
                "numbers, or all words for classes"
            )
        given = np.array(numbers, dtype=np.float64)
    if given.dtype.kind not in "buif":
        raise DataError(f"{path}: the labels are {given.dtype}, expected numbers or words")
    given = given.reshape(len(given), -1)
    if given.shape[1] == 0:
        raise DataError(f"{path}: no numbers in the labels, expected one or more in a row")
    if not np.isfinite(given).all():
        i = int(np.argwhere(~np.isfinite(given))[0][0])
        raise DataError(f"{path}, {raw.where(i, None)}: the label is not finite, expected a number or a word")
    return given


def _number(word: str) -> float | None:
    try:
        return float(word)
    except ValueError:
        return None


def _whole(value: Any) -> str:
    """A class's name: 3.0 is "3", and 0.5, which no class is called, stays.

    >>> _whole(np.float64(3.0)), _whole(np.True_), _whole(0.5)
    ('3', '1', '0.5')
    """
    return str(int(value)) if value == int(value) else str(float(value))


def _one_hot(given: NDArray[Any]) -> bool:
    return bool(((given == 0) | (given == 1)).all() and (given.sum(1) == 1).all())


def _few(classes: int, rows: int) -> bool:
    """Whether so many different labels can be classes: 3 in 150 rows can, 214 in 442 cannot."""
    return classes <= rows / 2 and classes <= max(20, rows / 10)
