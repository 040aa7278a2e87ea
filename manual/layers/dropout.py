"""Inverted dropout, y = x o m / (1 - p): a unit is dropped with probability p, the others are scaled up."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from array_api_compat import device

from manual.arguments import check_number
from manual.namespace import array_namespace
from manual.types import Array, Elementwise, Facts, Grads, Params


class DropoutCache(NamedTuple):
    mask: Array  # (N, n), which the caller holds anyway; None where nothing is dropped


@dataclass(frozen=True)
class Dropout(Elementwise):
    """y = x o m / (1 - p) in training, y = x in evaluation (no mask). Shapes: x, m, y (N, n).

    The randomness is an argument: `draw` makes the mask from a generator, `forward` takes it.
    Raises ValueError unless 0 <= p < 1. Source: Srivastava et al. 2014.
    """

    facts: ClassVar[Facts] = Facts("dropout", "y", "x", letter="d")
    state_per_sample: ClassVar[bool] = True

    p: float = 0.5

    def __post_init__(self) -> None:
        check_number(self, "p", "a number in [0, 1), the probability to drop a unit", lambda p: 0 <= p < 1)

    def draw(self, rng: np.random.Generator, like: Array) -> Array:
        """A mask of zeros and ones (1 = kept) of the shape, dtype and device of `like`."""
        kept = rng.random(like.shape) >= self.p
        return array_namespace(like).asarray(kept, dtype=like.dtype, device=device(like))

    def forward(self, params: Params, x: Array, mask: Array = None) -> tuple[Array, DropoutCache]:
        if mask is None:
            return 1 * x, DropoutCache(None)  # a new array
        y = x * (mask / (1 - self.p))  # (N, n)  eq. dropout.y
        return y, DropoutCache(mask)

    def backward(self, params: Params, cache: DropoutCache, dy: Array) -> tuple[Array, Grads]:
        if cache.mask is None:
            return 1 * dy, {}
        # forward: y = x o m / (1 - p)
        # so:
        dx = dy * (cache.mask / (1 - self.p))  # (N, n)  eq. dropout.dx
        return dx, {}
