"""Samples that count more than others: the mean of their losses becomes a weighted one, batch by batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from manual.layers.softplus import softplus
from manual.losses.binary_cross_entropy import BinaryCrossEntropy
from manual.losses.softmax_cross_entropy import SoftmaxCrossEntropy
from manual.losses.squared_error import HalfSquaredError
from manual.network import Network
from manual.sklearn.fit import SteadyHand
from manual.training.hand import penalise
from manual.training.state import Training
from manual.types import Array, Grads, Loss


class WeightedCache(NamedTuple):
    inner: Any  # of the loss
    share: Array  # (N, 1), w_i / sum w


@dataclass(frozen=True)
class Weighted:
    """E = sum_i w_i E_i / sum_i w_i over the samples of a batch. The target's last column is w (N,)."""

    loss: Loss  # one whose reduction is "sum"

    def forward(self, y: Array, packed: Array) -> tuple[Array, WeightedCache]:
        t, w = packed[:, :-1], packed[:, -1:]
        share = w / w.sum() if w.any() else w
        return (share[:, 0] * each(self.loss, y, t)).sum(), WeightedCache(self.loss.forward(y, t)[1], share)

    def backward(self, cache: WeightedCache, dE: Array) -> Array:
        # forward: E = sum_i s_i E_i, s the shares, and E_i hangs on row i of y alone
        # so:      dy_i = s_i dE_i/dy_i
        return cache.share * self.loss.backward(cache.inner, dE)


def each(loss: Loss, y: Array, t: Array) -> Array:
    """The loss of every sample (N,). Shapes: y, t (N, n).

    >>> each(HalfSquaredError(), np.array([[1.0], [2.0]]), np.array([[0.0], [0.0]])).tolist()
    [0.5, 2.0]
    """
    if isinstance(loss, HalfSquaredError):
        return ((y - t) ** 2).sum(1) / 2
    if isinstance(loss, BinaryCrossEntropy):
        return (softplus(y) - t * y).sum(1)
    zc = y - y.max(1, keepdims=True)
    return -(t * (zc - np.log(np.exp(zc).sum(1, keepdims=True)))).sum(1)


def with_weights(loss: Any, target: Array, C: int, weights: Array) -> tuple[Weighted, Array]:
    """The weighted loss, and the target (N,) or (N, n) with the weights (N,) beside it."""
    if isinstance(loss, SoftmaxCrossEntropy):
        return Weighted(SoftmaxCrossEntropy("sum")), np.column_stack([np.eye(C)[target], weights])
    return Weighted(type(loss)("sum")), np.column_stack([target, weights])


class WeightedHand(SteadyHand):
    """The hand-derived side whose penalty is that of the weights: alpha / (2 sum w) sum W^2."""

    def __init__(self, network: Network, loss: Loss, optimizer: Any, start: Training, *, alpha: float) -> None:
        super().__init__(network, loss, optimizer, start)
        self.strength = alpha

    def gradients(self, x: Array, target: Array, states: Sequence[Any] | None) -> tuple[float, Sequence[Grads]]:
        E, dparams = super().gradients(x, target, states)
        total = float(target[:, -1].sum())
        return penalise(E, dparams, self.params, self.strength / total) if self.strength and total else (E, dparams)
