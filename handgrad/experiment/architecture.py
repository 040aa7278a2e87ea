"""The network that the options of a training ask for, its schedule and its optimizer."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from manual import SGD, Adam, AdamW, BatchNorm1d, Dropout, LayerNorm, Linear, Network
from manual.layers.activations import DIFFERENTIABLE, activation
from manual.optimizers.schedules import Schedule, cosine, exponential, step_decay
from manual.types import Layer

OPTIMIZERS: dict[str, Any] = {"sgd": SGD(0.1), "adam": Adam(1e-3), "adamw": AdamW(1e-3)}
SATURATING = ("identity", "sigmoid", "tanh")  # begin with Xavier's weights, all others with He's
NORMS: dict[str, Callable[[int], Layer]] = {"batch": BatchNorm1d, "layer": LayerNorm}
SCHEDULES: dict[str, Callable[[int], Schedule]] = {  # of all steps of a training
    "cosine": cosine,
    "exponential": lambda steps: exponential(steps, 0.01),
    "step": lambda steps: step_decay(-(-steps // 3), 0.1),
}
SHAPES = {"cosine": "to 0 along a cosine", "exponential": "to a hundredth", "step": "to a tenth after each third"}


def build(sizes: Sequence[int], activations: str, norm: str | None = None, dropout: float = 0.0) -> Network:
    """Linear layers of these sizes; after each but the last the norm, the activation and dropout that are asked for.

    activations: one name, or one for each hidden layer, "relu,tanh".

    >>> [layer.facts.tag for layer in build([3, 2, 1], "tanh", "layer", 0.5).layers]
    ['linear', 'layer_norm', 'tanh', 'dropout', 'linear']
    """
    *hidden, last = pairwise(sizes)
    layers: list[Layer] = []
    for (n_in, n), name in zip(hidden, per_layer(activations, len(hidden)), strict=True):
        layers += [Linear(n_in, n), *([NORMS[norm](n)] if norm else []), activation(name)]
        layers += [Dropout(dropout)] if dropout else []
    return Network((*layers, Linear(*last)))


def per_layer(activations: str, hidden: int) -> list[str]:
    """An activation's name for each hidden layer. ValueError for unknown ones and for another number of them."""
    names = activations.split(",")
    for name in names:
        if name not in DIFFERENTIABLE:
            known = ", ".join(DIFFERENTIABLE)
            raise ValueError(f"--activation: invalid choice: {name!r}, expected {known}, or one for each hidden layer")
    if len(names) not in (1, hidden):
        raise ValueError(
            f"--activation is {activations}, {len(names)} names for {hidden} hidden layers; give one for each, or one "
            "alone for all"
        )
    return names * hidden if len(names) == 1 else names


def initial_weights(activations: str) -> str:
    """By whom the first weights are."""
    return "xavier_uniform" if set(activations.split(",")) <= set(SATURATING) else "he_uniform"


def make_optimizer(name: str, lr: float, weight_decay: float | None) -> Any:
    """The optimizer by its name, with its own weight decay where none is given."""
    own = replace(OPTIMIZERS[name], lr=lr)
    return own if weight_decay is None else replace(own, weight_decay=weight_decay)
