"""What data are once they are read: arrays, and the form that brings another file of the same kind to the same numbers.

The form goes into a checkpoint as text, so that prediction repeats the scaling and the order of the classes exactly.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Float: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Words: TypeAlias = tuple[str, ...]  # of one column, each an input of its own; () for a column of numbers


SHOWN = 8  # names or words that one message lists


class DataError(ValueError):
    """The data cannot be used: which file, row and column, what stands there, what is expected."""


def some(names: Iterable[str]) -> str:
    """The first of them in one line; all in quotes where one has a comma in it.

    >>> print(some(["ash", "oak"]), some(["ash", "oak, red"]), some("abcdefghi"), sep="; ")
    ash, oak; 'ash', 'oak, red'; a, b, c, d, e, f, g, h, ...
    """
    listed = list(names)
    shown = [repr(name) if any("," in own for own in listed) else name for name in listed[:SHOWN]]
    return ", ".join((*shown, *(["..."] if len(listed) > SHOWN else [])))


class Scaling(NamedTuple):
    """(raw - shift) / scale: one number per column, or one for all."""

    shift: tuple[float, ...] = (0.0,)
    scale: tuple[float, ...] = (1.0,)

    def __call__(self, raw: NDArray[Any]) -> Float:
        """raw (N, n) -> (N, n), as float64.

        >>> Scaling((1.0,), (2.0,))(np.array([[1, 3]])).tolist()
        [[0.0, 1.0]]
        """
        x: Float = np.subtract(raw, self.shift, dtype=np.float64)
        x /= self.scale
        return x

    def undo(self, x: NDArray[Any]) -> Float:
        """The numbers as they stood in the file: x scale + shift."""
        undone: Float = np.multiply(x, self.scale, dtype=np.float64)
        undone += self.shift
        return undone


class Form(NamedTuple):
    """How a file's numbers and labels became arrays."""

    n_in: int  # inputs
    columns: tuple[str, ...]  # names of the columns they come from, or () where the file has none
    target_name: str  # the target's, or ""
    classes: tuple[str, ...] | None  # target k means classes[k]; None for regression
    scaling: Scaling  # of the inputs
    target_scaling: Scaling | None  # for regression: of the targets
    context: int = 0  # for text: the letters that one sample looks back
    words: tuple[Words, ...] = ()  # per column its words; () where all columns are numbers

    @property
    def n_out(self) -> int:
        """The classes, or the numbers to be fitted."""
        return len(self.target_scaling.shift if self.target_scaling else self.classes or ())

    @property
    def n_columns(self) -> int:
        """The columns of a file that the inputs come from."""
        return len(self.words) or self.n_in

    def input_name(self, j: int) -> str:
        names = input_names(self.columns, self.words)
        return names[j] if names else f"input {j + 1}"

    def to_json(self) -> str:
        """All of it as text, every digit kept."""
        return json.dumps(self._asdict())

    @staticmethod
    def from_json(text: str) -> "Form":
        """The form of `to_json`. ValueError for any other text."""
        try:
            plain = json.loads(text)
            columns, classes, own = plain["columns"], plain["classes"], plain["target_scaling"]
            form = Form(
                int(plain["n_in"]),
                tuple(map(str, columns)),
                str(plain["target_name"]),
                None if classes is None else tuple(map(str, classes)),
                _scaling(plain["scaling"], int(plain["n_in"])),
                None if own is None else _scaling(own, len(own[0])),
                int(plain["context"]),
                tuple(tuple(map(str, words)) for words in plain.get("words", ())),
            )
            if (classes is None) == (own is None) or len(form.columns) not in (0, form.n_columns) or form.context < 0:
                raise ValueError("its parts contradict each other")
            if form.words and sum(len(words) or 1 for words in form.words) != form.n_in:
                raise ValueError("n_in does not fit the words")
            if form.context and form.n_in != form.context * len(form.classes or ()):
                raise ValueError("n_in does not fit the context")
            return form
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ValueError(f"form: got {text[:60]!r}, expected what Form.to_json writes ({error!r})") from error


def input_names(columns: tuple[str, ...], words: tuple[Words, ...]) -> tuple[str, ...]:
    """A name for each input, () where the file has none.

    >>> input_names(("age", "sex"), ((), ("f", "m")))
    ('age', 'sex = f', 'sex = m')
    """
    if not words:
        return columns
    named = columns or tuple(f"column {j + 1}" for j in range(len(words)))
    return tuple(
        f"{name} = {word}" if own else name for name, own in zip(named, words, strict=True) for word in own or ("",)
    )


def _scaling(plain: Any, n: int) -> Scaling:
    shift, scale = (tuple(map(float, numbers)) for numbers in plain)
    if len(shift) != len(scale) or len(shift) not in (1, n) or not np.isfinite((*shift, *scale)).all() or 0 in scale:
        raise ValueError(f"expected finite numbers to scale {n} columns by")
    return Scaling(shift, scale)


@dataclass(frozen=True, eq=False)
class Data:
    """x (N, n_in) scaled; target (N,) class indices or (N, k) scaled numbers, None where the file holds none."""

    x: Float
    target: Ints | Float | None
    form: Form
    title: str

    @property
    def classes(self) -> tuple[str, ...] | None:
        return self.form.classes

    @property
    def scaling(self) -> Scaling:
        return self.form.scaling


class Raw(NamedTuple):
    """What stands in a file."""

    x: NDArray[Any]  # (N, n) numbers
    target: list[str] | NDArray[Any] | None
    where: Callable[[int, int | None], str]  # the place of sample i's input j, or of its target
    columns: tuple[str, ...] = ()
    target_name: str = ""
    words: tuple[Words, ...] = ()  # per column its words, as in a Form; x has an input for each of them
