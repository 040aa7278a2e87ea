"""The list of what `handgrad verify` judges: networks and losses that reach every activation, layer and option."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from manual import (
    BatchNorm1d,
    BinaryCrossEntropy,
    Dropout,
    HalfSquaredError,
    LayerNorm,
    Linear,
    Loss,
    Network,
    ReLU,
    Softmax,
    SoftmaxCrossEntropy,
    SquaredError,
    Tanh,
    mlp,
)
from manual.losses import NAMED_LOSSES

SIZES = (64, 32, 10)  # the digits' pixels, hidden units, classes


@dataclass(frozen=True, eq=False)
class Problem:
    """A network and a loss for the digits. labels: class indices as target, not one-hot. running: batch norm frozen."""

    title: str
    network: Network
    loss: Loss
    labels: bool = False
    running: bool = False


def combine(activations: Sequence[str], losses: Sequence[str]) -> list[Problem]:
    """Every activation with every loss: one problem each."""
    return [
        Problem(f"{activation}, {loss}", mlp(SIZES, activation), NAMED_LOSSES[loss], labels=loss == "cross_entropy")
        for activation in activations
        for loss in losses
    ]


def other_layers_and_losses() -> list[Problem]:
    """What an activation between linear layers does not reach: every other layer, loss, reduction and option."""
    connected = np.random.default_rng(0).integers(0, 2, (32, 64))
    first = (Linear(64, 32, mask=connected), BatchNorm1d(32), Tanh(), Dropout(0.2))
    every = Network((*first, Linear(32, 16, bias=False), LayerNorm(16), ReLU(), Linear(16, 10), Softmax()))
    net, weights = mlp(SIZES, "tanh"), tuple(0.3 + 0.1 * k for k in range(10))
    return [
        Problem("every layer, half squared error", every, HalfSquaredError()),
        Problem("every layer frozen, squared error", every, SquaredError("batch mean"), running=True),
        Problem("tanh, squared error as torch's mean", net, SquaredError("mean")),
        Problem("tanh, binary cross-entropy", net, BinaryCrossEntropy()),
        Problem("tanh, binary cross-entropy batch mean", net, BinaryCrossEntropy("batch mean")),
        Problem(
            "tanh, cross_entropy weighted and smoothed", net, SoftmaxCrossEntropy("mean", 0.1, weights), labels=True
        ),
        Problem("tanh, cross_entropy sum of probabilities", net, SoftmaxCrossEntropy("sum", 0.1, weights)),
        Problem("tanh, cross_entropy batch mean", net, SoftmaxCrossEntropy("batch mean"), labels=True),
    ]
