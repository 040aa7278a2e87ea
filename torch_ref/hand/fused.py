"""Layers and losses that torch computes in one call, as `manual` does in several. A test holds each to its formula.

Where torch's kernel is another formula the lines of `manual` run: its GELU cancels far below zero, its softplus is cut
off.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import torch
from torch.nn import functional as F

from manual import Layer, Linear, Loss, MeanSquaredError, ReLU, Sigmoid, SiLU, SoftmaxCrossEntropy, Tanh
from manual.types import Activation
from torch_ref.hand.checks import check_labels

Tensor = torch.Tensor
aten: Any = torch.ops.aten
SUM = 2  # the reduction, as torch's kernels have it
NO_LABEL = -(2**62)  # what nll_loss is to leave out, in place of its -100: nobody's label


class FusedLayer(NamedTuple):
    """A layer whose backward pass needs its input or its output, and nothing else besides the parameters."""

    forward: Callable[..., Tensor]  # y from x and the parameters
    caches: Literal["x", "y"]
    backward: Callable[[Tensor, Tensor], Tensor] | None = None  # dx from dy and the cache; None: the linear layer's
    in_place: Callable[..., Tensor] | None = None  # forward, in the memory of x, which is then not the cache


class FusedLoss(NamedTuple):
    """A loss of the output and a target."""

    forward: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]  # E and the cache
    backward: Callable[[Tensor, Tensor, Tensor], Tensor]  # dy from dE, the cache and the target


def relu_backward(dh: Tensor, h: Tensor) -> Tensor:
    """dh where h > 0, and 0 elsewhere, also where dh is infinite: there `manual` has nan."""
    dz: Tensor = aten.threshold_backward.default(dh, h, 0)
    return dz


def squared_error(y: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """The mean of e e, and e = y - t."""
    e = y - t
    return (e * e).mean(), e


def squared_error_backward(dE: Tensor, e: Tensor, t: Tensor) -> Tensor:
    """2 e dE / D."""
    return e * (dE / (e.numel() / 2))


def cross_entropy(z: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The mean of -log p at the labels, and log p. RuntimeError for labels out of range."""
    log_p = torch.log_softmax(z, 1)
    try:
        return F.nll_loss(log_p, labels, ignore_index=NO_LABEL), log_p
    except IndexError:
        check_labels(labels, z.shape[1])
        raise


def cross_entropy_backward(dE: Tensor, log_p: Tensor, labels: Tensor) -> Tensor:
    """(p - q) dE / N, q the labels one-hot."""
    share = dE / len(labels)
    minus_q: Tensor = aten.nll_loss_backward.default(share, log_p, labels, None, SUM, NO_LABEL, dE)  # times share
    return minus_q.addcmul_(log_p.exp(), share)


LAYERS: dict[type, FusedLayer] = {
    Linear: FusedLayer(F.linear, "x"),
    Tanh: FusedLayer(torch.tanh, "y", aten.tanh_backward.default, torch.tanh_),
    Sigmoid: FusedLayer(torch.sigmoid, "y", aten.sigmoid_backward.default, torch.sigmoid_),
    ReLU: FusedLayer(torch.relu, "y", relu_backward, torch.relu_),
    SiLU: FusedLayer(F.silu, "x", aten.silu_backward.default),
}


def fused_layer(layer: Layer) -> FusedLayer | None:
    """The entry of a layer, or its lines in `manual` if it is an activation; None where it has neither."""
    if isinstance(layer, Linear) and layer.mask is not None:
        return None
    return LAYERS.get(type(layer)) or (as_written(layer) if isinstance(layer, Activation) else None)


def as_written(layer: Any) -> FusedLayer | None:
    """The lines of an activation in `manual`; None unless all it keeps is its input or its output."""
    z = torch.zeros(1, 1)
    h, cache = layer.forward({}, z)
    if h is z or len(cache) != 1 or not (cache[0] is z or cache[0] is h):
        return None
    return FusedLayer(
        lambda z: layer.forward({}, z)[0],
        "x" if cache[0] is z else "y",
        lambda dh, kept: layer.backward({}, type(cache)(kept), dh)[0],
    )


def fused_loss(loss: Loss, target: Tensor) -> FusedLoss | None:
    """The entry of a loss for targets like this one, None where it has none."""
    if loss == MeanSquaredError():
        return FusedLoss(squared_error, squared_error_backward)
    if loss == SoftmaxCrossEntropy() and target.dtype == torch.int64:
        return FusedLoss(cross_entropy, cross_entropy_backward)
    return None
