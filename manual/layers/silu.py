"""SiLU (swish), h = z sigmoid(z)."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from manual.layers.sigmoid import Sigmoid, sigmoid
from manual.types import Activation, Array, Facts, Grads, Params


class SiLUCache(NamedTuple):
    z: Array  # (N, n); sigmoid(z) costs less to compute again than to keep


@dataclass(frozen=True)
class SiLU(Activation):
    """h = z sigmoid(z). Shapes: z, h (N, n). Source: Elfwing, Uchibe, Doya 2018."""

    facts: ClassVar[Facts] = Facts("silu")

    def forward(self, params: Params, z: Array) -> tuple[Array, SiLUCache]:
        h = z * sigmoid(z)  # (N, n)  eq. silu.h
        return h, SiLUCache(z)

    def backward(self, params: Params, cache: SiLUCache, dh: Array) -> tuple[Array, Grads]:
        z, s = cache.z, sigmoid(cache.z)
        # forward: h = z s, s = sigmoid(z)
        # so:
        dz = dh * (s + z * (s * (1 - s)))  # (N, n)  eq. silu.dz
        return dz, {}

    def scalar(self, z: float) -> tuple[float, float]:
        s, ds = Sigmoid().scalar(z)
        return z * s, s + z * ds
