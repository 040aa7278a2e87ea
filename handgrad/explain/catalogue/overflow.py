"""Results that are not finite where the right ones are: a formula that overflows at large inputs, or divides by 0."""

from collections.abc import Iterator

import numpy as np

from handgrad.explain.failed_trial import Case, Mistake

LARGE = 10.0  # e^x of half precision overflows from 11.1 on


def overflow(case: Case) -> Iterator[Mistake]:
    """Everything finite is right, and what is not finite lies beyond everything that is: elementwise stages only."""
    x = case.x
    for k in case.same_shape:
        hand = case.hand[k]
        if hand.shape != x.shape or k not in ("y", f"d{case.x_name}"):
            continue
        lost = ~np.isfinite(hand) & np.isfinite(case.right[k])
        if not lost.any():
            continue
        undone = {k: np.where(lost, case.right[k], hand)}
        without = f"leaving out the {int(lost.sum())} entries that are not finite"
        sides = [(lost & side, ~lost & side) for side in (x > 0, x < 0)]
        bad, good = ([np.abs(x[part]) for part in parts] for parts in zip(*sides, strict=True))
        if not lost[x == 0].any() and all(
            b.size == 0 or b.min() > max(LARGE, g.max(initial=0)) for b, g in zip(bad, good, strict=True)
        ):
            where = " and ".join(f"{sign}{b.min():.6g}" for sign, b in zip(("", "-"), bad, strict=True) if b.size)
            yield Mistake(
                "the formula overflows at large inputs",
                f"It is right at smaller inputs and not finite from {where} on: a power or an exponential is beyond "
                "the largest number there, and infinity is divided by infinity or multiplied by 0.",
                {}, undone, without,
            )  # fmt: skip
        elif not lost[x != 0].any():
            why = "It is right everywhere else; at 0 the formula is 0/0, or 0 times infinity."
            yield Mistake("the formula divides by zero at 0", why, {}, undone, without)


OVERFLOW = (overflow,)
