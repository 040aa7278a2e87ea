"""What data are once they are read: arrays, and the form that brings another file of the same kind to the same numbers.

The form goes into a checkpoint as text, so that prediction repeats the scaling and the order of the classes exactly.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Float: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]


class DataError(ValueError):
    """The data cannot be used: which file, row and column, what stands there, what is expected."""


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
    columns: tuple[str, ...]  # their names, or () where the file has none
    target_name: str  # the target's, or ""
    classes: tuple[str, ...] | None  # target k means classes[k]; None for regression
    scaling: Scaling  # of the inputs
    target_scaling: Scaling | None  # for regression: of the targets
    context: int = 0  # for text: the letters that one sample looks back

    @property
    def n_out(self) -> int:
        """The classes, or the numbers to be fitted."""
        return len(self.target_scaling.shift if self.target_scaling else self.classes or ())

    def input_name(self, j: int) -> str:
        return self.columns[j] if self.columns else f"input {j + 1}"

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
            )
            if (classes is None) == (own is None) or len(form.columns) not in (0, form.n_in) or form.context < 0:
                raise ValueError("its parts contradict each other")
            if form.context and form.n_in != form.context * len(form.classes or ()):
                raise ValueError("n_in does not fit the context")
            return form
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ValueError(f"form: got {text[:60]!r}, expected what Form.to_json writes ({error!r})") from error


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
