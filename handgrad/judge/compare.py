"""One tensor against its reference, entry by entry and no entry excepted: |hand - reference| <= bound."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from handgrad.judge.verdict import Verdict, together

Float = NDArray[np.float64]
ENOUGH = 2**14  # entries for a median
NO_BOUND = "entries without a finite bound or reference: the computation may overflow, or rounding decides the branch"
ABSENT = "the gradient is absent (None), and it is not zero"


@dataclass(frozen=True)
class TensorReport:
    """One tensor of one stage against its bound."""

    name: str
    shape: tuple[int, ...]
    verdict: Verdict
    entries: int
    outside: int
    index: tuple[int, ...]  # of the worst entry, by difference over bound
    hand: float
    reference: float
    difference: float
    bound: float
    ratio: float  # difference over bound, at the worst entry
    floor_median: float  # smallest detectable relative error: median and 90th percentile of 2 bound / |reference|
    floor_p90: float
    reason: str = ""

    @property
    def why(self) -> str:
        """What speaks against a tensor that is not certified."""
        return self.reason or f"{self.outside} of {self.entries} entries outside the bound"


@dataclass(frozen=True, eq=False)
class Evidence:
    """The arrays behind a TensorReport, for naming the mistake. hand is all nan where the gradient is absent."""

    hand: Float
    reference: Float
    bound: Float

    @property
    def outside(self) -> NDArray[np.bool_]:
        """Where the given result is not inside its bound; a single True if its shape is wrong."""
        if self.hand.shape != self.reference.shape:
            return np.ones(1, bool)
        with np.errstate(all="ignore"):
            unknown = np.isfinite(self.hand) & ~(np.isfinite(self.reference) & np.isfinite(self.bound))
            return ~(np.abs(self.hand - self.reference) <= self.bound) & ~unknown


@dataclass(frozen=True)
class StageReport:
    """All tensors of a stage."""

    name: str
    tensors: tuple[TensorReport, ...]

    @property
    def verdict(self) -> Verdict:
        return together(t.verdict for t in self.tensors)

    @property
    def worst(self) -> TensorReport:
        """The tensor to show: a failing one if there is one, then the one with the largest difference over bound."""
        order = (Verdict.CERTIFIED, Verdict.UNRESOLVED, Verdict.REFUTED)
        return max(self.tensors, key=lambda t: (order.index(t.verdict), t.ratio))


def compare(name: str, s: Float, S: Float, bound: Float, huge: float = float(np.finfo(float).max)) -> TensorReport:
    """One tensor, entry by entry. A wrong shape or a value that is not finite is refuted, never skipped.

    Nothing can be said where the right value itself is not finite, or beyond `huge`, the precision's largest number.
    """
    if s.shape != S.shape:
        return unmeasured(name, s.shape, Verdict.REFUTED, S.size, f"shape is {s.shape}, expected {S.shape}")
    if S.size == 0:
        return unmeasured(name, S.shape, Verdict.UNRESOLVED, 0, "no entries: nothing to judge")
    found = sort_entries(s, S, bound, huge)
    lost, wrong = int(found.lost.sum()), int(found.wrong.sum())
    at = np.unravel_index(found.worst, S.shape)
    floors = smallest_detectable(S, bound)
    verdict, reason = Verdict.CERTIFIED, ""
    if wrong:
        verdict, reason = Verdict.REFUTED, f"{lost} values are not finite" if lost else ""
    elif found.unknown.any():
        verdict, reason = Verdict.UNRESOLVED, f"{int(found.unknown.sum())} {NO_BOUND}"
    return TensorReport(
        name=name,
        shape=S.shape,
        verdict=verdict,
        entries=S.size,
        outside=wrong,
        index=tuple(int(i) for i in at),
        hand=float(s[at]),
        reference=float(S[at]),
        difference=float(found.difference[at]),
        bound=float(bound[at]),
        ratio=float(found.ratio[at]),
        floor_median=floors[0],
        floor_p90=floors[1],
        reason=reason,
    )


class Entries(NamedTuple):
    """Every entry of a tensor: how far it is from the right one, and what follows from it."""

    difference: Float
    ratio: Float  # difference over bound
    lost: NDArray[np.bool_]  # not finite, where the right one is a number of this precision
    unknown: NDArray[np.bool_]  # without a finite bound or reference
    wrong: NDArray[np.bool_]  # lost, or outside a finite bound

    @property
    def worst(self) -> int:
        """The flat index of the entry to show: lost before wrong before unknown, then by difference over bound."""
        if not (self.wrong.any() or self.unknown.any()):
            return int(np.argmax(self.ratio))
        rank = np.where(self.lost, 3, np.where(self.wrong, 2, np.where(self.unknown, 1, 0)))
        return int(np.argmax(np.where(rank == rank.max(), self.ratio, -1)))


def sort_entries(s: Float, S: Float, bound: Float, huge: float) -> Entries:
    """The entries of a result of the right shape."""
    with np.errstate(all="ignore"):
        difference = np.abs(s - S)
        inside = difference <= bound  # False for nan
        ratio = np.divide(difference, bound, out=np.zeros(S.shape), where=difference != 0)
        if inside.all() and np.isfinite(bound).all():  # the usual case, and a large one costs
            nowhere = np.zeros(S.shape, bool)
            return Entries(difference, ratio, nowhere, nowhere, nowhere)
        overflows = np.abs(S) + np.where(np.isfinite(bound), bound, 0) > huge  # there an infinite result is right
        right = overflows & (s == np.copysign(np.inf, S)) & np.isfinite(S)
        difference, ratio, inside = np.where(right, 0, difference), np.where(right, 0, ratio), inside | right
        lost = ~np.isfinite(s) & ~overflows & np.isfinite(S)
        unknown = ~lost & ~(np.isfinite(bound) & np.isfinite(S) & ~(np.isnan(s) & overflows))
        ratio = np.nan_to_num(ratio, nan=np.inf, posinf=np.inf)
        return Entries(difference, ratio, lost, unknown, lost | (~unknown & ~inside))


def smallest_detectable(S: Float, bound: Float) -> list[float]:
    """Median and 90th percentile of 2 bound / |S| where S is not zero; of large tensors, over evenly spread entries."""
    some = slice(None, None, 1 + S.size // ENOUGH)
    S, bound = S.reshape(-1)[some], bound.reshape(-1)[some]
    with np.errstate(all="ignore"):
        floor = 2 * bound[S != 0] / np.abs(S[S != 0])
        return np.quantile(floor, (0.5, 0.9)).tolist() if floor.size else [float("inf")] * 2


def absent(name: str, S: Float) -> TensorReport:
    """A gradient that was not given at all."""
    return unmeasured(name, S.shape, Verdict.REFUTED, S.size, ABSENT)


def unmeasured(name: str, shape: tuple[int, ...], verdict: Verdict, outside: int, reason: str) -> TensorReport:
    """A tensor whose verdict comes before any value is compared."""
    nan, inf = float("nan"), float("inf")
    return TensorReport(name, shape, verdict, outside, outside, (), nan, nan, nan, nan, inf, inf, inf, reason)


def rename(report: StageReport, names: Mapping[str, str]) -> StageReport:
    """The same report with the tensors under the lectures' names ("dW" becomes "dW1")."""
    return replace(report, tensors=tuple(replace(t, name=names.get(t.name, t.name)) for t in report.tensors))


def index_words(index: Sequence[int]) -> str:
    """The place of an entry as Python writes it; nothing for a scalar.

    >>> index_words((0, 2)), index_words(())
    ('[0,2]', '')
    """
    return f"[{','.join(str(int(i)) for i in index)}]" if len(index) else ""
