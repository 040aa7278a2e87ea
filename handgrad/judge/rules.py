"""The rules that may change a verdict, in their order. Each takes the judgement so far and says why it exists.

`docs/method.md` prints this list, and a test holds that both are the same. Notes, which only add words, are in
handgrad/explain/notes.py.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from handgrad.arrays.arithmetic import Arithmetic
from handgrad.judge.bound import bound_by_balls, bound_by_noise
from handgrad.judge.compare import Evidence, TensorReport, index_words
from handgrad.judge.constants import CLOSE, LOST, NOISE_SIGMAS, ROUNDINGS, RUNG_RMS
from handgrad.judge.difference_quotient import clear
from handgrad.judge.judgement import Judgement, Way, judgement, measure
from handgrad.judge.ladder import Rung, accumulates, rung_bounds, typical_error
from handgrad.judge.repeats import difference_words, random_words
from handgrad.judge.trial import Trial
from handgrad.judge.verdict import Verdict

UNINFORMATIVE = "inconclusive: the rounding bound is larger than the gradient, so even zeros would pass"
FORWARD_DIFFERS = "the forward passes differ"
NOT_GIVEN = (
    "backward gives no gradient (None), and y depends on it; if that is meant (data, a target), say so by constants=, "
    "or give a reference that detaches it"
)


def find_the_rung(found: Judgement) -> Judgement:
    """bfloat16 and float16 code is judged under the tightest arithmetic of the ladder under which it passes."""
    trial = found.trial
    if not trial.arithmetic.coarse or found.verdict is Verdict.REFUTED or trial.missing:
        return found
    under = {rung: under_rung(found, rung) for rung in Rung}
    rungs = {n: next((r for r in Rung if certified(under[r], n)), None) for n in found.evidence}
    if trial.precision and under[asked := Rung(trial.precision)].verdict is Verdict.REFUTED:
        return refuse_the_precision(under[asked], asked, rungs)
    own = under[Rung.OWN]
    if None in rungs.values() or (trial.own.imitated and own.verdict is not Verdict.CERTIFIED):
        return leave_open(found, own)
    if trial.own.imitated and (wide := {n: z for n in trial.reference if (z := typical_error(trial, n)) > RUNG_RMS}):
        words = "its entries are off by {:.2g} standard deviations of the code's own rounding, all in all"
        return set_aside(found, {name: words.format(z) for name, z in wide.items()})
    evidence = {n: under[rung].evidence[n] for n, rung in rungs.items() if rung is not None}
    lowest = max((rung for rung in rungs.values() if rung is not None), key=list(Rung).index)
    return replace(judgement(trial, found.way, evidence), notes=found.notes, rung=lowest)


def certified(found: Judgement, name: str) -> bool:
    """Whether that tensor is."""
    return any(t.name == name and t.verdict is Verdict.CERTIFIED for t in found.report.tensors)


def refuse_the_precision(strict: Judgement, asked: Rung, rungs: Mapping[str, Rung | None]) -> Judgement:
    """What is outside the step that was asked for, with what the code does instead where that is known."""
    dtype, tensors = strict.trial.dtype, {}
    for t in strict.report.tensors:
        if t.verdict is Verdict.REFUTED:
            rung = rungs[t.name] or (Rung.EVERY if accumulates(strict.trial, t.name) else None)
            blame = f"{rung.blame(dtype)}: " if rung else ""
            words = f"{blame}{t.outside} of {t.entries} entries are off by more than {asked.value} explains"
            tensors[t.name] = replace(t, reason=words)
    return strict.with_tensors(tensors)


def under_rung(found: Judgement, rung: Rung) -> Judgement:
    """The judgement with the bounds of that step."""
    bounds = rung_bounds(found.trial, rung)
    evidence = {name: replace(e, bound=bounds[name]) for name, e in found.evidence.items()}
    return judgement(found.trial, found.way, evidence)


def leave_open(found: Judgement, own: Judgement) -> Judgement:
    """Inside the widest bound and on no step of the ladder: neither right nor wrong by what rounding does."""
    beyond = {t.name: t for t in own.report.tensors if t.verdict is not Verdict.CERTIFIED}
    words = f"entries are off by more than {found.trial.dtype} rounding explains, and by less than it could explain"
    return set_aside(found, {name: f"{t.outside} {words}" for name, t in beyond.items()})


def leave_tensors_open(found: Judgement, reasons: Mapping[str, str]) -> Judgement:
    """These tensors UNRESOLVED, each with its reason."""
    tensors = {t.name: t for t in found.report.tensors if t.name in reasons}
    return found.with_tensors(
        {name: replace(t, verdict=Verdict.UNRESOLVED, reason=reasons[name]) for name, t in tensors.items()}
    )


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


def allow_zeros_below_rounding(found: Judgement) -> Judgement:
    """A zero for a value below the rounding of its tensor's largest is a lost digit, not another formula."""
    trial, evidence = found.trial, dict(found.evidence)
    largest = largest_input(trial) if trial.optional else 0.0
    dy_lost = largest_upstream(trial) if largest >= 1 else 0.0  # 1 - h is 0 for the h of a large input
    for name in found.failing():  # y comes first
        e = found.evidence[name]
        if e.hand.shape == e.reference.shape:
            size, beside = np.abs(e.reference), largest if name == "y" else dy_lost
            below = e.outside & (e.hand == 0) & (size <= trial.arithmetic.u * max(np.max(size, initial=0.0), beside))
            if below.any():
                if name == "y":  # then a gradient far below dy is lost with it, even if its whole tensor is
                    dy_lost = largest_upstream(trial)
                evidence[name] = replace(e, bound=np.where(below, size, e.bound))
    changed = {n: measure(trial, n, e) for n, e in evidence.items() if e is not found.evidence[n]}
    return replace(found.with_tensors(changed), evidence=evidence)


