"""Test A, the certificate of a stage: hand-derived against reference, inside a bound that rounding alone explains.

    |s - S| <= tau + tau_ref      entry by entry, no entry excepted

s is what the hand-derived code gives in its own precision, S float64 autograd on the same numbers, tau the radius that
comes out when the very same code runs on balls, tau_ref the same for a float64 evaluation in any order of summation.
Where rounding could send the code into another branch (of a `where`, a mask, a sign), tau is that of the midpoint's
branch alone: what the other one gives must make no room for a wrong gradient in this one. An entry outside that bound
and inside the hull of both branches is a kink entry: UNRESOLVED, balls say nothing about it.
Nobody chooses a tolerance. `slack` multiplies tau for a user who wants a looser test, and the printed floor grows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handgrad.arrays.arithmetic import Arithmetic
from handgrad.arrays.ball import Ball
from handgrad.arrays.precision import dtype_name, to64
from handgrad.judge.stage import Arrays, Stage
from handgrad.judge.verdict import Verdict, together

Float = NDArray[np.float64]


ENOUGH = 2**14  # entries for a median


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
    floor_median: float  # smallest relative error surely seen: median and 90th percentile of 2 bound / |reference|
    floor_p90: float
    reason: str = ""


@dataclass(frozen=True, eq=False)
class Evidence:
    """The arrays behind a TensorReport, for naming the mistake. hand is all nan where the gradient is absent."""

    hand: Float
    reference: Float
    bound: Float


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
        """The tensor to show: one that fails before one that passes, then the largest difference over bound."""
        order = (Verdict.CERTIFIED, Verdict.UNRESOLVED, Verdict.REFUTED)
        return max(self.tensors, key=lambda t: (order.index(t.verdict), t.ratio))


def certify(
    stage: Stage,
    inputs: Arrays,
    dy: Any,
    *,
    hand: Mapping[str, Any] | None = None,
    slack: float = 1.0,
) -> tuple[StageReport, dict[str, Evidence]]:
    """The stage judged on these very numbers. hand: what the run under judgement gave, if it has run already.

    Raises CannotEnter where the code does something balls cannot follow.
    """
    given = stage.hand(inputs, dy) if hand is None else hand
    exact, dy64 = {key: to64(value) for key, value in inputs.items()}, to64(dy)
    S = stage.reference(exact, dy64)
    dtype = dtype_name(dy)
    missing = [name for name in S if given.get(name) is None]
    s = {name: np.full(S[name].shape, np.nan) if name in missing else to64(given[name]) for name in S}
    bounds = fitting(stage_bounds(stage, exact, dy64, dtype, slack, S), S)
    if any(np.any(beyond(s[name], S[name], bounds[name])) for name in S):
        bounds = without_kinks(bounds, fitting(stage_bounds(stage, exact, dy64, dtype, slack, S, both=True), S), s, S)
    huge = Arithmetic.of(dtype).huge
    reports, evidence = [], {}
    for name, reference in S.items():
        report = absent(name, reference) if name in missing else compare(name, s[name], reference, bounds[name], huge)
        if s[name].shape == () != reference.shape and not hasattr(given[name], "shape"):
            kind = type(given[name]).__name__
            words = f"got a number of type {kind}, expected an array of shape {reference.shape}"
            report = replace(report, reason=words)
        reports.append(report)
        evidence[name] = Evidence(s[name], reference, bounds[name])
    return StageReport(stage.name, tuple(reports)), evidence


def stage_bounds(
    stage: Stage,
    inputs: Mapping[str, Float],
    dy: Float,
    dtype: str,
    slack: float,
    S: Mapping[str, Any],
    both: bool = False,
) -> dict[str, Float]:
    """slack tau + tau_ref of every output; infinite where the code does not compute it on balls at all.

    both: the hull of both branches where rounding could take either.
    """
    tau = radii(stage, inputs, dy, Arithmetic.of(dtype, both=both))
    tau_ref = radii(stage, inputs, dy, Arithmetic.of("float64", terms=longest_sum(inputs), both=both))
    unknown = np.asarray(np.inf)
    return {name: slack * tau.get(name, unknown) + tau_ref.get(name, unknown) for name in S}


def fitting(bounds: Mapping[str, Float], S: Mapping[str, Float]) -> dict[str, Float]:
    """The bounds in the shapes of S; infinite where the code computes another shape."""
    return {name: b if b.shape == S[name].shape else np.full(S[name].shape, np.inf) for name, b in bounds.items()}


def without_kinks(
    bounds: Mapping[str, Float], hull: Mapping[str, Float], s: Mapping[str, Float], S: Mapping[str, Float]
) -> dict[str, Float]:
    """The bounds, infinite at every entry that only the other branch could explain."""
    kinks = {name: beyond(s[name], S[name], bounds[name]) & ~beyond(s[name], S[name], hull[name]) for name in S}
    return {name: np.where(kinks[name], np.inf, bounds[name]) for name in S}


def beyond(s: Float, S: Float, bound: Float) -> NDArray[np.bool_]:
    """Where s is not within bound of S; nowhere if it has another shape, which is no matter of bounds."""
    if s.shape != S.shape:
        return np.zeros(S.shape, bool)
    with np.errstate(all="ignore"):
        return ~(np.abs(s - S) <= bound)


def radii(stage: Stage, inputs: Mapping[str, Float], dy: Float, arithmetic: Arithmetic) -> dict[str, Float]:
    """How far rounding alone can carry each output from its exact value: the same code, run on balls."""
    balls = {key: Ball.exact(value, arithmetic) for key, value in inputs.items()}
    return {key: radius(value) for key, value in stage.hand(balls, Ball.exact(dy, arithmetic)).items()}


def radius(value: Any) -> Float:
    """A ball's radius; a plain array did not come through any rounding and has none."""
    return value.rad if isinstance(value, Ball) else np.zeros(np.shape(value))


