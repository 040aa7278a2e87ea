"""The rectifiers: ReLU, h = max(z, 0), and leaky ReLU, h = z above zero and slope * z below.

Value at the kink, torch's: ReLU'(0) = 0, leaky ReLU'(0) = slope.
"""

from dataclasses import dataclass
from typing import NamedTuple

from manual.arguments import check_number
from manual.namespace import array_namespace
from manual.types import Array, Elementwise, Grads, Params


class ReLUCache(NamedTuple):
    h: Array  # (N, n); h > 0 exactly where z > 0, and the next layer keeps h anyway


@dataclass(frozen=True)
class ReLU(Elementwise):
    """h = max(z, 0). Shapes: z, h (N, n)."""

    def forward(self, params: Params, z: Array) -> tuple[Array, ReLUCache]:
        xp = array_namespace(z)
        h = xp.maximum(z, xp.zeros_like(z))  # (N, n)  eq. relu.h
        return h, ReLUCache(h)

    def backward(self, params: Params, cache: ReLUCache, dh: Array) -> tuple[Array, Grads]:
        xp = array_namespace(dh)
        # forward: h = max(z, 0), of slope 1 where h > 0 and 0 elsewhere
        # so:
        dz = dh * xp.astype(cache.h > 0, dh.dtype)  # (N, n)  eq. relu.dz  (by `where` it takes ten times as long)
        return dz, {}


class LeakyReLUCache(NamedTuple):
    z: Array  # (N, n)


@dataclass(frozen=True)
class LeakyReLU(Elementwise):
    """h = z where z > 0, slope * z elsewhere. Shapes: z, h (N, n). Raises ValueError for a slope that is not finite."""

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
