"""Name the mistake: the failing stage's result against the same stage under every mistake of the catalogue.

A name is given only where every entry of every failing tensor is what that mistake gives, where that is not the right
result as well, and where the same holds on fresh draws until it is no coincidence. A wrong name is worse than none:
where several names fit, all are given; where none fits, the error is described.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Any

import numpy as np

from handgrad.explain.axes import has_samples_in_rows, name_axes_by_place
from handgrad.explain.catalogue import CATALOGUE, Source
from handgrad.explain.catalogue.mistake import ABSENT
from handgrad.explain.describe import describe
from handgrad.explain.fresh_draws import draw
from handgrad.explain.match import Fit, compare, undone_is_right
from handgrad.explain.recognise.failed_trial import FailedTrial, equation
from handgrad.judge.compare import Evidence
from handgrad.judge.constants import COINCIDENCE_BITS, FEWEST_DRAWS
from handgrad.judge.isolation import attempt
from handgrad.judge.trial import Trial


@dataclass(frozen=True)
class Diagnosis:
    """What the mistake is. known: every entry of every failing tensor is explained by the name.

    Where it has no name, `name` is empty and `explanation` tells what is known of the error.
    """

    name: str
    tensor: str
    explanation: str
    equation: str | None
    proof: str
    known: bool

    @property
    def words(self) -> str:
        """The name with its reason and its proof; without a name, the error described."""
        if not self.known:
            belongs = f" What belongs there is eq. {self.equation}." if self.equation else ""
            return self.explanation + belongs
        equation = f" (eq. {self.equation})" if self.equation else ""
        return f"{self.name}{equation}. {self.explanation} {self.proof}".rstrip()


def diagnose(trial: Trial, evidence: Mapping[str, Evidence]) -> Diagnosis | None:
    """The mistake behind the tensors outside their bound; None where there are none.

    One mistake that explains all failing tensors is preferred to one for each.
    """
    stage, absent = trial.stage, tuple(name for name, e in evidence.items() if is_absent(trial, name, e))
    failed = FailedTrial(stage, trial.exact, trial.dy64, evidence, absent, trial.arithmetic.tiny)
    if not failed.failing:
        return None
    with np.errstate(all="ignore"):
        fits = confirm(find_fits(failed, CATALOGUE), draw(failed, trial.inputs, trial.dy))
        groups = group(failed.failing, fits)
        if groups is None:
            again = list(islice(draw(failed, trial.inputs, trial.dy), FEWEST_DRAWS))
            return without_name(failed, fits, again)
        texts: list[Sequence[str]] = [
            describe_group(failed, tensors, chosen, alone=len(groups) == 1) for tensors, chosen in groups
        ]
        if not attempt(has_samples_in_rows, failed).value:
            texts = [[name_axes_by_place(words) for words in text] for text in texts]
    first = groups[0][0][0]
    names, explanations, proofs = (tuple(dict.fromkeys(column)) for column in zip(*texts, strict=True))
    return Diagnosis(
        "; ".join(names),
        ", ".join(failed.failing),
        " ".join(explanations),
        equation(stage.subject, stage.constants, first),
        " ".join(proofs),
        known=True,
    )


def find_fits(trial: FailedTrial, catalogue: Iterable[Source]) -> dict[Source, list[Fit]]:
    """Every mistake that explains a tensor, under the source that it comes from."""
    # Numbers that a source did not foresee cost its names, never the verdict.
    found = {source: attempt(fits_of, source, trial).value or [] for source in catalogue}
    return {source: fits for source, fits in found.items() if fits}


def fits_of(source: Source, trial: FailedTrial) -> list[Fit]:
    """The mistakes of one source that explain a tensor."""
    return [fit for mistake in source(trial) if (fit := compare(trial, mistake)).worst]


def confirm(found: Mapping[Source, Sequence[Fit]], fresh: Iterator[FailedTrial]) -> list[Fit]:
    """Those that hold on every fresh draw, until the draws agree with each of them in COINCIDENCE_BITS bits.

    The first draw counts for nothing: numbers, rows and places were read off it.
    """
    fits = list(chain.from_iterable(found.values()))
    bits = dict.fromkeys((f.mistake.key for f in fits), 0.0)
    for count, trial in enumerate(fresh if fits else ()):
        held: dict[Any, dict[str, float]] = {}
        for f in chain.from_iterable(find_fits(trial, found).values()):
            held.setdefault(f.mistake.key, {}).update(f.bits)
        kept = ({k: v for k, v in f.worst.items() if k in held.get(f.mistake.key, {})} for f in fits)
        fits = [replace(f, worst=worst) for f, worst in zip(fits, kept, strict=True) if worst]
        for key in {f.mistake.key for f in fits}:
            bits[key] += sum(held[key].values())
        if not fits or (count + 1 >= FEWEST_DRAWS and all(bits[f.mistake.key] >= COINCIDENCE_BITS for f in fits)):
            break
    return [f for f in fits if bits[f.mistake.key] >= COINCIDENCE_BITS]


def is_absent(trial: Trial, name: str, e: Evidence) -> bool:
    """Whether the code gives no such gradient, rather than one full of nan."""
    return bool(np.isnan(e.hand).all()) and name in trial.missing


def group(failing: Sequence[str], found: Sequence[Fit]) -> list[tuple[tuple[str, ...], list[Fit]]] | None:
    """Which mistakes explain which tensors: all by one if that can be, else few groups; None if some are left."""
    left, groups = list(failing), []
    while left:
        size = max((len(set(left) & set(f.worst)) for f in found), default=0)
        if size == 0:
            return None
        best = [f for f in found if len(set(left) & set(f.worst)) == size]
        tensors = tuple(t for t in left if t in best[0].worst)
        same = [f for f in best if set(tensors) <= set(f.worst)]
        chosen = [f for f in same if not f.mistake.fitted.vague] or same
        groups.append((tensors, chosen))
        left = [t for t in left if t not in tensors]
    return groups


def describe_group(
    trial: FailedTrial, tensors: Sequence[str], chosen: Sequence[Fit], *, alone: bool
) -> tuple[str, str, str]:
    """Name, explanation and proof; all names that fit, where several do."""
    unique = {f.mistake.name: f.mistake for f in chosen}
    where = "" if alone else f"{', '.join(tensors)}: "
    also = " (on these numbers they cannot be told apart)" if len(unique) > 1 else ""
    name = where + " or ".join(unique) + also
    explanation = where + " Or: ".join(m.why for m in unique.values())
    return name, explanation, where + prove(trial, tensors, chosen[0])


def prove(trial: FailedTrial, tensors: Sequence[str], fit: Fit) -> str:
    """The mistake undone where it can be; else the statement that its formula gives every entry."""
    m, worst = fit.mistake, max(fit.worst[t] for t in tensors)
    if m.undo is not None and all(undone_is_right(trial, m, t) for t in tensors):
        return f"Undone: {m.undo.by} puts every entry of {', '.join(tensors)} inside its bound."
    count = sum(trial.hand[t].size for t in tensors)
    return (
        f"The mistaken formula gives every one of the {count} entries of {', '.join(tensors)} "
        f"(at most {worst:.2g} of what rounding allows)."
    )


def without_name(trial: FailedTrial, found: Sequence[Fit], fresh: Sequence[FailedTrial]) -> Diagnosis:
    """The error of the tensor that is furthest outside, described."""
    name = max(trial.failing, key=lambda t: int(trial.evidence[t].outside.sum()))
    others = [f for f in found if f.mistake.name != ABSENT]  # what is absent is said where it is listed
    named = {t: f.mistake.name for f in others for t in f.worst if t != name}
    also = "".join(f" {t} by itself: {words}." for t, words in named.items())
    text = describe(name, trial, fresh) + also
    tag = equation(trial.stage.subject, trial.stage.constants, name)
    return Diagnosis("", ", ".join(trial.failing), text, tag, "", known=False)