def largest_input(trial: Trial) -> float:
    """The largest number of a special draw: what is below its rounding is lost where a formula adds to it."""
    return max((float(np.max(np.abs(a), initial=0.0)) for a in trial.exact.values()), default=0.0)


def largest_upstream(trial: Trial) -> float:
    return float(np.max(np.abs(trial.dy64), initial=0.0))


def allow_lost_digits_without_a_reference(found: Judgement) -> Judgement:
    """In a special case, a forward pass as it is written has a gradient that is off by a rounding of dy, or code has.

    At z = -600 autograd of 1 / (1 + exp(-z)) underflows on its way; at z = 40 it is right, and s (1 - s) is not. As a
    reference, torch's own sigmoid would lose what the code loses.
    """
    trial, evidence = found.trial, dict(found.evidence)
    if not (trial.stage.own and trial.optional):
        return found
    for name in (n for n in found.failing() if n != "y" and n not in trial.missing):
        e = found.evidence[name]
        if e.hand.shape == e.reference.shape:
            largest = max(largest_upstream(trial), float(np.max(np.abs(e.reference), initial=0.0)))
            below = np.abs(e.hand - e.reference) <= trial.arithmetic.u * largest
            evidence[name] = replace(
                e, bound=np.where(below, np.maximum(e.bound, np.abs(e.hand - e.reference)), e.bound)
            )
    changed = {n: measure(trial, n, e) for n, e in evidence.items() if e is not found.evidence[n]}
    return replace(found.with_tensors(changed), evidence=evidence)


def compare_the_forward_pass_first(found: Judgement) -> Judgement:
    """If foreign code computes another function than its reference, their gradients cannot be compared."""
    trial, first = found.trial, forward_report(found)
    if trial.stage.subject is not None or first is None or first.verdict is not Verdict.REFUTED:
        return found
    e, again = found.evidence["y"], trial.again.get("y")
    if first.reason and e.hand.shape == e.reference.shape and np.isfinite(e.hand).all():
        return found  # the same function, below the precision that was asked for
    words, verdict = forward_words(first.reason, e, first.index, first.outside), Verdict.REFUTED
    if again is not None and (two := difference_words(e.hand, again)):
        words = random_words(two)
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


def forward_report(found: Judgement) -> TensorReport | None:
    """The report on y; None where a special case left it out."""
    return next((t for t in found.report.tensors if t.name == "y"), None)


def forward_words(reason: str, e: Evidence, at: tuple[int, ...], outside: int, name: str = "y") -> str:
    """In words: how the given y differs from the right one. name: of one of several results."""
    if e.hand.shape != e.reference.shape:
        return f"{FORWARD_DIFFERS}: {reason}"
    if not np.isfinite(e.hand).all():
        i = index_words(at)
        words = f"{name}{i} is {e.hand[at]:g}, the reference gives {e.reference[at]:.9g}"
        return f"forward gives values that are not finite: {words}, {outside} of {e.hand.size} entries"
    return f"{FORWARD_DIFFERS}: {entry_words(e, at, outside, name)}; the gradients are not judged"


