"""Layers that torch computes in a few calls, as `manual` does in several. A test holds each to its formula.

Where torch's kernel is another formula the lines of `manual` run: its GELU cancels far below zero, its softplus is cut
off. The kernel of its layer norm's backward pass cancels where the mean is large: it is given x - mean in place of x.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import torch
from torch.nn import functional as F

from manual import BatchNorm1d, Dropout, Layer, LayerNorm, Linear, ReLU, Sigmoid, SiLU, Tanh
from manual.types import Activation

Tensor = torch.Tensor
Needs: TypeAlias = Sequence[bool]  # of dx, then of the gradient of each parameter
aten: Any = torch.ops.aten


class FusedLayer(NamedTuple):
    """A layer whose backward pass needs its input or its output, its own tensors and a few numbers besides.

    Its own tensors are its parameters, then its state: dropout's mask, the running statistics of a batch norm.
    """

    forward: Callable[..., Any]  # y from x and its own tensors; with extras (y, *extras)
    caches: Literal["x", "y"] | None
    # Without tensors of its own: dx from dy and the cache. With them: (dx, *dparams) from dy, the cache, the extras,
    # its own tensors and needs; None where none is needed.
    backward: Callable[..., Any]
    in_place: Callable[..., Tensor] | None = None  # forward, in the memory of x, which is then not the cache
    backward_in_place: Callable[[Tensor, Tensor], Tensor] | None = None  # backward, in the memory of dy
    extras: int = 0  # how many tensors its forward pass makes for its backward pass


def linear_backward(dz: Tensor, x: Tensor, extras: Any, own: Sequence[Tensor], needs: Needs) -> tuple[Any, ...]:
    """dx = dz W, dW = dz^T x, db the column sums of dz."""
    dx = dz.mm(own[0]) if needs[0] else None
    dW = dz.t().mm(x) if needs[1] else None
    return (dx, dW) if len(own) == 1 else (dx, dW, dz.sum(0) if needs[2] else None)


def into(kernel: Any, *options: float) -> Callable[[Tensor, Tensor], Tensor]:
    """A kernel of dz from dh and a cache, that writes dz into the memory of dh."""

    def backward(dh: Tensor, cache: Tensor) -> Tensor:
        dz: Tensor = kernel.grad_input(dh, cache, *options, grad_input=dh)
        return dz

    return backward


def relu_backward(dh: Tensor, h: Tensor) -> Tensor:
    """dh where h > 0, and 0 elsewhere, also where dh is infinite: there `manual` has nan."""
    dz: Tensor = aten.threshold_backward.default(dh, h, 0)
    return dz


def layer_norm(layer: LayerNorm, stateful: bool) -> FusedLayer:
    """Extras: the mean of each row and 1 / s."""
    shape, eps = (layer.n,), layer.eps

    def forward(x: Tensor, gamma: Tensor, beta: Tensor) -> Any:
        return torch.native_layer_norm(x, shape, gamma, beta, eps)

    def backward(dy: Tensor, x: Tensor, extras: Sequence[Tensor], own: Sequence[Tensor], needs: Needs) -> Any:
        mean, one_over_s = extras
        zero = torch.zeros_like(mean)  # the mean of x - mean
        return aten.native_layer_norm_backward.default(dy, x - mean, shape, zero, one_over_s, *own, needs)

    return FusedLayer(forward, "x", backward, extras=2)


def batch_norm(layer: BatchNorm1d, stateful: bool) -> FusedLayer:
    """Extras: mean and variance of the batch, unless it takes the running ones, which are then its state."""
    eps = layer.eps

    def by(x: Tensor, gamma: Tensor, beta: Tensor, mean: Tensor, var: Tensor) -> Tensor:
        y: Tensor = torch.native_batch_norm(x, gamma, beta, mean, var, False, 0.0, eps)[0]
        return y

    def by_batch(x: Tensor, gamma: Tensor, beta: Tensor) -> Any:
        var, mean = torch.var_mean(x, 0, correction=0)
        return by(x, gamma, beta, mean, var), mean, var

    def backward(dy: Tensor, x: Tensor, extras: Sequence[Tensor], own: Sequence[Tensor], needs: Needs) -> Any:
        gamma, _, *running = own
        mean, var = running or extras
        statistics = (mean, var, None, None) if running else (None, None, mean, (var + eps).rsqrt())
        return aten.native_batch_norm_backward.default(dy, x, gamma, *statistics, not running, eps, needs)

    return FusedLayer(by, "x", backward) if stateful else FusedLayer(by_batch, "x", backward, extras=2)


def dropout(layer: Dropout, stateful: bool) -> FusedLayer | None:
    """x o m / (1 - p). Without a mask it is no step of a line."""
    kept = 1 - layer.p

    def forward(x: Tensor, mask: Tensor) -> Tensor:
        return x * (mask / kept)

    def backward(dy: Tensor, cache: Any, extras: Any, own: Sequence[Tensor], needs: Needs) -> Any:
        return (dy * (own[0] / kept),)

    return FusedLayer(forward, None, backward) if stateful else None


LAYERS: dict[type, FusedLayer] = {
    Linear: FusedLayer(F.linear, "x", linear_backward),
    Tanh: FusedLayer(torch.tanh, "y", aten.tanh_backward.default, torch.tanh_, into(aten.tanh_backward)),
    Sigmoid: FusedLayer(torch.sigmoid, "y", aten.sigmoid_backward.default, torch.sigmoid_, into(aten.sigmoid_backward)),
    ReLU: FusedLayer(torch.relu, "y", relu_backward, torch.relu_, into(aten.threshold_backward, 0)),
    SiLU: FusedLayer(F.silu, "x", aten.silu_backward.default, None, into(aten.silu_backward)),
}
# Those with options, or with a state: given the layer, and whether it takes its state.
MADE: dict[type, Callable[[Any, bool], FusedLayer | None]] = {
    LayerNorm: layer_norm,
    BatchNorm1d: batch_norm,
    Dropout: dropout,
}


def fused_layer(layer: Layer, stateful: bool = False) -> FusedLayer | None:
    """The entry of a layer, or its lines in `manual` if it is an activation; None where it has neither."""
    if isinstance(layer, Linear) and layer.mask is not None:
        return None
    if type(layer) in MADE:
        return MADE[type(layer)](layer, stateful)
    return LAYERS.get(type(layer)) or (as_written(layer) if isinstance(layer, Activation) else None)


def as_written(layer: Any) -> FusedLayer | None:
    """The lines of an activation in `manual`; None unless all it keeps is its input or its output.

    And unless its results are new arrays, since the next step may write into them.
    """
    z, dh = torch.zeros(1, 1), torch.ones(1, 1)
    h, cache = layer.forward({}, z)
    if h is z or len(cache) != 1 or not (cache[0] is z or cache[0] is h) or layer.backward({}, cache, dh)[0] is dh:
        return None
    return FusedLayer(
        lambda z: layer.forward({}, z)[0],
        "x" if cache[0] is z else "y",
        lambda dh, kept: layer.backward({}, type(cache)(kept), dh)[0],
    )
