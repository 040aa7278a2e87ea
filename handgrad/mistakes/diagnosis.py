"""Name the mistake: the failing stage's result against the same stage under every mistake of the catalogue.

A name is given only where every entry of every failing tensor is what that mistake gives, and where that is not the
right result as well. A wrong name is worse than none: all names that fit are told, and what fits none is described.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from handgrad.anyone.quiet import duplicate, quiet
from handgrad.arrays.arithmetic import Arithmetic
from handgrad.certificate import Evidence, Float, stage_bounds
from handgrad.mistakes.case import ABSENT, Case, Mistake, equation, outside
from handgrad.mistakes.catalogue import CATALOGUE
from handgrad.mistakes.unexplained import describe
from handgrad.precision import dtype_name, to64
from handgrad.stage import Arrays, Stage

SAMPLE = 4096
COINCIDENCE = 20  # bits: among the 100 or so mistakes tried on one tensor, one in 10,000 wrong results fits by chance


@dataclass(frozen=True)
class Diagnosis:
    """What the mistake is. known: every entry of every failing tensor is explained by the name."""

    name: str
    tensor: str
    explanation: str
    equation: str | None
    proof: str
    known: bool


@dataclass(frozen=True, eq=False)
class Fit:
    """A mistake, and the failing tensors that are what it gives, each with its worst share of the bound."""

    mistake: Mistake
    worst: Mapping[str, float]


def diagnose(stage: Stage, inputs: Arrays, dy: Any, evidence: Mapping[str, Evidence]) -> Diagnosis | None:
    """The mistake behind the tensors outside their bound; None where there are none.

    One mistake that explains all failing tensors is preferred to one for each.
    """
    judged = measured(stage, inputs, dy, evidence)
    absent = tuple(name for name, e in evidence.items() if _all_nan(e.hand) and _not_given(stage, inputs, dy, name))
    tiny = Arithmetic.of(dtype_name(dy)).tiny
    case = Case(stage, {key: to64(value) for key, value in inputs.items()}, to64(dy), judged, absent, tiny)
    if not case.failing:
        return None
    with np.errstate(all="ignore"):
        fits = list(fitting(case))
        groups = explain(case.failing, fits)
        if groups is None:
            return unknown(case, fits)
        texts = [told(case, tensors, chosen, alone=len(groups) == 1) for tensors, chosen in groups]
    first = groups[0][0][0]
    names, explanations, proofs = (tuple(dict.fromkeys(column)) for column in zip(*texts, strict=True))
    return Diagnosis(
        "; ".join(names),
        ", ".join(case.failing),
        " ".join(explanations),
        equation(stage.subject, stage.constants, first),
        " ".join(proofs),
        known=True,
    )


def fitting(case: Case) -> Iterator[Fit]:
    """Every mistake of the catalogue that explains a tensor."""
    for source in CATALOGUE:
        try:
            yield from [fit for mistake in source(case) if (fit := compare(case, mistake)).worst]
        except Exception:  # numbers that a source did not foresee cost its names, never the verdict
            continue


def measured(stage: Stage, inputs: Arrays, dy: Any, evidence: Mapping[str, Evidence]) -> dict[str, Evidence]:
    """The evidence, with the bound of the given result itself where that has another shape than the right one."""
    odd = [k for k, e in evidence.items() if e.hand.shape != e.reference.shape and not np.isfinite(e.bound).any()]
    if not odd:
        return dict(evidence)
    exact, dy64 = {key: to64(value) for key, value in inputs.items()}, to64(dy)
    S = {k: e.reference for k, e in evidence.items()}
    try:
        bounds = stage_bounds(stage, exact, dy64, dtype_name(dy), 1.0, S)
    except Exception:  # code that balls cannot enter: these tensors stay without a bound and without a name
        return dict(evidence)
    return {k: replace(e, bound=bounds[k]) if k in odd else e for k, e in evidence.items()}


def _all_nan(a: Float) -> bool:
    return bool(np.isnan(a).all())


def _not_given(stage: Stage, inputs: Arrays, dy: Any, name: str) -> bool:
    """Whether the code gives no such gradient, rather than one full of nan."""
    try:
        with quiet():
            return stage.hand(duplicate(inputs), duplicate(dy)).get(name) is None
    except Exception:  # it ran for the evidence, and does not any more: nothing can be said
        return False


def compare(case: Case, mistake: Mistake) -> Fit:
    """The failing tensors that the mistake reproduces, or that are right with the mistake undone."""
    worst: dict[str, float] = {}
    said = 0.0
    for name in case.failing:
        e, m = case.evidence[name], mistake
        if name in case.absent:
            if m.name == ABSENT:
                worst[name], said = 0.0, np.inf
        elif name in m.tensors:
            own = replace(e, bound=m.bound.get(name, e.bound))
            fit = agreement(own, m.tensors[name], case.relative[name], m.gain, m.freedom)
            if fit is not None:
                worst[name], said = fit[0], said + fit[1]
        elif name in m.undone and passes(case, m, name):
            worst[name], said = 0.0, np.inf
    return Fit(mistake, worst if said >= COINCIDENCE else {})


def agreement(
    e: Evidence, wrong: Float, relative: float, gain: float = 1.0, freedom: int = 0
) -> tuple[float, float] | None:
    """Where all entries are what the mistake gives: the largest |hand - wrong| / allowed, and how many bits that says.

    None where they are not, or where the mistake's result may be the right one. The bound is what rounding does to the
    given code itself; to it comes, for the mistaken numbers computed here along another way, the tensor's usual
    relative bound.
    """
    if e.hand.shape != wrong.shape:
        return None
    bound = e.bound if e.bound.shape == e.hand.shape else np.full(e.hand.shape, np.inf)
    right = e.reference if e.hand.shape == e.reference.shape else np.zeros(e.hand.shape)  # of another shape: none
    whole = (e.hand, wrong, right, bound)
    some = slice(None, None, 1 + e.hand.size // SAMPLE)  # most mistakes are off everywhere: a few entries say so
    for hand, mistaken, truth, size in ((a.reshape(-1)[some] for a in whole), whole):
        if not _inside(hand, mistaken, truth, size, relative, gain):
            return None
    judged = np.isfinite(bound) & np.isfinite(right)
    allowed = gain * bound + relative * np.abs(wrong)
    if not np.any(judged & (np.abs(wrong - right) > bound + allowed)):
        return None
    difference = np.abs(e.hand - wrong)
    share = float(np.max(np.where(judged & (difference > 0), difference / allowed, 0.0), initial=0.0))
    return share, bits(np.abs(e.hand - right), allowed, judged, freedom)


def _inside(hand: Float, wrong: Float, right: Float, bound: Float, relative: float, gain: float) -> bool:
    """Every entry within its bound of the mistaken result; entries without a bound or a right value do not count."""
    near = np.abs(hand - wrong) <= gain * bound + relative * np.abs(wrong)
    return bool(np.all(near | ~(np.isfinite(bound) & np.isfinite(right))))


def bits(error: Float, allowed: Float, judged: Any, freedom: int) -> float:
    """How much the agreement says: the sum of log2(|hand - right| / allowed), without the `freedom` largest terms.

    An error that only happens to have its size would agree with one given mistake with probability 2^-bits.
    """
    ratio = np.where(judged & (error > allowed), error / np.where(allowed > 0, allowed, np.finfo(float).tiny), 1.0)
    terms = np.minimum(np.log2(ratio), 53.0).reshape(-1)
    return float(terms.sum() - (np.sort(terms)[-freedom:].sum() if freedom else 0.0))


def explain(failing: Sequence[str], found: Sequence[Fit]) -> list[tuple[tuple[str, ...], list[Fit]]] | None:
    """Which mistakes explain which tensors: all by one if that can be, else few groups; None if some are left."""
    left, groups = list(failing), []
    while left:
        size = max((len(set(left) & set(f.worst)) for f in found), default=0)
        if size == 0:
            return None
        best = [f for f in found if len(set(left) & set(f.worst)) == size]
        tensors = tuple(t for t in left if t in best[0].worst)
        same = [f for f in best if set(tensors) <= set(f.worst)]
        chosen = [f for f in same if f.mistake.specific] or same
        groups.append((tensors, chosen))
        left = [t for t in left if t not in tensors]
    return groups


def told(case: Case, tensors: Sequence[str], chosen: Sequence[Fit], *, alone: bool) -> tuple[str, str, str]:
    """Name, explanation and proof; all names that fit, where several do."""
    unique = {f.mistake.name: f.mistake for f in chosen}
    where = "" if alone else f"{', '.join(tensors)}: "
    also = " (on these numbers they cannot be told apart)" if len(unique) > 1 else ""
    name = where + " or ".join(unique) + also
    explanation = where + " Or: ".join(m.explanation for m in unique.values())
    return name, explanation, where + proof(case, tensors, chosen[0])


def proof(case: Case, tensors: Sequence[str], fit: Fit) -> str:
    """The mistake undone where it can be; else the statement that its formula gives every entry."""
    m, worst = fit.mistake, max(fit.worst[t] for t in tensors)
    if all(t in m.undone and passes(case, m, t) for t in tensors):
        return f"Undone: {m.undoing} puts every entry of {', '.join(tensors)} inside its bound."
    count = sum(case.hand[t].size for t in tensors)
    return (
        f"The mistaken formula gives every one of the {count} entries of {', '.join(tensors)} "
        f"(at most {worst:.2g} of what rounding allows)."
    )


def passes(case: Case, mistake: Mistake, name: str) -> bool:
    """Whether the undone result is inside its bound, which undoing may have made larger."""
    e, undone = case.evidence[name], mistake.undone[name]
    bound = mistake.bound.get(name, e.bound)
    if not undone.shape == e.reference.shape == bound.shape:
        return False
    allowed = mistake.undone_gain * (bound + case.relative[name] * np.abs(e.reference))
    judged = np.isfinite(bound)
    return bool(judged.any() and np.all((np.abs(undone - e.reference) <= allowed) | ~judged))


def unknown(case: Case, found: Sequence[Fit]) -> Diagnosis:
    """No name: what can be said about the error of the tensor that is furthest outside."""
    name = max(case.failing, key=lambda t: int(outside(case.evidence[t]).sum()))
    named = {t: f.mistake.name for f in found for t in f.worst if t != name}
    also = "".join(f" {t} alone fits: {words}." for t, words in named.items())
    text = describe(name, case.evidence[name]) + also
    tag = equation(case.stage.subject, case.stage.constants, name)
    return Diagnosis("unknown mistake", ", ".join(case.failing), text, tag, "", known=False)
