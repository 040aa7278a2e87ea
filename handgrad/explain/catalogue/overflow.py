"""Results that are not finite where the right ones are: a formula that overflows at large inputs, or divides by 0."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from handgrad.explain.catalogue.mistake import Mistake, Undo
from handgrad.explain.recognise.failed_trial import FailedTrial
from handgrad.judge.compare import Float
from handgrad.judge.constants import OVERFLOWS_FROM


def overflow(trial: FailedTrial) -> Iterator[Mistake]:
    """Every finite entry is right, and the others lie where the input is large or 0: elementwise stages only."""
    x = trial.x
    for k in trial.same_shape:
        hand, right = trial.hand[k], trial.right[k]
        lost = ~np.isfinite(hand) & np.isfinite(right)
        if hand.shape != x.shape or k not in ("y", f"d{trial.x_name}") or not lost.any():
            continue
        undo = Undo(f"leaving out the {int(lost.sum())} entries that are not finite", {k: np.where(lost, right, hand)})
        if where := describe_large(x, lost):
            why = (
                f"It is right at smaller inputs and not finite from {where} on: a power or an exponential is beyond "
                "the largest number there, and infinity is divided by infinity or multiplied by 0."
            )
            yield Mistake("the formula overflows at large inputs", why, {}, undo)
        elif not lost[x != 0].any():
            why = "It is right everywhere else; at 0 the formula is 0/0, or 0 times infinity."
            yield Mistake("the formula divides by zero at 0", why, {}, undo)


def describe_large(x: Float, lost: Any) -> str:
    """From where on the entries are lost, on either side of 0; empty where they do not lie beyond all others."""
    if lost[x == 0].any():
        return ""
    ends = []
    for sign, side in (("", x > 0), ("-", x < 0)):
        bad, good = np.abs(x[lost & side]), np.abs(x[~lost & side])
        if bad.size and bad.min() <= max(OVERFLOWS_FROM, good.max(initial=0)):
            return ""
        ends += [f"{sign}{bad.min():.6g}"] if bad.size else []
    return " and ".join(ends)


OVERFLOW = (overflow,)
