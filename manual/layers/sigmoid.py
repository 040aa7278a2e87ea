"""The logistic sigmoid, h = 1 / (1 + e^-z).

The exponential is only ever taken of -|z|, so it cannot overflow; the derivative comes from the output,
h (1 - h), which is finite everywhere (e^-z / (1 + e^-z)^2 is nan below z = -709 in float64). Once h rounds to 1
(z above about 37) this is exactly 0, as in torch; caching z would avoid that.
"""

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from manual.namespace import array_namespace
from manual.types import Activation, Array, Facts, Grads, Params


def sigmoid(z: Array) -> Array:
    """1 / (1 + e^-z), elementwise, without overflow.

    >>> import numpy as np
    >>> sigmoid(np.array([-1e4, 0.0, 1e4])).tolist()
    [0.0, 0.5, 1.0]
    """
    xp, e = array_namespace(z), exp_minus_abs(z)
    return xp.where(z >= 0, xp.ones_like(e), e) / (1 + e)


def exp_minus_abs(z: Array) -> Array:
    """e^-|z| by branches, so that forward-mode differentiation of what is built on it is right at z = 0 too."""
    xp = array_namespace(z)
    return xp.exp(xp.where(z >= 0, -z, z))


class SigmoidCache(NamedTuple):
    h: Array  # (N, n)


@dataclass(frozen=True)
class Sigmoid(Activation):
    """h = 1 / (1 + e^-z). Shapes: z, h (N, n)."""

    facts: ClassVar[Facts] = Facts("sigmoid")

    def forward(self, params: Params, z: Array) -> tuple[Array, SigmoidCache]:
        h = sigmoid(z)  # (N, n)  eq. sigmoid.h
        return h, SigmoidCache(h)

    def backward(self, params: Params, cache: SigmoidCache, dh: Array) -> tuple[Array, Grads]:
        h = cache.h
        # forward: h = 1 / (1 + e^-z)
        # so:
        dz = dh * (1 - h) * h  # (N, n)  eq. sigmoid.dz  (in this order equal to torch's to the last bit)
        return dz, {}

    def scalar(self, z: float) -> tuple[float, float]:
        e = math.exp(-abs(z))
        h = (1.0 if z >= 0 else e) / (1 + e)
        return h, h * (1 - h)
