"""Arrays without a gradient whose rows each sum to one: labels with a single one in every row, or shares of a whole.

The gradient of a softmax with cross entropy is p - t where they do. With a column left out or taken twice they do not,
and right code is wrong there.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def other_labels(array: NDArray[Any], shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[Any] | None:
    """Others of the same kind, of another shape with as many axes; None for an array of no such kind."""
    axis = axis_of_shares(array)
    if axis is None:
        return None
    if np.isin(array, (0, 1)).all():
        drawn = np.zeros(shape)
        places = rng.integers(shape[axis], size=tuple(1 if a == axis else n for a, n in enumerate(shape)))
        np.put_along_axis(drawn, places, 1.0, axis=axis)
    else:
        drawn = rng.uniform(0.1, 1, size=shape)
        drawn /= drawn.sum(axis=axis, keepdims=True)
    return drawn.astype(array.dtype)


def axis_of_shares(array: NDArray[Any]) -> int | None:
    """The axis along which all sums are 1 and nothing is negative: the last one of several."""
    if array.dtype.kind not in "bif":
        return None
    for axis in reversed(range(array.ndim)):
        if array.shape[axis] > 1 and (array >= 0).all() and np.allclose(array.sum(axis=axis), 1):
            return axis
    return None
