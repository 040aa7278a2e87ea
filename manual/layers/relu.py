"""The rectifiers: ReLU, h = max(z, 0), and leaky ReLU, h = z above zero and slope * z below.

Value at the kink, torch's: ReLU'(0) = 0, leaky ReLU'(0) = slope. ReLU's dz is a product, since `where` takes ten times
as long. So dh = inf gives nan where z < 0, and z = nan gives 0; torch gives 0 and dh there.
"""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from manual.arguments import check_number
from manual.namespace import array_namespace
from manual.types import Activation, Array, Facts, Grads, Params


class ReLUCache(NamedTuple):
    h: Array  # (N, n); h > 0 exactly where z > 0, and the next layer keeps h anyway


@dataclass(frozen=True)
class ReLU(Activation):
    """h = max(z, 0). Shapes: z, h (N, n)."""

    facts: ClassVar[Facts] = Facts("relu")

    def forward(self, params: Params, z: Array) -> tuple[Array, ReLUCache]:
        xp = array_namespace(z)
        h = xp.maximum(z, xp.zeros_like(z))  # (N, n)  eq. relu.h
        return h, ReLUCache(h)

    def backward(self, params: Params, cache: ReLUCache, dh: Array) -> tuple[Array, Grads]:
        xp = array_namespace(dh)
        # forward: h = max(z, 0), of slope 1 where h > 0 and 0 elsewhere
        # so:
        dz = dh * xp.astype(cache.h > 0, dh.dtype)  # (N, n)  eq. relu.dz
        return dz, {}

    def scalar(self, z: float) -> tuple[float, float]:
        return (z, 1.0) if z > 0 else (0.0, 0.0)


class LeakyReLUCache(NamedTuple):
    z: Array  # (N, n)


@dataclass(frozen=True)
class LeakyReLU(Activation):
    """h = z where z > 0, slope * z elsewhere. Shapes: z, h (N, n). Raises ValueError for a slope that is not finite."""

    facts: ClassVar[Facts] = Facts("leaky_relu")

    slope: float = 0.01

    def __post_init__(self) -> None:
        check_number(self, "slope", "a finite number", lambda slope: True)

    def forward(self, params: Params, z: Array) -> tuple[Array, LeakyReLUCache]:
        h = array_namespace(z).where(z > 0, z, self.slope * z)  # (N, n)  eq. leaky_relu.h
        return h, LeakyReLUCache(z)

    def backward(self, params: Params, cache: LeakyReLUCache, dh: Array) -> tuple[Array, Grads]:
        xp = array_namespace(dh)
        # forward: h = z where z > 0, slope z elsewhere
        # so:
        dz = xp.where(cache.z > 0, dh, self.slope * dh)  # (N, n)  eq. leaky_relu.dz
        return dz, {}

    def scalar(self, z: float) -> tuple[float, float]:
        return (z, 1.0) if z > 0 else (self.slope * z, self.slope)
