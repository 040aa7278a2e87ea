"""The numbers at which a right stage is judged once more: those that people use and a run's own numbers seldom are.

Each draw is a name, what it puts in, and the stages that take it. `docs/method.md` prints this list, and a test holds
that the two are the same.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from handgrad.arrays.arithmetic import PRECISIONS
from handgrad.judge.compare import Float
from manual import BatchNorm1d, BinaryCrossEntropy, LayerNorm, Softmax, SoftmaxCrossEntropy, SquaredError
from manual.losses.reduction import sums
from manual.types import Elementwise

KINKS = (0.0, 1.0, -1.0, 1e4, -1e4)  # float16, which ends at 65504, takes the first three
MANY = 70_000  # more than float16 can count

Losses: TypeAlias = SoftmaxCrossEntropy | BinaryCrossEntropy | SquaredError
LOSSES = (SoftmaxCrossEntropy, BinaryCrossEntropy, SquaredError)
NORMS = (LayerNorm, BatchNorm1d)


@dataclass(frozen=True, eq=False)
class OwnNumbers:
    """A layer or a loss, the input x (N, n) it had in the run, its target as plain NumPy, and a generator."""

    subject: Any
    x: Float
    target: Any
    dtype: str
    rng: np.random.Generator

    @property
    def huge(self) -> float:
        """The largest number of the precision."""
        return PRECISIONS[self.dtype][2]

    @property
    def tiny(self) -> float:
        """Its smallest normal number."""
        return {"float64": 2.0**-1022, "float16": 2.0**-14}.get(self.dtype, 2.0**-126)

    def spread(self, *values: float) -> Float:
        """These values all over the input, in a random order."""
        return self.rng.permutation(np.resize(values, self.x.size)).reshape(self.x.shape)

    @property
    def classes(self) -> NDArray[np.int64]:
        """The target as class indices (N,); drawn where there is none."""
        if self.target is None:
            return self.rng.integers(self.x.shape[1], size=len(self.x))
        return np.asarray(self.target if self.target.ndim == 1 else self.target.argmax(axis=1))

    def as_target(self, classes: Any) -> Any:
        """Class indices in the form that the target has."""
        one_hot = self.target is not None and self.target.ndim == 2
        return np.eye(self.x.shape[1])[classes] if one_hot else None if self.target is None else classes


Numbers: TypeAlias = tuple[Float, Any]  # x, and the target in place of the run's own


class Special(NamedTuple):
    """One draw. put(own) is None where the stage cannot take it."""

    name: str
    what: str
    stages: tuple[type, ...]
    put: Callable[[OwnNumbers], Numbers | None]


def masked(own: OwnNumbers, share: float) -> Numbers:
    """-inf for that share of the logits, never for the class that is wanted; the next one stays too unless all go."""
    classes, (N, C) = own.classes, own.x.shape
    keep = own.rng.random((N, C)) >= share
    for kept in (classes, (classes + (share < 1)) % C):
        keep[np.arange(N), kept] = True
    return np.where(keep, own.x, -np.inf), own.as_target(classes)


def certain(own: OwnNumbers) -> Numbers | None:
    """A target of zeros and ones."""
    if isinstance(own.subject, BinaryCrossEntropy):
        return own.x, own.spread(0.0, 1.0)
    return None if own.target.ndim == 1 else (own.x, own.as_target(own.classes))


def without_a_class(own: OwnNumbers) -> Numbers:
    """The samples of class 0 become samples of the next one."""
    classes = own.classes
    return own.x, own.as_target(np.where(classes == 0, min(1, own.x.shape[1] - 1), classes))


def constant(own: OwnNumbers) -> Numbers:
    """Every other row, or column, holds one number: its variance is 0."""
    rows = isinstance(own.subject, LayerNorm)
    x = np.array(own.x if rows else own.x.T)
    x[::2] = x[::2, :1]
    return (x if rows else x.T), None


def large(own: OwnNumbers) -> Numbers:
    """As large as the stage's own sums and squares allow; a normalisation in half precision computes in float32."""
    if isinstance(own.subject, SquaredError):
        return own.target + own.huge**0.25 * own.spread(1.0, -1.0, 0.5), own.target
    if isinstance(own.subject, NORMS):
        return (300.0 if own.dtype == "float16" else own.huge**0.4) * own.rng.normal(size=own.x.shape), None
    terms = 2 * own.x.size if isinstance(own.subject, LOSSES) else 1
    ends = [end / terms for end in (2 * own.huge**0.5, own.huge**0.75, own.huge / 4)]
    return own.spread(*ends, *(-end for end in ends)), own.target


def many(own: OwnNumbers) -> Numbers | None:
    """So many numbers that float16 cannot hold the sum of their losses."""
    n = own.x.shape[1]
    N = -(-MANY // n)
    weighted = getattr(own.subject, "class_weights", None)  # torch's sum of the weights overflows as well
    if own.dtype != "float16" or sums(own.subject) or weighted:
        return None
    x = 8 * own.rng.normal(size=(N, n))
    return x, np.resize(own.target, (N, *own.target.shape[1:]))


SPECIAL = (
    Special("kinks", "0, 1, -1, 1e4 and -1e4: kinks, ties, saturation", (Elementwise,),
            lambda p: (p.spread(*KINKS[: 3 if p.dtype == "float16" else 5]), None)),
    Special("signed zeros and subnormal numbers", "0, -0 and numbers below the smallest normal one",
            (Elementwise, *LOSSES),
            lambda p: (p.spread(0.0, -0.0, p.tiny / 8, -p.tiny / 8, p.tiny, -p.tiny), p.target)),
    Special("large magnitudes", "the largest numbers whose sums, and whose squares if any are taken, do not overflow",
            (Elementwise, *LOSSES, *NORMS), large),
    Special("masked logits", "half of the logits are -inf", (Softmax, SoftmaxCrossEntropy), lambda p: masked(p, 0.5)),
    Special("one class left", "all logits but one are -inf", (Softmax, SoftmaxCrossEntropy), lambda p: masked(p, 1.0)),
    Special("certain targets", "targets of exactly 0 and 1", (SoftmaxCrossEntropy, BinaryCrossEntropy), certain),
    Special("an empty class", "a class that no sample has", (SoftmaxCrossEntropy,), without_a_class),
    Special("outputs equal to their targets", "errors of exactly 0", (SquaredError,), lambda p: (p.target, p.target)),
    Special("constant rows", "rows, or columns of a batch normalisation, of one number", NORMS, constant),
    Special("many numbers", "70,000 numbers in float16, which cannot hold the sum of their losses", LOSSES, many),
)  # fmt: skip
