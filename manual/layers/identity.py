"""The identity, h = z: the output activation of a regression."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from manual.types import Activation, Array, Facts, Grads, Params


class IdentityCache(NamedTuple):
    pass


@dataclass(frozen=True)
class Identity(Activation):
    """h = z. Shapes: z, h (N, n)."""

    facts: ClassVar[Facts] = Facts("identity")

    def forward(self, params: Params, z: Array) -> tuple[Array, IdentityCache]:
        h = 1 * z  # (N, n)  eq. identity.h  (1 z is a new array, +z in torch is not)
        return h, IdentityCache()

    def backward(self, params: Params, cache: IdentityCache, dh: Array) -> tuple[Array, Grads]:
        # forward: h = z
        # so:
        dz = 1 * dh  # (N, n)  eq. identity.dz
        return dz, {}

    def scalar(self, z: float) -> tuple[float, float]:
        return z, 1.0
