"""GELU, h = z Phi(z), exact and in its tanh approximation: two functions, each with its own derivative.

Phi is the standard normal distribution function, phi its density. Phi is taken from erfc: the usual (1 + erf) / 2
cancels for z far below zero. The array API has no error function: that of
the array's own library is used (in its namespace, or in its `scipy`), else SciPy's.
"""

import math
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from math import pi, sqrt
from typing import Any, ClassVar, NamedTuple

import numpy as np

from manual.layers.tanh import Tanh
from manual.namespace import array_namespace
from manual.types import Activation, Array, Facts, Grads, Params


def erfc(x: Array) -> Array:
    """The complementary error function, 1 - erf, elementwise, on any array.

    >>> import numpy as np
    >>> erfc(np.array([0.0, 1.0])).round(6).tolist()
    [1.0, 0.157299]
    """
    xp = array_namespace(x)
    if hasattr(xp, "erfc"):
        return xp.erfc(x)
    special = special_functions(xp.__name__.partition(".")[0])
    if special is not None:
        return special.erfc(x)
    from scipy.special import erfc as scipy_erfc  # here, for it takes longer to load than all of manual

    return xp.asarray(scipy_erfc(np.asarray(x)))


@cache
def special_functions(library: str) -> Any:
    """The special functions that an array library has for its own arrays, beside its namespace; None if it has none."""
    try:
        return import_module(f"{library}.scipy.special")
    except ModuleNotFoundError:
        return None


def normal_cdf(z: Array) -> Array:
    """Phi(z), the chance that a standard normal number is below z, to full relative accuracy in both tails."""
    return 0.5 * erfc(z * -sqrt(0.5))


class GELUCache(NamedTuple):
    z: Array  # (N, n); Phi(z) costs less to compute again than to keep


@dataclass(frozen=True)
class GELU(Activation):
    """h = z Phi(z), Phi(z) = erfc(-z / sqrt 2) / 2. Shapes: z, h (N, n). Source: Hendrycks, Gimpel 2016."""

    facts: ClassVar[Facts] = Facts("gelu")

    def forward(self, params: Params, z: Array) -> tuple[Array, GELUCache]:
        h = z * normal_cdf(z)  # (N, n)  eq. gelu.h
        return h, GELUCache(z)

    def backward(self, params: Params, cache: GELUCache, dh: Array) -> tuple[Array, Grads]:
        z, Phi = cache.z, normal_cdf(cache.z)
        phi = array_namespace(z).exp(-0.5 * z * z) / sqrt(2 * pi)
        # forward: h = z Phi(z), Phi'(z) = phi(z)
        # so:
        dz = dh * (Phi + z * phi)  # (N, n)  eq. gelu.dz
        return dz, {}

    def scalar(self, z: float) -> tuple[float, float]:
        Phi = 0.5 * math.erfc(z * -sqrt(0.5))
        return z * Phi, Phi + z * math.exp(-0.5 * z * z) / sqrt(2 * pi)


def tanh_of_cubic(z: Array) -> Array:
    """tanh(sqrt(2/pi) (z + 0.044715 z^3)), close to 2 Phi(z) - 1."""
    return array_namespace(z).tanh(sqrt(2 / pi) * (z + 0.044715 * (z * z * z)))


class GELUTanhCache(NamedTuple):
    z: Array  # (N, n)


@dataclass(frozen=True)
class GELUTanh(Activation):
    """h = z (1 + tanh a) / 2, a = sqrt(2/pi) (z + 0.044715 z^3). Shapes: z, h (N, n)."""

    facts: ClassVar[Facts] = Facts("gelu_tanh")

    def forward(self, params: Params, z: Array) -> tuple[Array, GELUTanhCache]:
        h = 0.5 * z * (1 + tanh_of_cubic(z))  # (N, n)  eq. gelu_tanh.h
        return h, GELUTanhCache(z)

    def backward(self, params: Params, cache: GELUTanhCache, dh: Array) -> tuple[Array, Grads]:
        z, t = cache.z, tanh_of_cubic(cache.z)
        # forward: h = z (1 + t) / 2, t = tanh a, a = sqrt(2/pi) (z + 0.044715 z^3)
        # so:
        w = z * (1 - t * t)  # exactly 0 where t is 1 or -1, so that z^2 cannot overflow
        z_da = sqrt(2 / pi) * (w + 3 * 0.044715 * (w * z * z))  # z (1 - t^2) da/dz
        dz = dh * (0.5 * (1 + t) + 0.5 * z_da)  # (N, n)  eq. gelu_tanh.dz
        return dz, {}

    def scalar(self, z: float) -> tuple[float, float]:
        t, dt = Tanh().scalar(sqrt(2 / pi) * (z + 0.044715 * z**3))
        return 0.5 * z * (1 + t), 0.5 * (1 + t) + 0.5 * z * dt * sqrt(2 / pi) * (1 + 3 * 0.044715 * z * z)
