"""The rules that may change a verdict, in their order. Each takes the judgement so far and says why it exists.

`docs/method.md` prints this list, and a test holds that both are the same. Notes, which only add words, are in
handgrad/explain/notes.py.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from handgrad.arrays.arithmetic import Arithmetic
from handgrad.judge.bound import bound_by_balls, bound_by_noise
from handgrad.judge.compare import Evidence, index_words
from handgrad.judge.constants import CLOSE, LOST, NOISE_SIGMAS, ROUNDINGS
from handgrad.judge.difference_quotient import clear
from handgrad.judge.judgement import Judgement, Way, measure
from handgrad.judge.repeats import REPEATABLE, difference_words
from handgrad.judge.trial import Trial
from handgrad.judge.verdict import Verdict

UNINFORMATIVE = "inconclusive: the rounding bound is larger than the gradient, so even zeros would pass"
FORWARD_DIFFERS = "the forward passes differ"


def add_the_noise_of_the_reference(found: Judgement) -> Judgement:
    """Outside the balls' bound, the reference's noise is added: its formula may lose digits where ours does not."""
    if found.way is not Way.BALLS or found.verdict is not Verdict.REFUTED:
        return found
    a, trial = Arithmetic.of("float64"), found.trial
    sigma = trial.noise(a)
    wider = {
        name: replace(e, bound=e.bound + NOISE_SIGMAS * sigma[name] + ROUNDINGS * a.u * np.abs(e.reference))
        for name, e in found.evidence.items()
        if e.hand.shape == e.reference.shape and name not in trial.missing
    }
    tensors = {name: measure(trial, name, e) for name, e in wider.items()}
    return replace(found.with_tensors(tensors), evidence={**found.evidence, **wider})


def compare_the_forward_pass_first(found: Judgement) -> Judgement:
    """If foreign code computes another function than its reference, their gradients cannot be compared."""
    trial, first = found.trial, found.report.tensors[0]
    if trial.stage.subject is not None or first.verdict is not Verdict.REFUTED:
        return found
    e, again = found.evidence["y"], trial.again.get("y")
    words, verdict = forward_words(first.reason, e, first.index, first.outside), Verdict.REFUTED
    if again is not None and (two := difference_words(e.hand, again)):
        words = f"forward is random, or keeps state: two runs on the same inputs give y{two}; {REPEATABLE}"
        verdict = Verdict.UNRESOLVED
    elif e.hand.shape == e.reference.shape and np.isfinite(e.hand).all():
        gap, size = np.max(np.abs(e.hand - e.reference)), np.max(np.abs(e.reference))
        if gap <= CLOSE * size:
            words = (
                f"{FORWARD_DIFFERS} by {gap / size:.1g} of their size, too much for rounding, too little for another "
                f"formula: a constant cut short, or an inexact reference; {entry_words(e, first.index, first.outside)}"
            )
            verdict = Verdict.UNRESOLVED
    report = replace(found.report, tensors=(replace(first, verdict=verdict, reason=words),))
    return replace(found, report=report)


def forward_words(reason: str, e: Evidence, at: tuple[int, ...], outside: int) -> str:
    """In words: how the given y differs from the right one."""
    if e.hand.shape != e.reference.shape:
        return f"{FORWARD_DIFFERS}: {reason}"
    if not np.isfinite(e.hand).all():
        i = index_words(at)
        words = f"y{i} is {e.hand[at]:g}, the reference gives {e.reference[at]:.9g}"
        return f"forward gives values that are not finite: {words}, {outside} of {e.hand.size} entries"
    return f"{FORWARD_DIFFERS}: {entry_words(e, at, outside)}; the gradients are not judged"


def entry_words(e: Evidence, at: tuple[int, ...], outside: int) -> str:
    """In words: the worst entry of y, and how many differ."""
    words = f"y{index_words(at)} is {e.hand[at]:.17g}, the reference gives {e.reference[at]:.17g}"
    return f"{words}, {outside} of {e.hand.size} entries differ"


def take_a_missing_gradient_for_zero(found: Judgement) -> Judgement:
    """A gradient that is not given (None) means zero: it passes where the right one is zero within rounding."""
    absent = [t.name for t in found.report.tensors if t.name in found.trial.missing]
    if not absent:
        return found
    right, sigma = found.trial.reference, found.trial.noise(found.trial.arithmetic)
    zero = [name for name in absent if not (np.abs(right[name]) > NOISE_SIGMAS * sigma[name]).any()]
    kept = tuple(t for t in found.report.tensors if t.name not in zero)
    evidence = {name: e for name, e in found.evidence.items() if name not in zero}
    return replace(found, report=replace(found.report, tensors=kept), evidence=evidence)


def ask_a_difference_quotient(found: Judgement) -> Judgement:
    """torch is not exact at all inputs: a difference quotient of the code's forward pass says which side is off."""
    first = found.report.tensors[0]
    if found.verdict is not Verdict.REFUTED or first.verdict is Verdict.REFUTED:
        return found
    for t in found.report.tensors:
        if t.verdict is not Verdict.REFUTED or (e := clear(found.trial, t.name, found.evidence[t.name])) is None:
            continue
        found = replace(
            found.with_tensors({t.name: measure(found.trial, t.name, e)}), evidence={**found.evidence, t.name: e}
        ).noted(
            f"the reference is inexact here: {t.outside} entries of {t.name} differ from it and agree with the "
            "derivative of the code's own forward pass (a difference quotient in higher precision)"
        )
    return found


