"""The hand-derived side of the loop: forward, loss, backward and update on any array library."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from manual.layers.batch_norm import BatchNorm1d, Running
from manual.namespace import array_namespace
from manual.network import Network, Stage
from manual.training.state import Training
from manual.types import Array, Grads, Loss, Params

Statistics: TypeAlias = tuple[Running | None, ...]  # per layer batch norm's running statistics, or None


class Hand:
    """The hand-derived side of the loop, on the array library of the parameters."""

    def __init__(
        self,
        network: Network,
        loss: Loss,
        optimizer: Any,
        start: Training,
        *,
        alpha: float = 0.0,
        train_biases: bool = True,
    ) -> None:
        self.network, self.function, self.optimizer = network, loss, optimizer
        self.alpha, self.train_biases = float(alpha), train_biases
        self.params, self.running, self.state = start.params, start.running, start.optimizer_state
        self.next_running = start.running  # the running statistics after the batch of the last gradients

    def gradients(self, x: Array, target: Array, states: Sequence[Any] | None) -> tuple[float, Sequence[Grads]]:
        E, dparams, self.next_running = self.differentiate(self.params, self.running, x, target, states)
        return float(E), dparams

    def differentiate(
        self, params: Sequence[Params], running: Statistics, x: Array, target: Array, states: Sequence[Any] | None
    ) -> tuple[Array, tuple[Grads, ...], Statistics]:
        """E, the gradients of the parameters, and the running statistics that follow. Changes nothing."""
        y, trace = self.network.forward(params, x, states)
        E, cache = self.function.forward(y, target)
        dy = self.function.backward(cache, 1.0)
        _, dparams = self.network.backward(params, trace, dy, need_dx=False)
        if self.alpha:
            E, dparams = penalise(E, dparams, params, self.alpha / x.shape[0])
        return E, dparams, update_running(self.network, running, trace)

    def step(self, dparams: Sequence[Grads], lr: float) -> None:
        optimizer = self.optimizer if lr == self.optimizer.lr else replace(self.optimizer, lr=lr)
        self.params, self.state = self.update(optimizer, self.params, dparams, self.state)
        self.running = self.next_running

    def update(
        self, optimizer: Any, params: tuple[Params, ...], dparams: Sequence[Grads], state: Any
    ) -> tuple[tuple[Params, ...], Any]:
        """Parameters and optimizer state after a step. Changes nothing."""
        after, state = optimizer.step(params, dparams, state)
        if not self.train_biases:
            after = tuple(p | {"b": old["b"]} if "b" in old else p for p, old in zip(after, params, strict=True))
        return after, state

    def output(self, x: Array) -> Array:
        return self.network.forward(self.params, x, self.running)[0]

    def loss(self, y: Array, target: Array) -> float:
        return float(self.function.forward(y, target)[0])

    def arrays(self) -> tuple[tuple[Params, ...], tuple[Running | None, ...], Any]:
        return self.params, self.running, self.state


def penalise(
    E: Array, dparams: Sequence[Grads], params: Sequence[Params], strength: float
) -> tuple[Array, tuple[Grads, ...]]:
    """The loss with the penalty strength / 2 sum W^2, and its gradients.

    >>> import numpy as np
    >>> penalise(1.0, [{"dW": 0.5}], [{"W": np.array(2.0)}], 0.1)
    (np.float64(1.2), ({'dW': np.float64(0.7)},))
    """
    # forward: E = loss + strength / 2 sum W^2
    # so:      dW = dloss/dW + strength W
    E = E + strength / 2 * sum(array_namespace(p["W"]).sum(p["W"] * p["W"]) for p in params if "W" in p)
    return E, tuple(
        d | {"dW": d["dW"] + strength * p["W"]} if "W" in p else d for p, d in zip(params, dparams, strict=True)
    )


def update_running(
    network: Network, running: tuple[Running | None, ...], trace: Sequence[Stage]
) -> tuple[Running | None, ...]:
    """Move every batch norm's running statistics towards those of the batch that left this trace."""
    return tuple(
        layer.update_running(kept, stage.cache) if isinstance(layer, BatchNorm1d) and kept else kept
        for layer, kept, stage in zip(network.layers, running, trace, strict=True)
    )
