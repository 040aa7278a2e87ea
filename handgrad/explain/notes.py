"""What may be said of a refuted trial besides its numbers. A note adds words and never changes a verdict.

`docs/method.md` prints this list, and a test holds that the two are the same. Rules that may change a verdict stand in
handgrad/judge/rules.py.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Any

import numpy as np
import torch

from handgrad.arrays.arithmetic import EPS, Arithmetic
from handgrad.arrays.precision import dtype_name, like, to64
from handgrad.explain.diagnosis import Diagnosis, diagnose
from handgrad.judge.compare import Evidence, Float, StageReport
from handgrad.judge.constants import (
    CLEAR,
    COARSE_CHANGE,
    COARSE_FEWEST,
    COARSE_MOVES,
    COARSE_SIZE,
    COARSE_SPREAD,
    FEWEST_DRAWS,
    LOST,
)
from handgrad.judge.isolation import attempt, quiet
from handgrad.judge.judgement import Judgement
from handgrad.judge.noise_bound import by_noise
from handgrad.judge.rules import FORWARD_DIFFERS
from handgrad.judge.trial import Trial
from handgrad.judge.verdict import Verdict

COARSER = {"float64": "float32", "float32": "bfloat16"}


@dataclass(frozen=True, eq=False)
class Explanation:
    """A judgement with words: the report with reasons, notes, and the mistake's name.

    right_if_wider: its values are finite and right in float64, so that no mistake of a formula can be their cause.
    """

    judgement: Judgement
    report: StageReport
    notes: tuple[str, ...] = ()
    diagnosis: Diagnosis | None = None
    right_if_wider: bool = False

    def failing(self) -> list[str]:
        """The refuted tensors that have the right shape."""
        evidence = self.judgement.evidence
        names = self.judgement.failing()
        return [n for n in names if evidence[n].hand.shape == evidence[n].reference.shape]


def explain(judgement: Judgement) -> Explanation:
    """Every note in its order, where the trial was refuted."""
    found = Explanation(judgement, judgement.report, judgement.notes)
    if judgement.verdict is not Verdict.REFUTED:
        return found
    for note in NOTES:
        found = note(found)
    return found


def say_another_shape(found: Explanation) -> Explanation:
    """Right values that are transposed, reshaped, or not summed over a broadcast axis."""
    alone, tensors = np.shape(found.judgement.trial.dy)[:1] == (1,), []
    for t in found.report.tensors:
        e = found.judgement.evidence[t.name]
        words = shape_words(e, alone) if e.hand.shape != e.reference.shape else None
        if words and t.name == "y":
            words = f"{FORWARD_DIFFERS}: {words}"
        tensors.append(replace(t, reason=words) if words else t)
    return replace(found, report=replace(found.report, tensors=tuple(tensors)))


def say_how_it_was_computed(found: Explanation) -> Explanation:
    """Code that computes in a coarser precision than it is given, or is right only for an upstream gradient of ones."""
    wrong = [name for name in found.failing() if name != "y" and name not in found.judgement.trial.missing]
    if found.report.tensors[0].verdict is Verdict.REFUTED and "y" in found.failing():
        words = coarser_words(found.judgement, ["y"])
        return replace(found, notes=(*found.notes, f"{found.report.name}: y: {words}")) if words else found
    if not wrong:
        return found
    words = coarser_words(found.judgement, wrong)
    if words is None and right_for_ones(found.judgement.trial, wrong):
        words = "right only for an upstream gradient of ones; backward ignores or misuses dy"
    if words is None:
        return found
    return replace(found, notes=(*found.notes, f"{found.report.name}: {', '.join(wrong)}: {words}"))


def say_what_a_wider_precision_gives(found: Explanation) -> Explanation:
    """Code that is right in float64 at the same inputs, and overflows, or is wrong, in the precision judged."""
    trial, a = found.judgement.trial, found.judgement.trial.arithmetic
    wrong = [n for n in found.failing() if n not in trial.missing and more_than_rounding(found.judgement.evidence[n])]
    if trial.dtype == "float64" or not wrong or not attempt(right_in_float64, trial, wrong).value:
        return found
    finite = all(np.isfinite(trial.results[n]).all() for n in wrong)
    words = f"wrong in {trial.dtype}" if finite else f"overflows in {trial.dtype} (largest number {a.huge:g})"
    note = f"{found.report.name}: {', '.join(wrong)}: right in float64, {words}"
    return replace(found, notes=(*found.notes, note), right_if_wider=finite)


def more_than_rounding(e: Evidence) -> bool:
    """Whether an entry outside its bound is not finite, or off by a large share of its value."""
    with np.errstate(all="ignore"):
        small = np.abs(e.hand - e.reference) <= LOST * np.abs(e.reference)
    return bool((e.outside & ~small).any())


def right_in_float64(trial: Trial, wrong: Sequence[str]) -> bool:
    """Whether the same code on the same numbers in float64 gives the right values of these results."""
    inputs = {name: as_float64(value) for name, value in trial.inputs.items()}
    wide = by_noise(trial.at(inputs=inputs, dy=as_float64(trial.dy)))
    return all(t.verdict is Verdict.CERTIFIED for t in wide.report.tensors if t.name in wrong)


def as_float64(array: Any) -> Any:
    """The same numbers in float64, in the library of the array."""
    return array.detach().double() if isinstance(array, torch.Tensor) else like(to64(array), np.zeros(()))


def name_the_mistake(found: Explanation) -> Explanation:
    """A mistake of the catalogue that gives every entry of what was given, on these numbers and on fresh ones."""
    trial, evidence = found.judgement.trial, found.judgement.evidence
    if found.right_if_wider or not can_tell(trial):
        return found
    only_forward = len(found.report.tensors) == 1 and len(evidence) > 1  # the gradients were not judged
    if only_forward:
        evidence = {n: e if n == "y" else replace(e, hand=e.reference) for n, e in evidence.items()}
    named = diagnose(trial, evidence)
    return found if only_forward and not (named and named.known) else replace(found, diagnosis=named)


NOTES: tuple[Callable[[Explanation], Explanation], ...] = (
    say_another_shape,
    say_how_it_was_computed,
    say_what_a_wider_precision_gives,
    name_the_mistake,
)


def can_tell(trial: Trial) -> bool:
    """Whether the inputs can tell mistakes apart: where all entries are equal, or the only one is 0, too many fit."""
    values = trial.exact.values()
    return any(np.ptp(value) > 0 for value in values) or all(v.size == 1 and v.any() for v in values)


def shape_words(e: Evidence, alone: bool = False) -> str | None:
    """Words for a result whose values are right but not its shape. alone: the batch is a single sample."""
    got, want, margin = e.hand.shape, e.reference.shape, float(np.max(e.bound, initial=0.0))
    if not margin <= CLEAR * np.max(np.abs(e.reference), initial=0.0):
        return None
    if e.hand.size == e.reference.size:
        if any(a.shape == want and (np.abs(a - e.reference) <= margin).all() for a in rearrange(e)):
            if alone and got[:1] == (1,) and got[1:] == want:
                return f"shape is {got}, expected {want}: not summed over the batch of 1, or right values reshaped"
            return f"right values in another shape: {got}, expected {want}"
        return None
    summed, size = sum_to(e.hand, want), e.hand.size
    rounding = size * (margin + size * EPS * float(np.max(np.abs(e.hand), initial=0.0)))
    if summed is not None and (np.abs(summed - e.reference) <= rounding).all():
        return f"shape is {got}, expected {want}: right once summed over the axes that were broadcast"
    return None


def rearrange(e: Evidence) -> Iterator[Float]:
    """The result reshaped, and with its axes in every other order."""
    yield e.hand.reshape(e.reference.shape)
    if e.hand.ndim <= 4:
        yield from (e.hand.transpose(order) for order in permutations(range(e.hand.ndim)))


def sum_to(array: Float, shape: tuple[int, ...]) -> Float | None:
    """The array summed over the axes along which `shape` would be broadcast to it; None where it would not."""
    try:
        if np.broadcast_shapes(array.shape, shape) != array.shape:
            return None
    except ValueError:
        return None
    lead = array.ndim - len(shape)
    axes = (*range(lead), *(lead + i for i, n in enumerate(shape) if n == 1))
    return np.asarray(array.sum(axis=axes).reshape(shape))


def coarser_words(judgement: Judgement, wrong: Sequence[str]) -> str | None:
    """Words for code that computes in a coarser precision than it is given: then its noise explains the difference."""
    trial = judgement.trial
    coarse = COARSER.get(trial.dtype)
    narrow = any(dtype_name(trial.hand[name]) == coarse for name in wrong)
    if coarse is None or not (narrow or looks_rounded([judgement.evidence[name] for name in wrong], coarse)):
        return None
    report = by_noise(trial, Arithmetic.of(coarse)).report
    if any(t.verdict is not Verdict.CERTIFIED for t in report.tensors if t.name in wrong):
        return None
    if not narrow and not is_erratic(judgement, wrong, Arithmetic.of(coarse).u):
        return None
    asked = f'to judge it as {coarse}, give {coarse} inputs, or dtype="{coarse}" for shapes'
    if narrow:
        return f"the result is {coarse}, given {trial.dtype}; {asked}"
    return f"these differ by the rounding of {coarse}: it computes in {coarse} inside, or loses as much; {asked}"


def looks_rounded(evidence: Sequence[Evidence], coarse: str) -> bool:
    """Whether the errors look like rounding to `coarse` and not like a small mistake.

    Either the wrong entries are themselves numbers of that precision, or the errors are of its size, nearly everywhere,
    of both signs, and no common factor: a mistaken constant is off by one, a single wrong entry stands alone.
    """
    entries = [(e.hand.reshape(-1), e.reference.reshape(-1), e.bound.reshape(-1)) for e in evidence]
    hand, S, bound = (np.concatenate(column) for column in zip(*entries, strict=True))
    judged = (S != 0) & np.isfinite(S) & np.isfinite(hand) & np.isfinite(bound)
    wrong = judged & (np.abs(hand - S) > bound)
    if np.count_nonzero(wrong) < COARSE_FEWEST or 2 * np.count_nonzero(wrong) < np.count_nonzero(judged):
        return False
    model = torch.zeros((), dtype=getattr(torch, coarse))
    with quiet():
        if (to64(like(hand[wrong], model)) == hand[wrong]).all():
            return True
        off = (hand[judged] - S[judged]) / S[judged]
    typical = float(np.median(np.abs(off)))
    both_signs = bool((off > 0).any() and (off < 0).any())
    size = COARSE_SIZE * Arithmetic.of(coarse).u
    return both_signs and typical >= size and float(np.std(off)) >= COARSE_SPREAD * typical


def is_erratic(judgement: Judgement, wrong: Sequence[str], u: float) -> bool:
    """Whether the errors become others wherever the inputs move by a few units of the coarser precision.

    That is what rounding does. The error of a mistaken formula moves with the inputs, by as small a share of itself.
    """
    trial, rng = judgement.trial, np.random.default_rng(0)

    def moved(a: Float, model: Any) -> Any:
        return like(a * (1 + COARSE_MOVES * u * rng.uniform(0.5, 1, a.shape)), model)

    def change() -> float:
        moves = {k: moved(v, trial.inputs[k]) for k, v in trial.exact.items() if f"d{k}" in trial.reference}
        there = trial.at(inputs={**trial.inputs, **moves}, dy=moved(trial.dy64, trial.dy))
        return min(relative_change(judgement.evidence[k], there.results[k] - there.reference[k]) for k in wrong)

    changes = (attempt(change).value for _ in range(FEWEST_DRAWS))
    return all(c is not None and c >= COARSE_CHANGE for c in changes)


def relative_change(e: Evidence, error: Float) -> float:
    """How much of the typical error of a tensor is another one."""
    judged = e.outside & np.isfinite(error)
    before = (e.hand - e.reference)[judged]
    return float(np.median(np.abs(error[judged] - before)) / np.median(np.abs(before))) if judged.any() else 0.0


def right_for_ones(trial: Trial, wrong: Sequence[str]) -> bool:
    """Whether everything would pass if the upstream gradient were ones, because backward is not linear in it.

    Of a linear backward pass, or where the right gradient of ones is zero (the rows of a softmax), nothing follows.
    """

    def at(dy: Float) -> Trial:
        return trial.at(dy=like(dy, trial.dy))

    def holds() -> bool:
        once, twice = at(trial.dy64).hand, at(2 * trial.dy64).hand
        if all(np.array_equal(to64(twice[n]), 2 * to64(once[n])) for n in wrong):
            return False
        ones = by_noise(at(np.ones(trial.dy64.shape)))
        nothing = all((CLEAR * np.abs(ones.evidence[n].reference) <= ones.evidence[n].bound).all() for n in wrong)
        return not nothing and all(t.verdict is Verdict.CERTIFIED for t in ones.report.tensors if t.name in wrong)

    return bool(attempt(holds).value)
