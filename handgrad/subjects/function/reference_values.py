"""What the reference gives at one set of inputs, or why it gives nothing to compare with."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handgrad.subjects.function.reference import Reference

CLOSE = 2.0**-30  # float32 rounding is larger, rounding in float64 far smaller
REPEATABLE = "give one that repeats itself: a module in eval(), a random mask as an input"
Float = NDArray[np.float64]


class LeftOut(Exception):
    """The reference has nothing to say at these inputs."""


def expected(reference: Reference, exact: Mapping[str, Float], huge: float) -> Float:
    """The reference's y, or LeftOut."""
    try:
        y = reference.value(exact)
    except Exception as error:
        called = ", ".join(f"{name} {np.shape(value)}" for name, value in exact.items())
        raise LeftOut(f"the reference raised {type(error).__name__}: {error} (called with {called})") from error
    if y.size == 0:
        raise LeftOut("the reference gives an empty result")
    if not (np.abs(y) <= huge).all():
        raise LeftOut("the reference's own result is not finite")
    return y


def expected_gradients(reference: Reference, exact: Mapping[str, Float], dy: Float, y: Float) -> dict[str, Float]:
    """The reference's gradients, or LeftOut; y is what it gave alone. Raises ValueError where it is random."""
    try:
        found, again = (reference.gradients(exact, dy) for _ in range(2))
    except Exception as error:
        raise LeftOut(f"the reference's backward pass raised {type(error).__name__}: {error}") from error
    for name, one, other in [("y", y, found["y"]), *((name, found[name], again[name]) for name in found)]:
        if words := unlike(one, other):
            raise ValueError(f"the reference is random: two runs on the same inputs give {name}{words}; {REPEATABLE}")
    if not all(np.isfinite(value).all() for value in found.values()):
        raise LeftOut("the reference's own gradient is not finite")
    return found


def unlike(one: Float, other: Float) -> str:
    """Where two runs on the same numbers differ by more than the order of a sum can do, in words; empty: nowhere."""
    if one.shape != other.shape:
        return f" of shapes {one.shape} and {other.shape}"
    with np.errstate(all="ignore"):
        gap = np.nan_to_num(np.abs(one - other), nan=0.0, posinf=0.0)  # what is not finite is judged as such
        size = np.max(np.abs(one), initial=0.0, where=np.isfinite(one))
    if not gap.any() or np.max(gap) <= CLOSE * size:
        return ""
    at = np.unravel_index(int(np.argmax(gap)), gap.shape)
    return f"{index(at)} = {one[at]:.9g} and {other[at]:.9g}"


def index(at: Sequence[Any]) -> str:
    """[0,2], or nothing for a scalar."""
    return f"[{','.join(str(int(i)) for i in at)}]" if len(at) else ""