def longest_sum(inputs: Mapping[str, Float]) -> int:
    """One more than the longest axis: no sum of the stage has more terms (its mean over all entries divides after)."""
    return 1 + max((n for value in inputs.values() for n in value.shape), default=1)


def compare(name: str, s: Float, S: Float, bound: Float, huge: float = float(np.finfo(float).max)) -> TensorReport:
    """One tensor, entry by entry. A wrong shape or a value that is not finite is refuted, never skipped.

    Only where the right value is not finite itself, or beyond `huge`, the largest number of the precision, nothing can
    be said.
    """
    if s.shape != S.shape:
        return unmeasured(name, s.shape, Verdict.REFUTED, S.size, f"shape is {s.shape}, expected {S.shape}")
    if S.size == 0:
        return unmeasured(name, S.shape, Verdict.UNRESOLVED, 0, "no entries: nothing to judge")
    with np.errstate(all="ignore"):
        difference = np.abs(s - S)
        inside = difference <= bound  # False for nan
        ratio = np.divide(difference, bound, out=np.zeros(S.shape), where=difference != 0)
        lost = unknown = wrong = np.zeros(S.shape, bool)
        if not (inside.all() and np.isfinite(bound).all()):
            ratio = np.nan_to_num(ratio, nan=np.inf, posinf=np.inf)
            lost = ~np.isfinite(s) & (np.abs(S) <= huge)
            unknown = ~lost & ~(np.isfinite(bound) & np.isfinite(S))
            wrong = lost | (~unknown & ~inside)
            rank = np.where(lost, 3, np.where(wrong, 2, np.where(unknown, 1, 0)))
            worst = np.argmax(np.where(rank == rank.max(), ratio, -1))
        else:
            worst = np.argmax(ratio)
    at = np.unravel_index(int(worst), S.shape)
    floors = detection_floor(S, bound)
    verdict, reason = Verdict.CERTIFIED, ""
    if wrong.any():
        verdict = Verdict.REFUTED
        reason = f"{int(lost.sum())} values are not finite" if lost.any() else ""
    elif unknown.any():
        verdict = Verdict.UNRESOLVED
        reason = (
            f"{int(unknown.sum())} entries without a finite bound or reference: the computation may overflow, "
            "or rounding decides which branch it takes"
        )
    return TensorReport(
        name=name,
        shape=S.shape,
        verdict=verdict,
        entries=S.size,
        outside=int(wrong.sum()),
        index=tuple(int(i) for i in at),
        hand=float(s[at]),
        reference=float(S[at]),
        difference=float(difference[at]),
        bound=float(bound[at]),
        ratio=float(ratio[at]),
        floor_median=floors[0],
        floor_p90=floors[1],
        reason=reason,
    )


def detection_floor(S: Float, bound: Float) -> list[float]:
    """Median and 90th percentile of 2 bound / |S| where S is not zero; of large tensors, over evenly spread entries."""
    some = slice(None, None, 1 + S.size // ENOUGH)
    S, bound = S.reshape(-1)[some], bound.reshape(-1)[some]
    with np.errstate(all="ignore"):
        floor = 2 * bound[S != 0] / np.abs(S[S != 0])
        return np.quantile(floor, (0.5, 0.9)).tolist() if floor.size else [float("inf")] * 2


def absent(name: str, S: Float) -> TensorReport:
    """A gradient that was not given at all."""
    return unmeasured(name, S.shape, Verdict.REFUTED, S.size, "the backward pass does not give this gradient")


def unmeasured(name: str, shape: tuple[int, ...], verdict: Verdict, outside: int, reason: str) -> TensorReport:
    """A tensor whose verdict comes before any value is compared."""
    nan, inf = float("nan"), float("inf")
    return TensorReport(name, shape, verdict, outside, outside, (), nan, nan, nan, nan, inf, inf, inf, reason)


def renamed(report: StageReport, names: Mapping[str, str]) -> StageReport:
    """The same report with the tensors under the lectures' names ("dW" becomes "dW1")."""
    return replace(report, tensors=tuple(replace(t, name=names.get(t.name, t.name)) for t in report.tensors))
