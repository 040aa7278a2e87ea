"""The hyperbolic tangent, h = tanh z; its derivative comes from the output, 1 - h^2.

Once h rounds to 1 or -1 (|z| above about 19 in float64) this is exactly 0, as in torch; caching z would avoid that.
"""

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from manual.namespace import array_namespace
from manual.types import Activation, Array, Facts, Grads, Params


class TanhCache(NamedTuple):
    h: Array  # (N, n)


@dataclass(frozen=True)
class Tanh(Activation):
    """h = tanh z. Shapes: z, h (N, n)."""

    facts: ClassVar[Facts] = Facts("tanh")

    def forward(self, params: Params, z: Array) -> tuple[Array, TanhCache]:
        h = array_namespace(z).tanh(z)  # (N, n)  eq. tanh.h
        return h, TanhCache(h)

    def backward(self, params: Params, cache: TanhCache, dh: Array) -> tuple[Array, Grads]:
        h = cache.h
        # forward: h = tanh z
        # so:
        dz = dh * (1 - h * h)  # (N, n)  eq. tanh.dz
        return dz, {}

    def scalar(self, z: float) -> tuple[float, float]:
        h = math.tanh(z)
        return h, 1 - h * h
