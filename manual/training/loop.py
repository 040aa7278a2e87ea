"""The loop of every training. What makes a step is a `Side`: by hand on any array library, or a torch module.

Both sides see the same batches, masks, rates and clipping, so that their curves can be laid over each other.
"""

from collections.abc import Sequence
from math import inf, isfinite
from typing import Any, Protocol

import numpy as np

from manual.layers.batch_norm import Running
from manual.namespace import array_namespace
from manual.optimizers.clipping import clipped, gradient_norm
from manual.training.batches import Samples, masks, shuffled
from manual.training.interrupts import interrupts
from manual.training.plan import Task
from manual.training.state import NonFiniteLossError, Record, Training, likely_reason
from manual.types import Array, Grads, Params

ROWS = 256  # in evaluation, at least so many rows at a time


class Side(Protocol):
    """Parameters, running statistics and optimizer state, and the only ways to use and to change them."""

    def gradients(self, x: Array, target: Array, states: Sequence[Any] | None) -> tuple[float, Sequence[Grads]]:
        """The loss of a batch in training, and the gradients of the parameters. Changes nothing."""

    def step(self, dparams: Sequence[Grads], lr: float) -> None:
        """One step of the optimizer, and of the running statistics, which saw the batch of the last gradients."""

    def output(self, x: Array) -> Array:
        """y in evaluation: no dropout, running statistics."""

    def loss(self, y: Array, target: Array) -> float:
        """E."""

    def arrays(self) -> tuple[tuple[Params, ...], tuple[Running | None, ...], Any]:
        """Parameters, running statistics and optimizer state, which no later step changes."""


def train(side: Side, task: Task) -> Training:
    """From task.start to the last epoch, to the one that patience or a callback ends, or to Ctrl-C."""
    settings, start, batches = task.settings, task.start, task.batches
    epoch, step, best, patience = start.epoch, start.step, best_at(task), settings.patience or settings.epochs
    history, record = begun_epoch(start, batches)
    norms: list[float] = []  # of the first gradient and the last
    now = handed_out = start

    def training() -> Training:
        return Training(*side.arrays(), (*history, record) if record else history, epoch, step, start.seed, best)

    with interrupts() as asked:
        while epoch < settings.epochs and (best is None or epoch < best.epoch + patience):
            order = shuffled(task.samples.rows, start.seed, epoch)
            for k in range(step % batches, batches):
                x, target = task.samples.take(order[k * settings.batch_size : (k + 1) * settings.batch_size])
                lr = task.lr * settings.factor(step)
                with np.errstate(all="ignore"):  # what overflows ends in the error below
                    E, dparams = side.gradients(x, target, masks(task.network, x, start.seed, step))
                    norm = gradient_norm(dparams)
                if not isfinite(E + norm):
                    raise NonFiniteLossError(step + 1, likely_reason(x, lr, norms), training())
                side.step(clipped(dparams, norm, settings.clip_norm), lr)
                step, norms = step + 1, [*norms[:1], norm]
                rows = x.shape[0]
                share = 1 / (k + 1) if task.loss_sums else rows / (k * settings.batch_size + rows)
                record = averaged(record, k + 1, share, epoch + 1, step, E, lr, norm)
                if settings.on_step:
                    settings.on_step(E, step)
                if asked:
                    break
            if step % batches:  # stopped in the middle
                now = training()
                break
            history, record, epoch = (*history, record | evaluated(side, task)), {}, epoch + 1
            now = handed_out = training()
            if settings.patience and is_better(now, best):
                now = handed_out = best = now._replace(best=None)
            if any([f(now) is True for f in settings.callbacks]) or asked:  # all are called
                break
    if best is not None and not (asked and epoch < settings.epochs):
        now = best if best is handed_out else best._replace(history=history)
    if now is not handed_out:
        for f in settings.callbacks:
            f(now)
    return now


def begun_epoch(start: Training, batches: int) -> tuple[tuple[Record, ...], Record]:
    """The records of whole epochs, and of the epoch in whose middle the training begins (else empty)."""
    return (start.history[:-1], start.history[-1]) if start.step % batches else (start.history, {})


def averaged(record: Record, k: int, share: float, epoch: int, step: int, E: float, lr: float, norm: float) -> Record:
    """The epoch's record after its k-th step, the means moved on: so a record is all that a resumed mean needs.

    share: how much of the epoch's samples so far this batch has, or of its batches where their losses are sums. So
    loss is the mean over the samples also where the last batch is short, and for sums that of the batches.
    """
    loss, grad_norm = record.get("loss", 0.0), record.get("grad_norm", 0.0)
    return {
        "epoch": epoch,
        "step": step,
        "loss": loss + (E - loss) * share,
        "lr": lr,
        "grad_norm": grad_norm + (norm - grad_norm) / k,  # before clipping
    }


def evaluated(side: Side, task: Task) -> Record:
    """The metrics on the training samples, and loss and metrics on those held back."""
    found: Record = {}
    with np.errstate(all="ignore"):
        if task.metrics:
            y, target = outputs(side, task.samples, task.settings.batch_size)
            found |= {name: float(f(y, target)) for name, f in task.metrics.items()}
        if task.held_back:
            y, target = outputs(side, task.held_back, task.settings.batch_size)
            found["val_loss"] = side.loss(y, target)
            found |= {f"val_{name}": float(f(y, target)) for name, f in task.metrics.items()}
    return found


def outputs(side: Side, samples: Samples, batch_size: int) -> tuple[Array, Array]:
    """y and target of all these samples, a part at a time."""
    rows, size = samples.rows, max(batch_size, ROWS)
    parts = [side.output(samples.take(rows[i : i + size])[0]) for i in range(0, len(rows), size)]
    return array_namespace(parts[0]).concat(parts, axis=0), samples.take(rows)[1]


def best_at(task: Task) -> Training | None:
    """With patience the best epoch so far of the training to resume: itself, if it knows no better one."""
    start = task.start
    if not task.settings.patience or start.step % task.batches or not start.history:
        return start.best if task.settings.patience else None
    return start.best or (start if "val_loss" in start.history[-1] else None)


def is_better(now: Training, best: Training | None) -> bool:
    """Whether its val_loss is lower; nan never is."""
    return bool(now.history[-1]["val_loss"] < (inf if best is None else best.history[-1]["val_loss"]))
