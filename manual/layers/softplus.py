"""Softplus, h = log(1 + e^z), written max(z, 0) + log(1 + e^-|z|) so that nothing overflows."""

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from manual.layers.sigmoid import Sigmoid, exp_minus_abs
from manual.namespace import array_namespace
from manual.types import Activation, Array, Facts, Grads, Params


def softplus(z: Array) -> Array:
    """log(1 + e^z), elementwise, without overflow.

    >>> import numpy as np
    >>> softplus(np.array([-1e4, 1e4])).tolist()
    [0.0, 10000.0]
    """
    xp = array_namespace(z)
    return xp.where(z >= 0, z, xp.zeros_like(z)) + xp.log1p(exp_minus_abs(z))


class SoftplusCache(NamedTuple):
    h: Array  # (N, n), which the next layer keeps anyway


@dataclass(frozen=True)
class Softplus(Activation):
    """h = log(1 + e^z). Shapes: z, h (N, n)."""

    facts: ClassVar[Facts] = Facts("softplus", autocast="float32")

    def forward(self, params: Params, z: Array) -> tuple[Array, SoftplusCache]:
        h = softplus(z)  # (N, n)  eq. softplus.h
        return h, SoftplusCache(h)

    def backward(self, params: Params, cache: SoftplusCache, dh: Array) -> tuple[Array, Grads]:
        # forward: h = log(1 + e^z)
        # so:      dh/dz = e^z / (1 + e^z) = 1 - e^-h
        dz = dh * -array_namespace(dh).expm1(-cache.h)  # (N, n)  eq. softplus.dz
        return dz, {}

    def scalar(self, z: float) -> tuple[float, float]:
        return max(z, 0.0) + math.log1p(math.exp(-abs(z))), Sigmoid().scalar(z)[0]
