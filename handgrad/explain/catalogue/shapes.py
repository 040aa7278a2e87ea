"""Results of a wrong shape: the right values, with one reduction too few or too many, or another way round."""

from collections.abc import Callable, Iterator

import numpy as np

from handgrad.explain.failed_trial import EPS, PARAMETER, Case, Mistake
from handgrad.judge.compare import Float

MEANS: dict[str, Callable[..., Float]] = {"sum": np.sum, "mean": np.mean}


def shapes(case: Case) -> Iterator[Mistake]:
    """Each failing tensor of a wrong shape, told with both shapes."""
    for k in case.failing:
        if case.hand[k].shape != case.right[k].shape and k not in case.absent:
            head = f"{k} has shape {case.hand[k].shape}, expected {case.right[k].shape}: "
            for source in (rearranged, not_reduced, reduced):
                yield from source(case, k, head)


def rearranged(case: Case, k: str, head: str) -> Iterator[Mistake]:
    """The same numbers, none added up."""
    hand, S = case.hand[k], case.right[k]
    if S.ndim == 2 and hand.shape == S.shape[::-1]:
        why = f"{head}rows and columns are exchanged."
        yield _undone(case, k, "the gradient is transposed", why, "transposing it back", np.transpose)
    elif hand.size == S.size:
        why = f"{head}the same numbers, which broadcasting would misplace."
        yield _undone(case, k, "right values in another shape", why, f"reshaping to {S.shape}", lambda a: a)


def not_reduced(case: Case, k: str, head: str) -> Iterator[Mistake]:
    """An axis is left over that belongs summed or averaged."""
    hand, S = case.hand[k], case.right[k]
    for axis, length in enumerate(hand.shape):
        single = length == 1 == case.N and axis == 0 and hand.ndim > S.ndim  # at batch 1 nothing else tells
        if hand.size == S.size * length and (length > 1 or single):
            own = case.N in S.shape and not PARAMETER.fullmatch(k[1:])  # it keeps the batch: another axis is left over
            what = "over the batch" if length == case.N and not own else f"along axis {axis}"
            what += ", which was broadcast" if own else ""
            for word, op in [*MEANS.items()][: 1 if single else 2]:
                why = f"{head}one gradient for each entry of axis {axis}, where their {word} belongs."
                undoing = f"the {word} along axis {axis}"
                yield _undone(case, k, f"the gradient is not reduced {what}", why, undoing, _along(op, axis))


def reduced(case: Case, k: str, head: str) -> Iterator[Mistake]:
    """An axis is summed or averaged that belongs kept."""
    hand, S, bound = case.hand[k], case.right[k], case.evidence[k].bound
    for axis in range(S.ndim):
        for word, op in MEANS.items():
            less = op(S, axis=axis)
            if less.size == hand.size != S.size:
                samples = axis == 0 and S.shape[0] == case.N and k == f"d{case.x_name}"  # a parameter has none
                units = case.dy.ndim == 2 and S.shape == case.dy.shape[1:] and not samples
                what = "the batch" if samples else "the units as well" if units else f"axis {axis}"
                known = bound if bound.shape == hand.shape else np.sum(bound, axis=axis).reshape(hand.shape)
                yield Mistake(
                    f"the gradient is the {word} over {what}" + ("" if units else " where none belongs"),
                    f"{head}every entry along axis {axis} has a gradient of its own.",
                    {k: less.reshape(hand.shape)},
                    bound={k: known},
                )


def _along(op: Callable[..., Float], axis: int) -> Callable[[Float], Float]:
    return lambda a: op(a, axis=axis)


def _undone(case: Case, k: str, name: str, why: str, undoing: str, op: Callable[[Float], Float]) -> Mistake:
    """The mistake that op undoes; the bound goes the same way, and float64 sums round a little themselves."""
    e = case.evidence[k]
    bound = op(e.bound) if e.bound.shape == e.hand.shape else e.bound
    bound = bound.reshape(e.reference.shape) + e.hand.size * EPS * op(np.abs(e.hand)).reshape(e.reference.shape)
    return Mistake(name, why, {}, {k: op(e.hand).reshape(e.reference.shape)}, undoing, bound={k: bound})


SHAPES = (shapes,)
