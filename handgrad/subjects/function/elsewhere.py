"""The code at other inputs of the same shapes: there shows what it kept from the first ones, or is right for alone."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from handgrad.arrays.precision import like, to64
from handgrad.judge.compare import TensorReport, index_words
from handgrad.judge.contracts import no_stale_cache
from handgrad.judge.isolation import attempt, contents, duplicate
from handgrad.judge.judgement import Judgement
from handgrad.judge.promises import Contract, Promise
from handgrad.judge.stage import Arrays
from handgrad.judge.trial import Trial
from handgrad.judge.verdict import Verdict
from handgrad.subjects.function.calling import Code
from handgrad.subjects.function.case import Case, Kind, Tried, run, try_case
from handgrad.subjects.function.reference import Reference

KEEPS = "keeps state between calls"


def other_inputs(trial: Trial) -> Iterator[tuple[str, Arrays]]:
    """The inputs nearer to zero, and with their rows or columns in another order, each with its name.

    An input without a gradient (a target, a mask) is a constant and stays as it is.
    """
    rng = np.random.default_rng(trial.seed)
    moved = {n: a for n, a in trial.exact.items() if f"d{n}" not in trial.missing and trial.reference[f"d{n}"].any()}
    ways = {
        "nearer to zero": {n: a * rng.uniform(0.5, 1) for n, a in moved.items()},
        "rows in another order": {n: np.roll(a, 1, axis=0) for n, a in moved.items() if a.ndim},
        "columns in another order": {n: np.roll(a, 1, axis=-1) for n, a in moved.items() if a.ndim},
    }
    for name, new in ways.items():
        if any(not np.array_equal(a, trial.exact[n]) for n, a in new.items()):
            yield name, {**trial.inputs, **{n: like(a, trial.inputs[n]) for n, a in new.items()}}


def keeps_own_cache(trial: Trial, others: Iterator[tuple[str, Arrays]]) -> Contract:
    """The check of the cache. Code that keeps something outside it may give a wrong result, or raise.

    Inputs that forward refuses say nothing: they are the judge's own, and may be outside its domain.
    """
    assert trial.stage.halves is not None
    for _, other in others:
        if attempt(trial.stage.halves.forward, duplicate(other)).error is not None:
            continue
        found = attempt(no_stale_cache, trial, other)
        words = f"after another forward pass it raises {type(found.error).__name__}: something is kept outside it"
        return found.value or Contract(Promise.OWN_CACHE, False, words)
    return Contract(Promise.OWN_CACHE, None, "forward takes no other inputs")


def try_elsewhere(
    code: Code, reference: Reference, found: Judgement, rng: np.random.Generator
) -> tuple[Contract, Tried | None]:
    """Forward and backward at other inputs after these; and where they are wrong at all of them, the first to show.

    Code that is right for some numbers only (for positive ones, say) may fail at one of them, and the special inputs
    show that. What is kept from the first inputs comes back bit for bit; anything else is a mistake in the values.
    """
    wrong: list[Tried] = []
    for name, inputs in other_inputs(found.trial):
        tried = try_case(code, reference, Case(name, inputs, Kind.SPECIAL), rng, found.trial.slack)
        if tried.row is not None and tried.row.isolated.verdict is not Verdict.REFUTED:
            return Contract(Promise.ELSEWHERE, True), None
        wrong += [] if tried.row is None else [tried]
    if not wrong:
        return Contract(Promise.ELSEWHERE, None), None
    if stale := list_stale(code, found.trial, wrong[0]):
        words = f"{KEEPS}: {', '.join(stale)} wrong there, so something is kept from these inputs, or made for them"
        return Contract(Promise.ELSEWHERE, False, words), None
    return Contract(Promise.ELSEWHERE, None), replace(wrong[0], notes=(*wrong[0].notes, describe(wrong[0])))


def list_stale(code: Code, trial: Trial, wrong: Tried) -> list[str]:
    """The wrong tensors that are, bit for bit, those of the trial's own inputs."""
    first, there = (run(code, inputs, trial.dy).hand for inputs in (trial.inputs, wrong.case.inputs))
    names = [t.name for t in refuted(wrong)]
    return [n for n in names if n in first and n in there and contents(first[n]) == contents(there[n])]


def describe(wrong: Tried) -> str:
    """In words: that the first inputs are right, and what is at the worst entry of the others."""
    t, inputs = refuted(wrong)[0], wrong.case.inputs
    shown = {n: to64(a)[t.index] for n, a in inputs.items() if np.shape(a) == t.shape and n == t.name[1:]}
    there = "".join(f", there {n}{index_words(t.index)} is {value:.9g}" for n, value in shown.items())
    return f"right at the first inputs, wrong at other inputs ({wrong.case.name}){there}"


def refuted(tried: Tried) -> tuple[TensorReport, ...]:
    """The wrong tensors of a case."""
    tensors = tried.row.isolated.tensors if tried.row else ()
    return tuple(t for t in tensors if t.verdict is Verdict.REFUTED)
