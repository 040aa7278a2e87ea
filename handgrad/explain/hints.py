"""What can be said of a refuted result besides its numbers: another shape, another precision, an ignored upstream."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import permutations
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from handgrad.arrays.arithmetic import Arithmetic
from handgrad.arrays.precision import dtype_name, like, to64
from handgrad.judge.ball_bound import Evidence, StageReport
from handgrad.judge.isolation import duplicate, quiet
from handgrad.judge.noise_bound import certify_opaque
from handgrad.judge.stage import Arrays, Stage
from handgrad.judge.verdict import Verdict

Float = NDArray[np.float64]
COARSER = {"float64": "float32", "float32": "bfloat16"}
FEWEST = 4  # errors fewer than these have no pattern


def explain(
    stage: Stage, inputs: Arrays, dy: Any, hand: Mapping[str, Any], report: StageReport,
    evidence: Mapping[str, Evidence], rng: np.random.Generator, slack: float,
) -> tuple[StageReport, tuple[str, ...]]:  # fmt: skip
    """The report with the reason in every tensor of another shape, and notes on everything else that can be said."""
    tensors, alone = [], np.shape(dy)[:1] == (1,)
    for t in report.tensors:
        e = evidence[t.name]
        words = in_another_shape(e, alone) if e.hand.shape != e.reference.shape else None
        tensors.append(replace(t, reason=words) if words else t)
    report, notes = replace(report, tensors=tuple(tensors)), []
    wrong = [t.name for t in tensors if t.verdict is Verdict.REFUTED and t.shape == evidence[t.name].reference.shape]
    if wrong:
        if (coarse := coarser_inside(stage, inputs, dy, hand, evidence, wrong, rng, slack)) is not None:
            notes.append(f"{report.name}: {', '.join(wrong)}: {coarse}")
        elif right_for_ones(stage, inputs, dy, wrong, rng, slack):
            notes.append(
                f"{report.name}: {', '.join(wrong)}: right only for an upstream gradient of ones; "
                "backward ignores or misuses dy"
            )
    return report, tuple(notes)


def in_another_shape(e: Evidence, alone: bool = False) -> str | None:
    """Words for a result whose values are right but not its shape. alone: the batch is a single sample."""
    got, want = e.hand.shape, e.reference.shape
    if e.hand.size == e.reference.size:
        margin = np.max(e.bound, initial=0.0)  # the bound may have the other shape
        if any(
            candidate.shape == want and (np.abs(candidate - e.reference) <= margin).all() for candidate in rearranged(e)
        ):
            if alone and got[:1] == (1,) and got[1:] == want:
                return f"shape is {got}, expected {want}: not summed over the batch of 1, or right values reshaped"
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
    evidence: Mapping[str, Evidence],
    wrong: list[str],
    rng: np.random.Generator,
    slack: float,
) -> str | None:
    """Words for code that computes in a coarser precision than it is given."""
    coarse = COARSER.get(dtype_name(dy))
    narrow = any(dtype_name(hand[name]) == coarse for name in wrong)
    if coarse is None or not (narrow or rounded_coarsely([evidence[name] for name in wrong], coarse)):
        return None
    report, _ = certify_opaque(stage, inputs, dy, hand, rng, slack, Arithmetic.of(coarse))
    if any(t.verdict is not Verdict.CERTIFIED for t in report.tensors if t.name in wrong):
        return None
    if narrow:
        return f"the result is {coarse}, given {dtype_name(dy)}"
    return f"the difference has the size of {coarse} rounding: part of it computes in {coarse} inside, or loses as much"


def rounded_coarsely(evidence: Sequence[Evidence], coarse: str) -> bool:
    """Whether the errors look like rounding to `coarse` and not like a small mistake.

    Either the wrong entries are themselves numbers of that precision, or the errors are of its size, nearly everywhere,
    of both signs, and no common factor: a mistaken constant is off by one, a single wrong entry stands alone.
    """
    entries = [(e.hand.reshape(-1), e.reference.reshape(-1), e.bound.reshape(-1)) for e in evidence]
    hand, S, bound = (np.concatenate(column) for column in zip(*entries, strict=True))
    judged = (S != 0) & np.isfinite(S) & np.isfinite(hand) & np.isfinite(bound)
    wrong = judged & (np.abs(hand - S) > bound)
    if np.count_nonzero(wrong) < FEWEST or 2 * np.count_nonzero(wrong) < np.count_nonzero(judged):
        return False
    model = torch.zeros((), dtype=getattr(torch, coarse))
    with quiet():
        if (to64(like(hand[wrong], model)) == hand[wrong]).all():
            return True
        off = (hand[judged] - S[judged]) / S[judged]
    typical = float(np.median(np.abs(off)))
    both_signs = bool((off > 0).any() and (off < 0).any())
    return both_signs and typical >= Arithmetic.of(coarse).u / 16 and float(np.std(off)) >= typical / 2


def right_for_ones(
    stage: Stage, inputs: Arrays, dy: Any, wrong: list[str], rng: np.random.Generator, slack: float
) -> bool:
    """Whether everything would pass if the upstream gradient were ones, because backward is not linear in it.

    Of a linear backward pass, or where the right gradient of ones is zero (the rows of a softmax), nothing follows.
    """

    def hand(dy: Float) -> dict[str, Any]:
        return stage.hand(duplicate(inputs), like(dy.copy(), model))  # the code may write into what it is given

    model, dy64 = dy, to64(dy)
    try:
        with quiet():
            at_ones, once, twice = hand(np.ones(dy64.shape)), hand(dy64), hand(2 * dy64)
        report, evidence = certify_opaque(stage, inputs, like(np.ones(dy64.shape), dy), at_ones, rng, slack)
    except Exception:
        return False
    nothing = all((np.abs(evidence[n].reference) <= evidence[n].bound).all() for n in wrong)
    linear = all(np.array_equal(to64(twice[n]), 2 * to64(once[n])) for n in wrong)
    return not nothing and not linear and all(t.verdict is Verdict.CERTIFIED for t in report.tensors if t.name in wrong)
