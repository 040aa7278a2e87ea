"""Name the mistake: the failing stage's result against the same stage under every mistake of the catalogue.

A name is given only where every entry of every failing tensor is what that mistake gives, where that is not the right
result as well, and where the same holds on fresh draws until it is no coincidence. A wrong name is worse than none: all
names that fit are told, and what fits none is described.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from handgrad.arrays.arithmetic import Arithmetic
from handgrad.arrays.precision import dtype_name, to64
from handgrad.explain.catalogue import CATALOGUE
from handgrad.explain.describe import describe
from handgrad.explain.failed_trial import Case, equation, outside
from handgrad.explain.fresh_draws import FEWEST_DRAWS, draws
from handgrad.explain.match import Fit, compare, passes
from handgrad.judge.compare import Evidence, Float
from handgrad.judge.isolation import duplicate, quiet
from handgrad.judge.stage import Arrays, Stage

COINCIDENCE = 20  # bits: of the 100 or so mistakes tried on one tensor, one in 10,000 wrong results fits by chance


@dataclass(frozen=True)
class Diagnosis:
    """What the mistake is. known: every entry of every failing tensor is explained by the name."""

    name: str
    tensor: str
    explanation: str
    equation: str | None
    proof: str
    known: bool


def diagnose(stage: Stage, inputs: Arrays, dy: Any, evidence: Mapping[str, Evidence]) -> Diagnosis | None:
    """The mistake behind the tensors outside their bound; None where there are none.

    One mistake that explains all failing tensors is preferred to one for each.
    """
    absent = tuple(name for name, e in evidence.items() if _all_nan(e.hand) and _not_given(stage, inputs, dy, name))
    tiny = Arithmetic.of(dtype_name(dy)).tiny
    case = Case(stage, {key: to64(value) for key, value in inputs.items()}, to64(dy), evidence, absent, tiny)
    if not case.failing:
        return None
    with np.errstate(all="ignore"):
        fits = confirmed(list(fitting(case)), draws(case, inputs, dy))
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


def confirmed(fits: Sequence[Fit], fresh: Iterator[Case]) -> list[Fit]:
    """Those that hold on every fresh draw, which says COINCIDENCE bits for each of them.

    The first draw says nothing: numbers, rows and places were read off it.
    """
    said = dict.fromkeys((f.mistake.key for f in fits), 0.0)
    for count, case in enumerate(fresh if fits else ()):
        held: dict[Any, dict[str, float]] = {}
        for f in fitting(case):
            held.setdefault(f.mistake.key, {}).update(f.said)
        kept = ({k: v for k, v in f.worst.items() if k in held.get(f.mistake.key, {})} for f in fits)
        fits = [replace(f, worst=worst) for f, worst in zip(fits, kept, strict=True) if worst]
        for key in {f.mistake.key for f in fits}:
            said[key] += sum(held[key].values())
        if not fits or (count + 1 >= FEWEST_DRAWS and all(said[f.mistake.key] >= COINCIDENCE for f in fits)):
            break
    return [f for f in fits if said[f.mistake.key] >= COINCIDENCE]


def _all_nan(a: Float) -> bool:
    return bool(np.isnan(a).all())


def _not_given(stage: Stage, inputs: Arrays, dy: Any, name: str) -> bool:
    """Whether the code gives no such gradient, rather than one full of nan."""
    try:
        with quiet():
            return stage.hand(duplicate(inputs), duplicate(dy)).get(name) is None
    except Exception:  # it ran for the evidence, and does not any more: nothing can be said
        return False


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


def unknown(case: Case, found: Sequence[Fit]) -> Diagnosis:
    """No name: what can be said about the error of the tensor that is furthest outside."""
    name = max(case.failing, key=lambda t: int(outside(case.evidence[t]).sum()))
    named = {t: f.mistake.name for f in found for t in f.worst if t != name}
    also = "".join(f" {t} alone fits: {words}." for t, words in named.items())
    text = describe(name, case.evidence[name]) + also
    tag = equation(case.stage.subject, case.stage.constants, name)
    return Diagnosis("unknown mistake", ", ".join(case.failing), text, tag, "", known=False)
