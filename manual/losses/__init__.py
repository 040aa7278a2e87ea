"""The losses: one file a loss, value and gradient under each other; nothing that knows a network."""

from typing import Any

from manual.losses.binary_cross_entropy import BinaryCrossEntropy
from manual.losses.softmax_cross_entropy import SoftmaxCrossEntropy
from manual.losses.squared_error import HalfSquaredError, MeanSquaredError, SquaredError
from manual.types import Loss

# A new loss is imported above and named here, in the order in which it is listed everywhere; all tables follow.
__all__ = [  # noqa: RUF022
    "SoftmaxCrossEntropy",
    "BinaryCrossEntropy",
    "SquaredError",
    "HalfSquaredError",
    "MeanSquaredError",
]

LOSSES: tuple[Any, ...] = tuple(globals()[name] for name in __all__)
NAMED_LOSSES: dict[str, Loss] = {kind.facts.name: kind() for kind in LOSSES if kind.facts.name}  # as one types them
