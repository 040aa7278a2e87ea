"""Squared errors: factor * sum (y - t)^2 / D, with D = 1, N n or N by reduction.

The lectures disagree on the factor: 1/2 sum, sum, and mean are three losses with three gradients.
"""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from manual.losses.reduction import Reduction, average, check_reduction, divisor
from manual.types import Array, Facts


class SquaredErrorCache(NamedTuple):
    e: Array  # (N, n), y - t


@dataclass(frozen=True)
class SquaredError:
    """E = sum (y - t)^2 / D. Shapes: y, t (N, n). Raises ValueError for an unknown reduction."""

    facts: ClassVar[Facts] = Facts("squared_error", "E", "y")

    reduction: Reduction = "sum"
    factor: ClassVar[float] = 1.0

    def __post_init__(self) -> None:
        check_reduction(self.reduction)

    def forward(self, y: Array, t: Array) -> tuple[Array, SquaredErrorCache]:
        e = y - t
        E = self.factor * average(e * e, divisor(self.reduction, e))  # ()  eq. squared_error.E
        return E, SquaredErrorCache(e)

    def backward(self, cache: SquaredErrorCache, dE: Array) -> Array:
        e = cache.e
        # forward: E = factor * sum (y - t)^2 / D
        # so:
        dy = dE * (2 * self.factor * e / divisor(self.reduction, e))  # (N, n)  eq. squared_error.dy
        return dy


@dataclass(frozen=True)
class HalfSquaredError(SquaredError):
    """E = 1/2 sum (y - t)^2 / D, whose gradient is simply y - t."""

    factor: ClassVar[float] = 0.5


@dataclass(frozen=True)
class MeanSquaredError(SquaredError):
    """E = mean (y - t)^2 over all elements, torch's mse_loss."""

    facts: ClassVar[Facts] = SquaredError.facts._replace(name="mse")

    reduction: Reduction = "mean"
