"""Training by hand-derived gradients: `Hand` is the step; the loop around it, with the batches, is loop.py."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from manual.layers.batch_norm import BatchNorm1d, Running
from manual.network import Network, Stage
from manual.optimizers.schedules import Schedule
from manual.training.loop import train
from manual.training.metrics import Metric
from manual.training.plan import make_plan
from manual.training.settings import Callback, Settings
from manual.training.state import Training
from manual.types import Array, Grads, Loss, Params


def fit(
    network: Network,
    params: Sequence[Params],
    x: Array,
    target: Array,
    loss: Loss,
    optimizer: Any,
    *,
    epochs: int = 10,
    batch_size: int = 32,
    seed: int = 0,
    validation: float | tuple[Array, Array] | None = None,
    metrics: Sequence[str | Metric] = (),
    schedule: Schedule | None = None,
    patience: int | None = None,
    clip_norm: float | None = None,
    callbacks: Sequence[Callback] = (),
    on_step: Callable[[float, int], Any] | None = None,
    shuffle: bool = True,
    alpha: float = 0.0,
    train_biases: bool = True,
    resume: Training | None = None,
) -> Training:
    """Minibatch gradient descent: params <- optimizer(params, dE/dparams), batch after batch, epoch after epoch.

    Shapes: x (N, n_in), target (N, n_out) or class indices (N,), all arrays of one library, dtype and device. What
    `Training` holds is listed there; nothing that came in is changed.

    epochs       counted from the beginning, those of `resume` among them
    validation   samples never trained on: a fraction of these, or (x, target)
    metrics      "accuracy", or functions of (y, target) by their names
    schedule     a factor on the learning rate for every step, from 0 (manual.optimizers.schedules)
    patience     ends after so many epochs without a lower val_loss; then the best epoch's Training is returned
    clip_norm    longer gradients are scaled down to this norm, taken over all parameters
    callbacks    called with the Training after every epoch, and at the end if that is another; True ends the training
    on_step      called with the loss and the number of steps made, after every step
    shuffle      a new order of the samples in every epoch; False: the same one, without validation as they stand
    alpha        the penalty alpha / (2 N) sum W^2 is added to the loss of a batch of N; biases go free
    train_biases False: b stays what it is
    resume       a Training to go on from: bit for bit what would have come without the pause, on the same side

    Ctrl-C ends the training after the step it falls into; the Training returned can be resumed. Raises ValueError and
    TypeError, before anything is computed, for what does not fit, and NonFiniteLossError with the last good Training.

    >>> import numpy as np
    >>> from manual import SGD, BinaryCrossEntropy, mlp
    >>> x = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    >>> t, net = np.array([[0.0], [1.0], [1.0], [0.0]]), mlp([2, 4, 1], "tanh")
    >>> done = fit(net, net.init(0), x, t, BinaryCrossEntropy(), SGD(1.0), epochs=200, batch_size=4)
    >>> done.step, done.history[0]["loss"] > 0.6, done.history[-1]["loss"] < 0.1
    (200, True, True)
    """
    settings = Settings(
        epochs, batch_size, seed, validation, metrics, schedule, patience, clip_norm, callbacks, on_step,
        shuffle, alpha, train_biases,
    )  # fmt: skip
    plan = make_plan(network, params, x, target, loss, optimizer, settings, resume)
    return train(Hand(network, loss, optimizer, plan.start, alpha=alpha, train_biases=train_biases), plan)


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
        y, trace = self.network.forward(self.params, x, states)
        E, cache = self.function.forward(y, target)
        dy = self.function.backward(cache, 1.0)
        _, dparams = self.network.backward(self.params, trace, dy, need_dx=False)
        self.next_running = update_running(self.network, self.running, trace)
        if self.alpha:
            return penalise(float(E), dparams, self.params, self.alpha / x.shape[0])
        return float(E), dparams

    def step(self, dparams: Sequence[Grads], lr: float) -> None:
        optimizer = self.optimizer if lr == self.optimizer.lr else replace(self.optimizer, lr=lr)
        before = self.params
        self.params, self.state = optimizer.step(before, dparams, self.state)
        if not self.train_biases:
            self.params = tuple(
                p | {"b": old["b"]} if "b" in old else p for p, old in zip(self.params, before, strict=True)
            )
        self.running = self.next_running

    def output(self, x: Array) -> Array:
        return self.network.forward(self.params, x, self.running)[0]

    def loss(self, y: Array, target: Array) -> float:
        return float(self.function.forward(y, target)[0])

    def arrays(self) -> tuple[tuple[Params, ...], tuple[Running | None, ...], Any]:
        return self.params, self.running, self.state


def penalise(
    E: float, dparams: Sequence[Grads], params: Sequence[Params], strength: float
) -> tuple[float, tuple[Grads, ...]]:
    """The loss with the penalty strength / 2 sum W^2, and its gradients.

    >>> import numpy as np
    >>> penalise(1.0, [{"dW": 0.5}], [{"W": np.array(2.0)}], 0.1)
    (1.2, ({'dW': np.float64(0.7)},))
    """
    # forward: E = loss + strength / 2 sum W^2
    # so:      dW = dloss/dW + strength W
    E += strength / 2 * sum(float((p["W"] * p["W"]).sum()) for p in params if "W" in p)
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
