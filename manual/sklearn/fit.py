"""How scikit-learn's training differs from manual/training/fit.py: when it ends, and how it keeps weights."""

from collections.abc import Callable, Sequence
from math import inf

from manual.layers.dropout import Dropout
from manual.layers.linear import Linear
from manual.network import Network
from manual.training.state import Training
from manual.types import Array, Layer, Params


class Watch:
    """A callback that ends a training once `patience` epochs have not bettered its loss, or its score, by tol.

    measure: the score of parameters on validation samples; if it is set, the parameters with the best score are kept.
    """

    def __init__(self, tol: float, patience: float) -> None:
        self.tol, self.patience = tol, patience
        self.measure: Callable[[Sequence[Params]], float] | None = None
        self.scores: list[float] = []
        self.best: tuple[Params, ...] = ()
        self.ended = False

    def __call__(self, training: Training) -> bool:
        costs = [record["loss"] for record in training.history]
        if self.measure:
            score, highest = self.measure(training.params), max(self.scores, default=-inf)
            self.best = training.params if score > highest or not self.best else self.best
            self.scores.append(score)
            costs = [-score for score in self.scores]
        self.ended = epochs_without_gain(costs, self.tol) > self.patience
        return self.ended


def print_epoch(training: Training) -> None:
    """A callback that prints the epoch's loss, in scikit-learn's words."""
    print(f"Iteration {training.epoch}, loss = {training.history[-1]['loss']:.8f}")


def perceptron(n_in: int, hidden: Sequence[tuple[int, Layer, float]], n_out: int) -> Network:
    """Linear layers; after each hidden one its activation, and dropout where its rate is not 0."""
    layers: list[Layer] = []
    for n, activation, rate in hidden:
        layers += [Linear(n_in, n), activation, *([Dropout(rate)] if rate else [])]
        n_in = n
    return Network((*layers, Linear(n_in, n_out)))


def as_params(network: Network, coefs: Sequence[Array], intercepts: Sequence[Array]) -> tuple[Params, ...]:
    """scikit-learn's weights (n_in, n_out) and biases as the network takes them, W (n_out, n_in). Views, no copies."""
    weights = iter([{"W": W.T, "b": b} for W, b in zip(coefs, intercepts, strict=True)])
    return tuple(next(weights, {}) if isinstance(layer, Linear) else {} for layer in network.layers)


def epochs_without_gain(costs: Sequence[float], tol: float) -> int:
    """For how many epochs, up to the last one, no cost was lower by tol than the lowest before it.

    >>> epochs_without_gain([3.0, 2.0, 1.99, 1.98], 0.1), epochs_without_gain([3.0, 2.0, 1.0], 0.1)
    (2, 0)
    """
    lowest, count = inf, 0
    for cost in costs:
        count = count + 1 if cost > lowest - tol else 0
        lowest = min(lowest, cost)
    return count
