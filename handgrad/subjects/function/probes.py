"""Many other sizes and magnitudes, compared cheaply; where the code is most off, the judge is asked.

A comparison is one run of the code and one of the reference. What differs by no more than the roundings of the right
value itself, or relative to its tensor by no more than the bound of the first case, is inside every bound there is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from handgrad.arrays.arithmetic import Arithmetic
from handgrad.arrays.imitated_jax import is_jax
from handgrad.arrays.jax_in_numpy import in_numpy
from handgrad.arrays.precision import dtype_name, like, to64
from handgrad.judge.compare import NO_BOUND, Float
from handgrad.judge.constants import JUDGED_MAGNITUDES, JUDGED_SIZES, ROUNDINGS
from handgrad.judge.isolation import attempt
from handgrad.judge.judgement import Judgement
from handgrad.judge.note import HowJudged
from handgrad.judge.verdict import Verdict
from handgrad.subjects.function.calling import Code
from handgrad.subjects.function.case import Case, Kind, Tried, draw_upstream, run, strange_shape, try_case
from handgrad.subjects.function.reference import Reference
from handgrad.subjects.function.reference_values import reference_value
from handgrad.subjects.function.remainders import new_remainder

JUDGED = {Kind.SIZES: JUDGED_SIZES, Kind.BLOCK_EDGES: 1, Kind.MAGNITUDES: JUDGED_MAGNITUDES}


@dataclass(frozen=True, eq=False)
class Probe:
    """A case, the upstream gradient it was compared for, and how far off the code is: above 1 the judge must say."""

    case: Case
    dy: Any
    off: float


def try_probes(
    code: Code, reference: Reference, cases: Sequence[Case], first: Judgement, rng: np.random.Generator
) -> tuple[list[Tried], list[str]]:
    """The judged ones, and a note on how many were compared. What has no bound there says nothing."""
    usual = {name: usual_error(e.bound, e.reference) for name, e in first.evidence.items()}
    tried, notes = list[Tried](), list[str]()
    for kind, parts in JUDGED.items():
        found = [p for case in cases if case.kind is kind if (p := compare(code, reference, case, usual, rng))]
        found = [p for p in found if p.off <= 1 or not new_remainder(code, first.trial.inputs, p.case.inputs)]
        for probe in choose(found, parts):
            judged = try_case(code, reference, probe.case, rng, first.trial.slack, probe.dy)
            if judged.judgement is not None and judged.judgement.verdict is Verdict.UNRESOLVED:
                judged = Tried(probe.case, None, (f"{probe.case.name}: not judged, {NO_BOUND}",))
            if judged.row is not None and judged.judgement is None and judged.error is not None:
                words = f"{probe.case.name}: not judged, backward raises {type(judged.error).__name__} there"
                judged = Tried(probe.case, None, (words,))
            tried.append(judged)
        if found:
            what = kind.name.lower().replace("_", " ")
            notes.append(HowJudged(f"{len(found)} {what} compared, the most different judged"))
    return tried, notes


def usual_error(bound: Float, right: Float) -> float:
    """The largest bound of a tensor relative to its largest entry; 0 where there is none."""
    if bound.shape != right.shape or not right.any():
        return 0.0
    return float(np.max(bound, initial=0.0, where=np.isfinite(bound)) / np.max(np.abs(right)))


def compare(
    code: Code, reference: Reference, case: Case, usual: Mapping[str, float], rng: np.random.Generator
) -> Probe | None:
    """The code beside the reference; None where one of them refuses, or gives nothing that could be compared."""
    model = next(iter(case.inputs.values()))
    a = Arithmetic.of(dtype_name(model))
    exact = {name: to64(value) for name, value in case.inputs.items()}
    y = attempt(reference_value, reference, exact, a.huge).value
    if y is None:
        return None
    dy = like(draw_upstream(rng, y.shape), model)
    right = attempt(reference.gradients, exact, to64(dy)).value
    if right is None or not all(np.isfinite(value).all() for value in right.values()):
        return None
    hand, error = run_cheaply(code, case.inputs, dy)
    if "y" not in hand or strange_shape(case.y_shape or y.shape, y.shape, np.shape(hand["y"])):
        return None
    if error is not None:
        return Probe(case, dy, np.inf)
    largest = max(float(np.max(np.abs(v), initial=0.0)) for v in exact.values())
    lost = a.u * float(np.max(np.abs(to64(dy))))
    lost *= largest >= 1 or bool(lost_entries(to64(hand["y"]), y, a.u * largest).any())
    limits = {name: a.u * largest if name == "y" else lost for name in right}
    return Probe(case, dy, max(how_far(hand.get(n), S, usual.get(n, 0.0), a, limits[n]) for n, S in right.items()))


def run_cheaply(code: Code, inputs: Mapping[str, Any], dy: Any) -> tuple[dict[str, Any], Exception | None]:
    """What the code gives; JAX code, which would be compiled anew for every size, in NumPy where it can be traced."""

    def hand(inputs: Mapping[str, Any], dy: Any) -> dict[str, Any]:
        args = code.arguments(inputs)
        ran = code.run_forward(args)
        grads = code.run_backward(args, ran.outputs, ran.cache, dy)
        return {"y": ran.y} | {name: g for name, g in grads.items() if g is not None}

    if is_jax(dy) and (found := attempt(in_numpy, hand, dict(inputs), dy).value) is not None:
        return found, None
    return run(code, inputs, dy)[:2]


def lost_entries(given: Float, right: Float, limit: float) -> Any:
    """Where a zero stands for a value below the limit: a digit that rounding took."""
    return (given == 0) & (right != 0) & (np.abs(right) <= limit)


def how_far(given: Any, right: Float, usual: float, a: Arithmetic, lost: float) -> float:
    """The largest difference over what is surely inside the bound; an absent gradient is compared with zero.

    lost: below that, a zero is passed over. What is really wrong shows at another probe.
    """
    s = np.zeros(right.shape) if given is None else to64(given)
    if s.shape != right.shape:
        return np.inf
    if right.size == 0:
        return 0.0
    with np.errstate(all="ignore"):
        size = np.abs(right)
        sure = np.maximum(ROUNDINGS * a.u * size, usual * np.max(size)) + ROUNDINGS * a.tiny
        off = np.where(lost_entries(s, right, lost), 0, np.abs(s - right) / sure)
        return float(np.max(np.nan_to_num(off, nan=np.inf)))


def choose(found: Sequence[Probe], parts: int) -> list[Probe]:
    """The worst of all, and of every part the worst that is off."""
    groups = [found[i * len(found) // parts : (i + 1) * len(found) // parts] for i in range(parts)]
    worst = [max(group, key=lambda p: p.off) for group in groups if group]
    most = max(worst, key=lambda p: p.off, default=None)
    return [p for p in worst if p.off > 1 or p is most]