def entry_words(e: Evidence, at: tuple[int, ...], outside: int, name: str = "y") -> str:
    """In words: the worst entry of y, and how many differ."""
    words = f"{name}{index_words(at)} is {e.hand[at]:.17g}, the reference gives {e.reference[at]:.17g}"
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


def leave_a_missing_gradient_open(found: Judgement) -> Judgement:
    """Without a reference, which would detach it, nobody knows whether an input is meant to have no gradient (None)."""
    if not found.trial.stage.own:
        return found
    absent = [t.name for t in found.report.tensors if t.name in found.trial.missing]
    return leave_tensors_open(found, dict.fromkeys(absent, NOT_GIVEN))


def ask_a_difference_quotient(found: Judgement) -> Judgement:
    """torch is not exact at all inputs: a difference quotient of the code's forward pass says which side is off."""
    first = forward_report(found)
    if found.verdict is not Verdict.REFUTED or (first is not None and first.verdict is Verdict.REFUTED):
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
    a, reasons = found.trial.arithmetic, {}
    for name in (t.name for t in found.report.tensors if t.verdict is Verdict.CERTIFIED):
        e = found.evidence[name]
        difference, size = np.abs(e.hand - e.reference), np.abs(e.reference)
        difference = np.where(np.isfinite(e.hand), difference, 0.0)  # infinite and certified: beyond the largest number
        lost = difference > LOST * np.where(size > 0, size, np.max(size, initial=0.0))
        if lost.any():
            lost &= ~(difference <= NOISE_SIGMAS * found.trial.noise(a)[name] + ROUNDINGS * (a.u * size + a.tiny))
        if lost.any():
            reasons[name] = lost_words(found.trial, name, e, lost)
    return set_aside(found, reasons)


def lost_words(trial: Trial, name: str, e: Evidence, lost: Any) -> str:
    """In words: where the code's own rounding leaves nothing of the value."""
    worst = np.argmax(np.where(lost, np.abs(e.hand - e.reference), -1.0))
    at = tuple(int(i) for i in np.unravel_index(worst, lost.shape))
    return (
        f"no digit of {np.count_nonzero(lost)} of {lost.size} entries is left in {trial.dtype}: "
        f"{name}{index_words(at)} is {e.hand[at]:.6g}, the right value {e.reference[at]:.6g}; "
        "the formula loses them to rounding"
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
    return set_aside(found, dict.fromkeys(blind, UNINFORMATIVE))


def leave_out_what_has_no_bound(found: Judgement) -> Judgement:
    """A special case in which rounding itself may overflow or leave a domain (log of 1 - p + 1e-7) says nothing."""
    if not found.trial.optional:
        return found
    unbounded = [
        t
        for t in found.report.tensors
        if t.verdict is Verdict.UNRESOLVED and not np.isfinite(found.evidence[t.name].bound).all()
    ]
    return set_aside(found, {t.name: f"not judged, {t.why}" for t in unbounded})


def set_aside(found: Judgement, reasons: Mapping[str, str]) -> Judgement:
    """These tensors UNRESOLVED, each with its reason; in a special case they are left out with a note."""
    if not found.trial.optional:
        return leave_tensors_open(found, reasons)
    kept = tuple(t for t in found.report.tensors if t.name not in reasons)
    rest = replace(found, report=replace(found.report, tensors=kept))
    return rest.noted(*(f"{name}: {words}" for name, words in reasons.items()))


VERDICT_RULES: tuple[Callable[[Judgement], Judgement], ...] = (
    bound_by_balls,
    bound_by_noise,
    find_the_rung,
    add_the_noise_of_the_reference,
    allow_zeros_below_rounding,
    allow_lost_digits_without_a_reference,
    compare_the_forward_pass_first,
    take_a_missing_gradient_for_zero,
    leave_a_missing_gradient_open,
    ask_a_difference_quotient,
    leave_out_what_has_no_bound,
    refuse_a_bound_that_zeros_pass,
    leave_open_what_has_no_digit_left,
)
