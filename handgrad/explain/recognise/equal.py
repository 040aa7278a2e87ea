"""When two results count as one while a stage is recognised. No verdict and no name follows from it alone."""

import numpy as np

from handgrad.arrays.arithmetic import EPS
from handgrad.judge.compare import Float
from handgrad.judge.constants import NETWORK_WITHIN, RECOGNISED_WITHIN


def same(a: Float, b: Float) -> bool:
    """Equal up to the rounding of a few float64 operations."""
    return bool(np.all(np.abs(a - b) <= RECOGNISED_WITHIN * EPS * (np.abs(a) + np.abs(b))))


def close(a: Float, b: Float) -> bool:
    """Equal up to the rounding of a whole network, measured on the largest entry."""
    if a.shape != b.shape:
        return False
    return bool(np.max(np.abs(a - b), initial=0) <= NETWORK_WITHIN * np.max(np.abs(b), initial=0))
