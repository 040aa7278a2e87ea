"""How scikit-learn's training differs from manual/training/fit.py: its start, its momentum, how it keeps weights."""

from collections.abc import Sequence

import numpy as np

from manual.layers.dropout import Dropout
from manual.layers.identity import Identity
from manual.layers.linear import Linear
from manual.network import Network
from manual.optimizers.clipping import scaled
from manual.presets import preset
from manual.training.hand import Hand
from manual.types import Activation, Array, Grads, Layer, Params


class SteadyHand(Hand):
    """The hand-derived side with a momentum of steps, not of gradients: one made at a higher rate keeps its length."""

    def step(self, dparams: Sequence[Grads], lr: float) -> None:
        # scikit-learn: v <- m v - lr dW, W <- W + v; ours: buf <- m buf + dW, W <- W - lr buf
        # so:           both are the same at one rate L, with lr / L dW for the gradient
        factor = lr / self.optimizer.lr
        super().step(dparams if factor == 1 else scaled(dparams, factor), self.optimizer.lr)


def perceptron(n_in: int, hidden: Sequence[tuple[int, Layer, float]], n_out: int) -> Network:
    """Linear layers; after each hidden one its activation, and dropout where its rate is not 0."""
    layers: list[Layer] = []
    for n, activation, rate in hidden:
        layers += [Linear(n_in, n), activation, *([Dropout(rate)] if rate else [])]
        n_in = n
    return Network((*layers, Linear(n_in, n_out)))


def start_params(network: Network, seed: int, dtype: str) -> tuple[Params, ...]:
    """scikit-learn's start weights and biases; with sigmoid units smaller ones. Each layer's by its own activation.

    The output layer's are by the activation before it, as there.
    """
    rng, source = np.random.default_rng(seed), preset("sklearn")
    params: list[Params] = []
    between: Layer = Identity()
    for i, layer in enumerate(network.layers):
        params.append({})
        if isinstance(layer, Linear):
            between = next((own for own in network.layers[i:] if isinstance(own, Activation)), between)
            W, b = next(source.start((layer.n_in, layer.n_out), rng, between))
            params[-1] = {"W": W.astype(dtype), "b": b.astype(dtype)}
    return tuple(params)


def as_params(network: Network, coefs: Sequence[Array], intercepts: Sequence[Array]) -> tuple[Params, ...]:
    """scikit-learn's weights (n_in, n_out) and biases as the network takes them, W (n_out, n_in). Views, no copies."""
    weights = iter([{"W": W.T, "b": b} for W, b in zip(coefs, intercepts, strict=True)])
    return tuple(next(weights, {}) if isinstance(layer, Linear) else {} for layer in network.layers)
