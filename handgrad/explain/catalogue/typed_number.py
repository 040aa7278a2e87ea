"""The number that somebody typed, read off what came out: 0.1 where a result is 0.10000001 times the right one."""

from collections.abc import Iterator

import numpy as np

from handgrad.judge.compare import Evidence, Float
from handgrad.judge.constants import QUOTIENT_BOUNDS, QUOTIENT_ROUNDING


def quotient(result: Float, term: Float, bound: Float, *, scaled: bool = False) -> tuple[float, float] | None:
    """The c of result = c term at the term's largest entry, and how far rounding may have carried it.

    scaled: the bound is that of term, so that of c term is c times as large. None where c is no number.
    """
    if not term.any():
        return None
    at = np.unravel_index(int(np.argmax(np.abs(term))), term.shape)
    c = float(result[at] / term[at])
    if not np.isfinite(c):
        return None
    gain = max(1.0, abs(c)) if scaled else 1.0
    return c, QUOTIENT_BOUNDS * float(bound[at]) / abs(float(term[at])) * gain + QUOTIENT_ROUNDING * abs(c)


def decimals(c: float, slop: float, digits: int = 15) -> Iterator[float]:
    """The decimals within slop of c, those with the fewest digits first: the first is what somebody typed.

    >>> next(decimals(0.10000001, 1e-7)), next(decimals(0.10000001, 1e-12))
    (0.1, 0.10000001)
    """
    rounded = (float(f"{c:.{d}g}") for d in range(1, digits + 1))
    return (s for s in rounded if abs(s - c) <= slop)


def typed(c: float, slop: float) -> float:
    """The number with the fewest digits within slop of c, or c itself."""
    return next(decimals(c, slop), c)


def typed_multiple(e: Evidence, term: Float) -> float | None:
    """The c of hand = reference + c term, as somebody typed it; None where rounding hides it."""
    found = quotient(e.hand - e.reference, term, e.bound)
    return typed(*found) if found is not None and found[1] < abs(found[0]) else None
