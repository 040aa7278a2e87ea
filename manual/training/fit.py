"""Training by hand-derived gradients: the step is in hand.py, the loop around it, with the batches, in loop.py."""

from collections.abc import Callable, Sequence
from typing import Any

from manual.network import Network
from manual.optimizers.schedules import Schedule
from manual.training.compiler import compiled_side
from manual.training.hand import Hand
from manual.training.loop import train
from manual.training.metrics import Metric
from manual.training.plan import make_plan
from manual.training.settings import Callback, Settings
from manual.training.state import Training
from manual.types import Array, Loss, Params


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
    compile: bool = False,
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
    compile      JAX makes one program of an epoch's steps, torch of each step: the same numbers, to rounding. The
                 first step takes seconds. on_step is called, and Ctrl-C looked at, behind the steps of one program.
                 ValueError for NumPy, which nothing compiles
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
        epochs=epochs, batch_size=batch_size, seed=seed, validation=validation, metrics=metrics, schedule=schedule,
        patience=patience, clip_norm=clip_norm, callbacks=callbacks, on_step=on_step, shuffle=shuffle, alpha=alpha,
        train_biases=train_biases,
    )  # fmt: skip
    plan = make_plan(network, params, x, target, loss, optimizer, settings, resume)
    side = compiled_side if compile else Hand
    return train(side(network, loss, optimizer, plan.start, alpha=alpha, train_biases=train_biases), plan)
