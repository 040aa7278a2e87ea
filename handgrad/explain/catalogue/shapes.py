"""Results of a wrong shape: the right values, with one reduction too few or too many, or another way round."""

from collections.abc import Callable, Iterator

import numpy as np

from handgrad.arrays.arithmetic import EPS
from handgrad.explain.catalogue.mistake import Mistake, Rounding, Undo
from handgrad.explain.recognise.failed_trial import PARAMETER, FailedTrial
from handgrad.judge.compare import Float

MEANS: dict[str, Callable[..., Float]] = {"sum": np.sum, "mean": np.mean}


def shapes(trial: FailedTrial) -> Iterator[Mistake]:
    """Each failing tensor of a wrong shape, with both shapes in words."""
    for k in trial.failing:
        if trial.hand[k].shape != trial.right[k].shape and k not in trial.absent:
            head = f"{k} has shape {trial.hand[k].shape}, expected {trial.right[k].shape}: "
            for source in (rearranged, not_reduced, reduced):
                yield from source(trial, k, head)


def rearranged(trial: FailedTrial, k: str, head: str) -> Iterator[Mistake]:
    """The same numbers, none added up."""
    hand, S = trial.hand[k], trial.right[k]
    if S.ndim == 2 and hand.shape == S.shape[::-1]:
        why = f"{head}rows and columns are exchanged."
        yield undo_by(trial, k, "the gradient is transposed", why, "transposing it back", np.transpose)
    elif hand.size == S.size:
        why = f"{head}the same numbers, which broadcasting would misplace."
        yield undo_by(trial, k, "right values in another shape", why, f"reshaping to {S.shape}", lambda a: a)


def not_reduced(trial: FailedTrial, k: str, head: str) -> Iterator[Mistake]:
    """An axis is left over that belongs summed or averaged."""
    hand, S = trial.hand[k], trial.right[k]
    for axis, length in enumerate(hand.shape):
        single = length == 1 == trial.N and axis == 0 and hand.ndim > S.ndim  # at batch 1 nothing else tells
        if hand.size == S.size * length and (length > 1 or single):
            own = trial.N in S.shape and not PARAMETER.fullmatch(k[1:])  # it keeps the batch: another axis is left over
            what = "over the batch" if length == trial.N and not own else f"along axis {axis}"
            what += ", which was broadcast" if own else ""
            for word, op in [*MEANS.items()][: 1 if single else 2]:
                why = f"{head}one gradient for each entry of axis {axis}, where their {word} belongs."
                undoing = f"the {word} along axis {axis}"
                yield undo_by(trial, k, f"the gradient is not reduced {what}", why, undoing, along(op, axis))


def reduced(trial: FailedTrial, k: str, head: str) -> Iterator[Mistake]:
    """An axis is summed or averaged that belongs kept."""
    hand, S, bound = trial.hand[k], trial.right[k], trial.evidence[k].bound
    for axis in range(S.ndim):
        for word, op in MEANS.items():
            less = op(S, axis=axis)
            if less.size == hand.size != S.size:
                samples = axis == 0 and S.shape[0] == trial.N and k == f"d{trial.x_name}"  # a parameter has none
                units = trial.dy.ndim == 2 and S.shape == trial.dy.shape[1:] and not samples
                what = "the batch" if samples else "the units as well" if units else f"axis {axis}"
                known = bound if bound.shape == hand.shape else np.sum(bound, axis=axis).reshape(hand.shape)
                yield Mistake(
                    f"the gradient is the {word} over {what}" + ("" if units else " where none belongs"),
                    f"{head}every entry along axis {axis} has a gradient of its own.",
                    {k: less.reshape(hand.shape)},
                    rounding=Rounding(bound={k: known}),
                )


def along(op: Callable[..., Float], axis: int) -> Callable[[Float], Float]:
    return lambda a: op(a, axis=axis)


def undo_by(trial: FailedTrial, k: str, name: str, why: str, by: str, op: Callable[[Float], Float]) -> Mistake:
    """The mistake that op undoes; the bound goes the same way, and float64 sums round a little themselves."""
    e = trial.evidence[k]
    bound = op(e.bound) if e.bound.shape == e.hand.shape else e.bound
    bound = bound.reshape(e.reference.shape) + e.hand.size * EPS * op(np.abs(e.hand)).reshape(e.reference.shape)
    undo = Undo(by, {k: op(e.hand).reshape(e.reference.shape)})
    return Mistake(name, why, {}, undo, rounding=Rounding(bound={k: bound}))


SHAPES = (shapes,)
