"""Softmax as a layer, p_i = e^z_i / sum_j e^z_j, with the whole Jacobian-vector product, not its diagonal."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from manual.namespace import array_namespace
from manual.precision import in_float32
from manual.types import Array, Elementwise, Facts, Grads, Params


class SoftmaxCache(NamedTuple):
    p: Array  # (N, C)


@dataclass(frozen=True)
class Softmax(Elementwise):
    """p = e^(z - m) / sum e^(z - m) over each row, m its maximum. Shapes: z, p (N, C)."""

    facts: ClassVar[Facts] = Facts("softmax", "p", "z", letter="p", autocast="float32")

    @in_float32
    def forward(self, params: Params, z: Array) -> tuple[Array, SoftmaxCache]:
        xp = array_namespace(z)
        e = xp.exp(z - xp.max(z, axis=1, keepdims=True))
        p = e / xp.sum(e, axis=1, keepdims=True)  # (N, C)  eq. softmax.p
        return p, SoftmaxCache(p)

    @in_float32
    def backward(self, params: Params, cache: SoftmaxCache, dp: Array) -> tuple[Array, Grads]:
        xp = array_namespace(dp)
        p = cache.p
        # forward: p_i = e^z_i / sum_j e^z_j
        # so:
        dz = p * (dp - xp.sum(dp * p, axis=1, keepdims=True))  # (N, C)  eq. softmax.dz
        return dz, {}
