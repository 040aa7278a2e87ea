"""How scikit-learn's training differs from manual/training/fit.py: when it ends, and how it keeps weights."""

from collections.abc import Callable, Sequence
from math import inf

from manual.layers.dropout import Dropout
from manual.layers.linear import Linear
from manual.network import Network
from manual.optimizers.clipping import scaled
from manual.optimizers.schedules import Schedule
from manual.training.hand import Hand
from manual.training.state import Training
from manual.types import Array, Grads, Layer, Params

LEAST = 1e-6  # a learning rate that falls no further


class Watch:
    """A callback that ends a training once `patience` epochs have not bettered its loss, or its score, by tol.

    measure: the score of parameters on validation samples; if it is set, the parameters with the best score are kept.
    lowest: the loss of trainings before that this one goes on from.
    falls: where the training would end, the learning rate falls to a fifth of itself instead, while it is above LEAST.
    """

    def __init__(self, tol: float, patience: float, lr: float = 0.0, *, falls: bool = False) -> None:
        self.tol, self.patience, self.lowest = tol, patience, inf
        self.lr, self.factor, self.falls, self.since = lr, 1.0, falls, 0
        self.measure: Callable[[Sequence[Params]], float] | None = None
        self.scores: list[float] = []
        self.best: tuple[Params, ...] = ()
        self.ended = False

    def __call__(self, training: Training) -> bool:
        costs = [self.lowest, *(record["loss"] for record in training.history)]
        if self.measure:
            score, highest = self.measure(training.params), max(self.scores, default=-inf)
            self.best = training.params if score > highest or not self.best else self.best
            self.scores.append(score)
            costs = [-score for score in self.scores]
        settled = min(epochs_without_gain(costs, self.tol), training.epoch - self.since) > self.patience
        if settled and self.falls and self.lr * self.factor > LEAST:
            self.factor, self.since = self.factor / 5, training.epoch
            return False
        self.ended = settled
        return self.ended


def falling_rate(watch: Watch, power: float, before: int, samples: int, batches: int, *, once: bool) -> Schedule:
    """The factor on the learning rate that `learning_rate` says, for the step of a training.

    invscaling: 1 / (t + 1)^power after t samples, those of trainings before among them; the first epoch of a fit has
    the whole rate. adaptive: as the watch says. power 0 is a constant rate.
    """

    def factor(step: int) -> float:
        seen: int = (before if step >= batches or once else 0) + step // batches * samples
        return float(watch.factor / (seen + 1) ** power)

    return factor


class SteadyHand(Hand):
    """The hand-derived side with a momentum of steps, not of gradients: one made at a higher rate keeps its length."""

    def step(self, dparams: Sequence[Grads], lr: float) -> None:
        # scikit-learn: v <- m v - lr dW, W <- W + v; ours: buf <- m buf + dW, W <- W - lr buf
        # so:           both are the same at one rate L, with lr / L dW for the gradient
        factor = lr / self.optimizer.lr
        super().step(dparams if factor == 1 else scaled(dparams, factor), self.optimizer.lr)


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
