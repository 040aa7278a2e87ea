"""Binary cross-entropy from logits: -t log s - (1 - t) log(1 - s), s = sigmoid(z), summed or averaged.

Written softplus(z) - t z, which neither overflows nor takes the logarithm of zero.
"""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from manual.layers.sigmoid import sigmoid
from manual.layers.softplus import softplus
from manual.losses.reduction import Reduction, average, check_reduction, divisor
from manual.losses.torch_options import without
from manual.types import Array, Facts


class BinaryCrossEntropyCache(NamedTuple):
    z: Array  # (N, n)
    t: Array  # (N, n)


WEIGH = "weigh the loss of each entry, which in torch is vmap(vmap(HandModule(BinaryCrossEntropy())))(z, t)"


@without(weight=WEIGH, pos_weight=WEIGH)
@dataclass(frozen=True)
class BinaryCrossEntropy:
    """E = sum (softplus(z) - t z) / D. Shapes: z, t (N, n), t in [0, 1].

    Raises ValueError for an unknown reduction, TypeError for torch's other options.
    """

    facts: ClassVar[Facts] = Facts("binary_cross_entropy", "E", "z")

    reduction: Reduction = "mean"

    def __post_init__(self) -> None:
        check_reduction(self.reduction)

    def forward(self, z: Array, t: Array) -> tuple[Array, BinaryCrossEntropyCache]:
        E = average(softplus(z) - t * z, divisor(self.reduction, z))  # ()  eq. binary_cross_entropy.E
        return E, BinaryCrossEntropyCache(z, t)

    def backward(self, cache: BinaryCrossEntropyCache, dE: Array) -> Array:
        z, t = cache
        # forward: E = sum (log(1 + e^z) - t z) / D
        # so:
        dz = dE * ((sigmoid(z) - t) / divisor(self.reduction, z))  # (N, n)  eq. binary_cross_entropy.dz
        return dz
