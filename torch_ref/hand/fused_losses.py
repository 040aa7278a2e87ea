"""Losses that torch computes in a few calls, as `manual` does in several. A test holds each to its formula.

torch's binary cross-entropy with logits is another formula, (1 - t) z - log s: it cancels where z is far below zero.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch.nn import functional as F

from manual import BinaryCrossEntropy, HalfSquaredError, Loss, MeanSquaredError, SoftmaxCrossEntropy, SquaredError
from manual.losses.softmax_cross_entropy import SoftmaxCrossEntropyCache
from torch_ref.hand.checks import check_labels

Tensor = torch.Tensor
aten: Any = torch.ops.aten
MEAN, SUM = 1, 2  # the reductions, as torch's kernels have them
NO_LABEL = -(2**62)  # what nll_loss is to leave out, in place of its -100


class FusedLoss(NamedTuple):
    """A loss of the output and a target."""

    forward: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]  # E and the cache
    backward: Callable[[Tensor, Tensor, Tensor], Tensor]  # dy from dE, the cache and the target


def squared_error(loss: SquaredError) -> FusedLoss:
    """factor * sum (y - t)^2 / D; the cache is y."""
    kind = SUM if loss.reduction == "sum" else MEAN

    def times(y: Tensor) -> float:
        return loss.factor * (y.shape[1] if loss.reduction == "batch mean" else 1)

    def forward(y: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        E = aten.mse_loss.default(y, t, kind)
        return E if times(y) == 1 else times(y) * E, y

    def backward(dE: Tensor, y: Tensor, t: Tensor) -> Tensor:
        dy: Tensor = aten.mse_loss_backward.default(dE if times(y) == 1 else times(y) * dE, y, t, kind)
        return dy

    return FusedLoss(forward, backward)


def binary_cross_entropy(loss: BinaryCrossEntropy) -> FusedLoss:
    """sum (softplus(z) - t z) / D, softplus(z) = -log sigmoid(-z); the cache is z."""

    def forward(z: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        minus = torch.addcmul(F.logsigmoid(-z), t, z)
        if loss.reduction == "sum":
            return -minus.sum(), z
        return minus.mean() * (-z.shape[1] if loss.reduction == "batch mean" else -1), z

    def backward(dE: Tensor, z: Tensor, t: Tensor) -> Tensor:
        D = {"sum": 1, "mean": z.numel(), "batch mean": len(z)}[loss.reduction]
        return torch.sigmoid(z).sub_(t).mul_(dE / D)

    return FusedLoss(forward, backward)


def cross_entropy(loss: SoftmaxCrossEntropy) -> FusedLoss:
    """sum -log p at the labels / D; the cache is log p. RuntimeError for labels out of range."""
    kind = SUM if loss.reduction == "sum" else MEAN

    def forward(z: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        log_p = torch.log_softmax(z, 1)
        try:
            E, counted = aten.nll_loss_forward.default(log_p, labels, None, kind, NO_LABEL)
        except IndexError:
            check_labels(labels, z.shape[1])
            raise
        if not labels.is_cpu or counted.item() != len(labels):  # one of them is NO_LABEL; a card is not waited for
            check_labels(labels, z.shape[1])
        return E, log_p

    def backward(dE: Tensor, log_p: Tensor, labels: Tensor) -> Tensor:
        share = dE if kind == SUM else dE / len(labels)
        minus_q: Tensor = aten.nll_loss_backward.default(share, log_p, labels, None, SUM, NO_LABEL, dE)  # times share
        return minus_q.addcmul_(log_p.exp(), share)

    return FusedLoss(forward, backward)


LOSSES: dict[type, Callable[[Any], FusedLoss]] = {
    SquaredError: squared_error,
    HalfSquaredError: squared_error,
    MeanSquaredError: squared_error,
    BinaryCrossEntropy: binary_cross_entropy,
}


def fused_loss(loss: Loss, target: Tensor) -> FusedLoss | None:
    """The entry of a loss, or of any other cross-entropy its lines in `manual`; None where it has neither."""
    if isinstance(loss, SoftmaxCrossEntropy):
        usual = loss == SoftmaxCrossEntropy(loss.reduction) and target.dtype == torch.int64
        return cross_entropy(loss) if usual else as_written(loss)
    return LOSSES[type(loss)](loss) if type(loss) in LOSSES else None


def as_written(loss: SoftmaxCrossEntropy) -> FusedLoss:
    """The lines of `manual`; the cache is p."""

    def forward(z: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        if target.ndim == 1:
            check_labels(target, z.shape[1])
        E, cache = loss.forward(z, target)
        return E, cache.p

    def backward(dE: Tensor, p: Tensor, target: Tensor) -> Tensor:
        dz: Tensor = loss.backward(SoftmaxCrossEntropyCache(p, target), dE)
        return dz

    return FusedLoss(forward, backward)
