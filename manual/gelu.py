"""GELU, h = z Phi(z), exact and in its tanh approximation: two functions, each with its own derivative.

Phi is the standard normal distribution function, phi its density. The array API has no error function: where an
array's own library has one it is used, else SciPy's.
"""

from dataclasses import dataclass
from math import pi, sqrt
from typing import NamedTuple

from array_api_compat import array_namespace, is_jax_namespace

from manual.types import Array, Elementwise, Grads, Params


def erf(x: Array) -> Array:
    """The error function, elementwise, on any array.

    >>> import numpy as np
    >>> erf(np.array([0.0, 1.0])).round(6).tolist()
    [0.0, 0.842701]
    """
    xp = array_namespace(x)
    if hasattr(xp, "erf"):
        return xp.erf(x)
    if is_jax_namespace(xp):
        from jax.scipy.special import erf as jax_erf

        return jax_erf(x)
    import numpy as np
    from scipy.special import erf as scipy_erf

    return xp.asarray(scipy_erf(np.asarray(x)))


class GELUCache(NamedTuple):
    z: Array  # (N, n)
    Phi: Array  # (N, n), Phi(z)


@dataclass(frozen=True)
class GELU(Elementwise):
    """h = z Phi(z), Phi(z) = (1 + erf(z / sqrt 2)) / 2. Shapes: z, h (N, n). Source: Hendrycks, Gimpel 2016."""

    def forward(self, params: Params, z: Array) -> tuple[Array, GELUCache]:
        Phi = 0.5 * (1 + erf(z * sqrt(0.5)))
        h = z * Phi  # (N, n)  eq. gelu.h
        return h, GELUCache(z, Phi)

    def backward(self, params: Params, cache: GELUCache, dh: Array) -> tuple[Array, Grads]:
        z, Phi = cache
        phi = array_namespace(z).exp(-0.5 * z * z) / sqrt(2 * pi)
        # forward: h = z Phi(z), Phi'(z) = phi(z)
        # so:
        dz = dh * (Phi + z * phi)  # (N, n)  eq. gelu.dz
        return dz, {}


class GELUTanhCache(NamedTuple):
    z: Array  # (N, n)
    t: Array  # (N, n), tanh(a(z))


@dataclass(frozen=True)
class GELUTanh(Elementwise):
    """h = z (1 + tanh a) / 2, a = sqrt(2/pi) (z + 0.044715 z^3). Shapes: z, h (N, n)."""

    def forward(self, params: Params, z: Array) -> tuple[Array, GELUTanhCache]:
        a = sqrt(2 / pi) * (z + 0.044715 * (z * z * z))
        t = array_namespace(z).tanh(a)
        h = 0.5 * z * (1 + t)  # (N, n)  eq. gelu_tanh.h
        return h, GELUTanhCache(z, t)

    def backward(self, params: Params, cache: GELUTanhCache, dh: Array) -> tuple[Array, Grads]:
        z, t = cache
        # forward: h = z (1 + t) / 2, t = tanh a, a = sqrt(2/pi) (z + 0.044715 z^3)
        # so:
        da = sqrt(2 / pi) * (1 + 3 * 0.044715 * (z * z))
        dz = dh * (0.5 * (1 + t) + 0.5 * z * ((1 - t * t) * da))  # (N, n)  eq. gelu_tanh.dz
        return dz, {}
