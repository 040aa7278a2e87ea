"""Whether a mistake gives what the code gave, entry by entry, and how many bits that says."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from handgrad.explain.failed_trial import ABSENT, Case, Mistake
from handgrad.judge.compare import Evidence, Float

SAMPLE = 4096


@dataclass(frozen=True, eq=False)
class Fit:
    """A mistake, and the failing tensors that are what it gives: each with its worst share of the bound, and bits."""

    mistake: Mistake
    worst: Mapping[str, float]
    said: Mapping[str, float]


def compare(case: Case, mistake: Mistake) -> Fit:
    """The failing tensors that the mistake reproduces, or that are right with the mistake undone."""
    worst: dict[str, float] = {}
    said: dict[str, float] = {}
    for name in case.failing:
        e, m = case.evidence[name], mistake
        if name in case.absent:
            if m.name == ABSENT:
                worst[name], said[name] = 0.0, np.inf
        elif name in m.tensors:
            own = replace(e, bound=m.bound.get(name, e.bound))
            fit = agreement(own, m.tensors[name], case.relative[name], m.gain, m.freedom, first=not case.fresh)
            if fit is not None:
                worst[name], said[name] = fit
        elif name in m.undone and passes(case, m, name):
            worst[name], said[name] = 0.0, np.inf
    return Fit(mistake, worst, said)


def agreement(
    e: Evidence, wrong: Float, relative: float, gain: float = 1.0, freedom: int = 0, *, first: bool = True
) -> tuple[float, float] | None:
    """Where all entries are what the mistake gives: the largest |hand - wrong| / allowed, and how many bits that says.

    None where they are not or, on the first draw, where the mistake's result may be the right one. The bound is what
    rounding does to the given code itself; to it comes, for the mistaken numbers computed here along another way, the
    tensor's usual relative bound.
    """
    if e.hand.shape != wrong.shape:
        return None
    bound = e.bound if e.bound.shape == e.hand.shape else np.full(e.hand.shape, np.inf)
    right = e.reference if e.hand.shape == e.reference.shape else np.zeros(e.hand.shape)  # of another shape: none
    if _undecided(e.hand, right, bound):
        return None
    whole = (e.hand, wrong, right, bound)
    some = slice(None, None, 1 + e.hand.size // SAMPLE)  # most mistakes are off everywhere: a few entries say so
    for hand, mistaken, truth, size in ((a.reshape(-1)[some] for a in whole), whole):
        if not _inside(hand, mistaken, truth, size, relative, gain):
            return None
    judged = np.isfinite(bound) & np.isfinite(right)
    allowed = gain * bound + relative * np.abs(wrong)
    if first and not np.any(judged & (np.abs(wrong - right) > bound + allowed)):
        return None
    difference = np.abs(e.hand - wrong)
    share = float(np.max(np.where(judged & (difference > 0), difference / allowed, 0.0), initial=0.0))
    return share, bits(np.abs(e.hand - right), allowed, judged, freedom)


def _undecided(hand: Float, right: Float, bound: Float) -> bool:
    """Whether a bound is as large as the tensor: it holds two branches of the code, and any number agrees with it."""
    sizes = np.abs(np.stack([hand, right]))
    largest = np.max(sizes, initial=0.0, where=np.isfinite(sizes))
    return bool(np.any(np.isfinite(bound) & (bound > largest / 2)))


def _inside(hand: Float, wrong: Float, right: Float, bound: Float, relative: float, gain: float) -> bool:
    """Every entry within its bound of the mistaken result; entries without a bound or a right value do not count."""
    near = np.abs(hand - wrong) <= gain * bound + relative * np.abs(wrong)
    return bool(np.all(near | ~(np.isfinite(bound) & np.isfinite(right))))


def bits(error: Float, allowed: Float, judged: Any, freedom: int) -> float:
    """How much the agreement says: one bit for each entry that is off by twice what rounding allows, or more.

    An entry does not agree by itself: where a part of the formula is the mistake's, or where a mask leaves a zero, only
    the choice between this and that is by chance. freedom: how many entries a number was read off; they say nothing.
    """
    return float(max(0, np.sum(judged & (error > 0) & (error >= 2 * allowed)) - freedom))


def passes(case: Case, mistake: Mistake, name: str) -> bool:
    """Whether the undone result is inside its bound, which undoing may have made larger."""
    e, undone = case.evidence[name], mistake.undone[name]
    bound = mistake.bound.get(name, e.bound)
    if not undone.shape == e.reference.shape == bound.shape:
        return False
    allowed = mistake.undone_gain * (bound + case.relative[name] * np.abs(e.reference))
    judged = np.isfinite(bound)
    return bool(judged.any() and np.all((np.abs(undone - e.reference) <= allowed) | ~judged))
