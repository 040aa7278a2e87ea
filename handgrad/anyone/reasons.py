"""What can be said of a refuted result besides its numbers: another shape, another precision, an ignored upstream."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handgrad.anyone.opaque import certify_opaque
from handgrad.anyone.quiet import duplicate, quiet
from handgrad.arrays.arithmetic import Arithmetic
from handgrad.certificate import Evidence, StageReport
from handgrad.precision import dtype_name, like
from handgrad.stage import Arrays, Stage
from handgrad.verdict import Verdict

Float = NDArray[np.float64]
COARSER = {"float64": "float32", "float32": "bfloat16"}


def explain(
    stage: Stage, inputs: Arrays, dy: Any, hand: Mapping[str, Any], report: StageReport,
    evidence: Mapping[str, Evidence], rng: np.random.Generator, slack: float,
) -> tuple[StageReport, tuple[str, ...]]:  # fmt: skip
    """The report with the reason in every tensor of another shape, and notes on everything else that can be said."""
    tensors = []
    for t in report.tensors:
        e = evidence[t.name]
        words = in_another_shape(e) if e.hand.shape != e.reference.shape else None
        tensors.append(replace(t, reason=words) if words else t)
    report, notes = replace(report, tensors=tuple(tensors)), []
    wrong = [t.name for t in tensors if t.verdict is Verdict.REFUTED and t.shape == evidence[t.name].reference.shape]
    if wrong:
        if (coarse := coarser_inside(stage, inputs, dy, hand, wrong, rng, slack)) is not None:
            notes.append(f"{report.name}: {', '.join(wrong)}: {coarse}")
        elif right_for_ones(stage, inputs, dy, wrong, rng, slack):
            notes.append(
                f"{report.name}: {', '.join(wrong)}: right only for an upstream gradient of ones; "
                "backward ignores or misuses dy"
            )
    return report, tuple(notes)


def in_another_shape(e: Evidence) -> str | None:
    """Words for a result whose values are right but not its shape."""
    got, want = e.hand.shape, e.reference.shape
    if e.hand.size == e.reference.size:
        margin = np.max(e.bound, initial=0.0)  # the bound may have the other shape
        if any(
            candidate.shape == want and (np.abs(candidate - e.reference) <= margin).all() for candidate in rearranged(e)
        ):
            return f"right values in another shape: {got}, expected {want}"
        return None
    summed = summed_to(e.hand, want)
    if summed is not None and (np.abs(summed - e.reference) <= e.hand.size * np.max(e.bound, initial=0.0)).all():
        return f"shape is {got}, expected {want}: right once summed over the axes that were broadcast"
    return None


def rearranged(e: Evidence) -> Iterator[Float]:
    """The result reshaped, and with its axes in every other order."""
    yield e.hand.reshape(e.reference.shape)
    if e.hand.ndim <= 4:
        yield from (e.hand.transpose(order) for order in permutations(range(e.hand.ndim)))


def summed_to(array: Float, shape: tuple[int, ...]) -> Float | None:
    """The array summed over the axes along which `shape` would be broadcast to it; None where it would not."""
    try:
        if np.broadcast_shapes(array.shape, shape) != array.shape:
            return None
    except ValueError:
        return None
    lead = array.ndim - len(shape)
    axes = (*range(lead), *(lead + i for i, n in enumerate(shape) if n == 1))
    return np.asarray(array.sum(axis=axes).reshape(shape))


def coarser_inside(
    stage: Stage,
    inputs: Arrays,
    dy: Any,
    hand: Mapping[str, Any],
    wrong: list[str],
    rng: np.random.Generator,
    slack: float,
) -> str | None:
    """Words for code that computes in a coarser precision than it is given."""
    coarse = COARSER.get(dtype_name(dy))
    if coarse is None:
        return None
    report, _ = certify_opaque(stage, inputs, dy, hand, rng, slack, Arithmetic.of(coarse))
    if any(t.verdict is not Verdict.CERTIFIED for t in report.tensors if t.name in wrong):
        return None
    if any(dtype_name(hand[name]) == coarse for name in wrong):
        return f"the result is {coarse}, given {dtype_name(dy)}"
    return f"the difference has the size of {coarse} rounding: part of it computes in {coarse} inside, or loses as much"


def right_for_ones(
    stage: Stage, inputs: Arrays, dy: Any, wrong: list[str], rng: np.random.Generator, slack: float
) -> bool:
    """Whether everything would pass if the upstream gradient were ones."""
    ones = like(np.ones(np.shape(dy)), dy)
    try:
        with quiet():
            hand = stage.hand(duplicate(inputs), ones)
        report, _ = certify_opaque(stage, inputs, ones, hand, rng, slack)
    except Exception:
        return False
    return all(t.verdict is Verdict.CERTIFIED for t in report.tensors if t.name in wrong)
