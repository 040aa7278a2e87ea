"""Whether two runs on the same numbers give the same result."""

from typing import Any

import numpy as np

from handgrad.arrays.precision import to64
from handgrad.judge.compare import index_words
from handgrad.judge.constants import CLOSE

REPEATABLE = "give one that repeats itself: a module in eval(), a random mask as an input"


def random_words(difference: str) -> str:
    """In words: that a forward pass does not repeat itself."""
    return f"forward is random, or keeps state: two runs on the same inputs give y{difference}; {REPEATABLE}"


def difference_words(one: Any, other: Any, *, close: float = CLOSE) -> str:
    """In words: where two runs differ by more than another order of summation explains. Empty if nowhere.

    close: the share of the largest entry that it explains.
    """
    one, other = to64(one), to64(other)
    if one.shape != other.shape:
        return f" of shapes {one.shape} and {other.shape}"
    with np.errstate(all="ignore"):
        gap = np.nan_to_num(np.abs(one - other), nan=0.0, posinf=0.0)  # what is not finite is judged as such
        size = np.max(np.abs(one), initial=0.0, where=np.isfinite(one))
    if not gap.any() or np.max(gap) <= close * size:
        return ""
    at = tuple(int(i) for i in np.unravel_index(int(np.argmax(gap)), gap.shape))
    return f"{index_words(at)} = {one[at]:.9g} and {other[at]:.9g}"
