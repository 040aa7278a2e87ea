"""What a gradient of a wrong shape is, where its numbers prove it."""

from collections.abc import Collection, Mapping

import numpy as np

from handgrad.grading.exercise import base
from handgrad.judge.compare import Float
from handgrad.judge.constants import CLOSE


def name_shape(name: str, value: Float, values: Mapping[str, Float], returned: Collection[str]) -> str:
    """That it is transposed, another quantity, or a sum over the wrong axis; nothing for anything else.

    returned: the names that the function returns. Two of these may stand in another order, and only then is that asked.
    """
    if is_close(value.T, values[name]):
        return f"It is the transpose of the right {name}."
    for other, right in values.items():
        if is_close(value, right):
            are_returned = base(name) != base(other) and {base(name), base(other)} <= {*returned}
            order = ": is the order of the returned values another one?" if are_returned else "."
            return f"It is the right {other}{order}"
        if right.ndim == 2 and is_close(right.sum(0), values[name]) and is_close(value, right.sum(1)):
            return f"It is {other} summed over axis 1, where axis 0 belongs."
    return ""


def is_close(a: Float, b: Float) -> bool:
    """Whether they are the same numbers, up to rounding of the largest."""
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=0, atol=CLOSE * np.abs(b).max(initial=0)))
