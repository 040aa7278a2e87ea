"""A network measured where it stands, on some samples: its loss, its gradients, its units."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from manual import (
    Array,
    BinaryCrossEntropy,
    Loss,
    Network,
    Params,
    SoftmaxCrossEntropy,
    SquaredError,
    loss_and_gradients,
)
from manual.losses.reduction import sums
from manual.names import output_names, param_names
from manual.types import Activation

BOUNDED = ("sigmoid", "tanh")  # activations with flat ends on both sides
FLAT = 0.05  # of the steepest slope: less is a flat end
DEAD = 1e-3  # of the steepest slope: less lets no gradient through
DIGITS = 5  # in which units that are alike agree


class Units(NamedTuple):
    """One activation on some samples."""

    name: str  # "h1"
    n: int
    hidden: bool  # whether a layer comes after it
    dead: int  # units without slope at every sample
    alike: int  # units whose output another unit has too, at every sample; of hidden ones that are not dead
    saturated: float | None  # the share of outputs on a flat end; None where the activation has none


def mean_loss(loss: Loss, y: Array, target: Array) -> float:
    """The loss, of one sample on average."""
    return per_sample(loss, float(loss.forward(y, target)[0]), len(y))


def per_sample(loss: Loss, E: float, N: int) -> float:
    """E of a batch of N, of one sample on average."""
    return E / N if sums(loss) else E


def chance(loss: Loss, y: Array, target: Array) -> float:
    """The loss of one output for all samples: even logits, or the mean target. y: any output, for its shape.

    Where all targets are one, their mean would be right; then the output is zero.
    """
    constant = np.zeros_like(y)
    if isinstance(loss, SquaredError) and np.ptp(target, axis=0).any():
        constant = constant + target.mean(axis=0)
    return mean_loss(loss, constant, target)


def best_constant(loss: Loss, y: Array, target: Array, seen: Array) -> float:
    """The loss of the best output that is one for all samples: to logits it says how frequent each class is.

    seen: all targets, whose frequencies they are, for a few samples may have a rare class or not. Where all of them are
    one the output would be right; then it is chance. y: any output, for its shape.
    """
    if not np.ptp(seen, axis=0).any():
        return chance(loss, y, target)
    tiny = np.finfo(y.dtype).tiny
    constant = np.zeros_like(y)
    if isinstance(loss, SoftmaxCrossEntropy):
        like = np.broadcast_to(y[:1], (len(seen), y.shape[1]))
        constant += np.log(np.maximum(loss.weighted(like, seen)[0].mean(axis=0), tiny))
    elif isinstance(loss, BinaryCrossEntropy):
        rate = seen.mean(axis=0)
        constant += np.log(np.maximum(rate, tiny)) - np.log(np.maximum(1 - rate, tiny))
    else:
        return chance(loss, y, target)
    return mean_loss(loss, constant, target)


def least(loss: Loss, y: Array, target: Array) -> float:
    """The loss of an output that says the target: not zero where targets are probabilities."""
    tiny = np.finfo(y.dtype).tiny
    if isinstance(loss, SoftmaxCrossEntropy):
        return mean_loss(loss, np.log(np.maximum(loss.weighted(y, target)[0], tiny)), target)
    if isinstance(loss, BinaryCrossEntropy):
        return mean_loss(loss, np.log(np.maximum(target, tiny)) - np.log(np.maximum(1 - target, tiny)), target)
    return 0.0


def gradient_norms(network: Network, params: Sequence[Params], x: Array, target: Array, loss: Loss) -> dict[str, float]:
    """The norm of dW of each linear layer, by the name of W."""
    _, dparams = loss_and_gradients(network, params, x, target, loss)
    return {name: norm(dparams[i]["dW"]) for i, name in weight_names(network).items()}


def weight_names(network: Network) -> dict[int, str]:
    """The layers that have a W, and its name in the network."""
    return {i: names["W"] for i, names in enumerate(param_names(network.layers)) if "W" in names}


def norm(array: Array) -> float:
    """The root of the sum of all squares, in float64."""
    return float(np.sqrt(np.sum(np.square(array, dtype=np.float64))))


def measure_units(network: Network, params: Sequence[Params], x: Array) -> tuple[Units, ...]:
    """Every activation of the network on these samples."""
    return tuple(_units(network, params, x))


def _units(network: Network, params: Sequence[Params], x: Array) -> Iterator[Units]:
    _, trace = network.forward(params, x)
    names = output_names(network.layers)
    for i, (layer, stage) in enumerate(zip(network.layers, trace, strict=True)):
        if not isinstance(layer, Activation):
            continue
        slope = np.abs(layer.backward({}, stage.cache, np.ones_like(stage.y))[0])
        full = steepest(layer, stage.y.dtype)
        dead = slope.max(axis=0) < DEAD * full
        hidden = i + 1 < len(network.layers)
        saturated = float((slope < FLAT * full).mean()) if layer.facts.tag in BOUNDED else None
        alike = count_alike(stage.y[:, ~dead]) if hidden else 0
        yield Units(names[i], len(dead), hidden, int(dead.sum()), alike, saturated)


def steepest(layer: Any, dtype: Any) -> float:
    """The slope of an activation where it lets a gradient through: at 0, or at 1 where that is steeper."""
    z = np.array([[0.0, 1.0]], dtype=dtype)
    _, cache = layer.forward({}, z)
    return float(np.abs(layer.backward({}, cache, np.ones_like(z))[0]).max())


def count_alike(h: Array) -> int:
    """How many columns of h (N, n) another column equals, to DIGITS digits of the largest entry.

    >>> count_alike(np.array([[1.0, 2.0, 1.0], [3.0, 4.0, 3.0]]))
    2
    """
    scale = np.abs(h).max(initial=0.0) or 1.0
    _, counts = np.unique(np.round(h / scale, DIGITS), axis=1, return_counts=True)
    return int(counts[counts > 1].sum())