def leave_open_what_has_no_digit_left(found: Judgement) -> Judgement:
    """An entry that is off by a sixteenth of its value is right only where the reference loses as much to rounding."""
    tensors = {}
    for t in found.report.tensors:
        if t.verdict is not Verdict.CERTIFIED:
            continue
        e = found.evidence[t.name]
        difference, size = np.abs(e.hand - e.reference), np.abs(e.reference)
        lost = difference > LOST * np.where(size > 0, size, np.max(size, initial=0.0))
        if not lost.any():
            continue
        a = found.trial.arithmetic
        allowed = NOISE_SIGMAS * found.trial.noise(a)[t.name] + ROUNDINGS * (a.u * size + a.tiny)
        lost &= ~(difference <= allowed)
        if lost.any():
            tensors[t.name] = replace(t, verdict=Verdict.UNRESOLVED, reason=lost_words(found.trial, t.name, e, lost))
    return found.with_tensors(tensors)


def lost_words(trial: Trial, name: str, e: Evidence, lost: Any) -> str:
    """In words: where the code's own rounding leaves nothing of the value."""
    worst = np.argmax(np.where(lost, np.abs(e.hand - e.reference), -1.0))
    at = tuple(int(i) for i in np.unravel_index(worst, lost.shape))
    return (
        f"no digit of {np.count_nonzero(lost)} of {lost.size} entries is left in {trial.dtype}: {name}{index_words(at)} "
        f"is {e.hand[at]:.6g}, the right value {e.reference[at]:.6g}; the formula loses them to rounding"
    )


def refuse_a_bound_that_zeros_pass(found: Judgement) -> Judgement:
    """For a drawn dy, a gradient smaller than its own rounding bound tests nothing: zeros would pass as well."""
    trial = found.trial
    if not trial.drawn:
        return found
    passing = [t.name for t in found.report.tensors if t.verdict is Verdict.CERTIFIED]
    passing = [name for name in passing if (np.abs(trial.reference[name]) <= found.evidence[name].bound).all()]
    if not any(trial.reference[name].any() for name in passing):
        return found
    sigma = trial.noise(Arithmetic.of("float64"))  # within which the right value may be zero
    blind = [n for n in passing if (np.abs(trial.reference[n]) > NOISE_SIGMAS * sigma[n]).any()]
    if trial.optional:
        kept = tuple(t for t in found.report.tensors if t.name not in blind)
        rest = replace(found, report=replace(found.report, tensors=kept))
        return rest.noted(*(f"{name}: {UNINFORMATIVE}" for name in blind))
    tensors = {t.name: t for t in found.report.tensors if t.name in blind}
    return found.with_tensors(
        {name: replace(t, verdict=Verdict.UNRESOLVED, reason=UNINFORMATIVE) for name, t in tensors.items()}
    )


VERDICT_RULES: tuple[Callable[[Judgement], Judgement], ...] = (
    bound_by_balls,
    bound_by_noise,
    add_the_noise_of_the_reference,
    compare_the_forward_pass_first,
    take_a_missing_gradient_for_zero,
    ask_a_difference_quotient,
    leave_open_what_has_no_digit_left,
    refuse_a_bound_that_zeros_pass,
)
