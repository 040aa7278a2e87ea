"""Whether a mistake gives what the code gave, entry by entry, and how many bits of agreement that is."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from handgrad.explain.catalogue.mistake import ABSENT, Mistake
from handgrad.explain.recognise.failed_trial import FailedTrial
from handgrad.judge.compare import Evidence, Float

SAMPLE = 4096  # entries looked at first; speed alone, for all of them are looked at where these agree


@dataclass(frozen=True, eq=False)
class Fit:
    """A mistake and the failing tensors that it explains: per tensor the worst |difference| / allowed, and the bits."""

    mistake: Mistake
    worst: Mapping[str, float]
    bits: Mapping[str, float]


def compare(trial: FailedTrial, mistake: Mistake) -> Fit:
    """The failing tensors that are what the mistake gives, or that are right once the mistake is undone."""
    worst: dict[str, float] = {}
    bits: dict[str, float] = {}
    for name in trial.failing:
        found = explain_tensor(trial, mistake, name)
        if found is not None:
            worst[name], bits[name] = found
    return Fit(mistake, worst, bits)


def explain_tensor(trial: FailedTrial, mistake: Mistake, name: str) -> tuple[float, float] | None:
    """The worst share and the bits of one tensor; None where the mistake does not explain it."""
    if name in trial.absent:
        return (0.0, np.inf) if mistake.name == ABSENT else None
    if name in mistake.tensors:
        e, rounding = trial.evidence[name], mistake.rounding
        e = replace(e, bound=rounding.bound.get(name, e.bound))
        return agree(
            e, mistake.tensors[name], trial.relative[name], rounding.gain, mistake.fitted.numbers, first=not trial.fresh
        )
    return (0.0, np.inf) if undone_is_right(trial, mistake, name) else None


def agree(
    e: Evidence, wrong: Float, relative: float, gain: float = 1.0, fitted: int = 0, *, first: bool = True
) -> tuple[float, float] | None:
    """Where every entry is what the mistake gives: the largest |hand - wrong| / allowed, and the bits of agreement.

    None where some entry is not or where, on the first draw, the mistake's result may be the right one. Allowed is the
    bound, which is the rounding of the given code, and the tensor's usual relative bound once more: the mistaken
    numbers are computed here, in another order of operations.
    """
    if e.hand.shape != wrong.shape:
        return None
    bound = e.bound if e.bound.shape == e.hand.shape else np.full(e.hand.shape, np.inf)
    right = e.reference if e.hand.shape == e.reference.shape else np.zeros(e.hand.shape)  # of another shape: none
    if covers_everything(e.hand, right, bound):
        return None
    whole = (e.hand, wrong, right, bound)
    some = slice(None, None, 1 + e.hand.size // SAMPLE)  # most mistakes are off everywhere, which a few entries show
    for hand, mistaken, truth, size in ((a.reshape(-1)[some] for a in whole), whole):
        if not all_inside(hand, mistaken, truth, size, relative, gain):
            return None
    judged = np.isfinite(bound) & np.isfinite(right)
    allowed = gain * bound + relative * np.abs(wrong)
    if first and not np.any(judged & (np.abs(wrong - right) > bound + allowed)):
        return None
    difference = np.abs(e.hand - wrong)
    share = float(np.max(np.where(judged & (difference > 0), difference / allowed, 0.0), initial=0.0))
    return share, count_bits(np.abs(e.hand - right), allowed, judged, fitted)


def covers_everything(hand: Float, right: Float, bound: Float) -> bool:
    """Whether the bound is as large as the tensor, as if it covers both branches of an if: then any number agrees."""
    sizes = np.abs(np.stack([hand, right]))
    largest = np.max(sizes, initial=0.0, where=np.isfinite(sizes))
    return bool(np.any(np.isfinite(bound) & (bound > largest / 2)))


def all_inside(hand: Float, wrong: Float, right: Float, bound: Float, relative: float, gain: float) -> bool:
    """Whether each entry is within rounding of the mistaken one; without a bound or a right value it does not count."""
    near = np.abs(hand - wrong) <= gain * bound + relative * np.abs(wrong)
    return bool(np.all(near | ~(np.isfinite(bound) & np.isfinite(right))))


def count_bits(error: Float, allowed: Float, judged: Any, fitted: int) -> float:
    """One bit for each entry that is off by at least twice what rounding allows, and yet is what the mistake gives.

    One bit and not the many digits that agree: of two formulas that share a factor, or where a mask leaves zeros, an
    entry only tells this from that. As many entries as numbers were fitted count for nothing.
    """
    return float(max(0, np.sum(judged & (error > 0) & (error >= 2 * allowed)) - fitted))


def undone_is_right(trial: FailedTrial, mistake: Mistake, name: str) -> bool:
    """Whether the given result is right with the mistake undone; undoing may have made its rounding larger."""
    if mistake.undo is None or name not in mistake.undo.tensors:
        return False
    e, undone = trial.evidence[name], mistake.undo.tensors[name]
    bound = mistake.rounding.bound.get(name, e.bound)
    if not undone.shape == e.reference.shape == bound.shape:
        return False
    allowed = mistake.undo.gain * (bound + trial.relative[name] * np.abs(e.reference))
    judged = np.isfinite(bound)
    return bool(judged.any() and np.all((np.abs(undone - e.reference) <= allowed) | ~judged))
