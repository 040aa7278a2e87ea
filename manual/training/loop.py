"""The loop of every training. What makes a step is a `Side`: by hand on any array library, or a torch module.

Both sides see the same batches, masks, learning rates and clipping, so that their curves can be laid over each other.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import inf, isfinite
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from manual.layers.batch_norm import Running
from manual.namespace import array_namespace
from manual.optimizers.clipping import clip, gradient_norm
from manual.training.batches import Samples, masks, shuffle
from manual.training.interrupts import interrupts
from manual.training.plan import TrainingPlan
from manual.training.state import NonFiniteLossError, Record, Training, likely_reason
from manual.types import Array, Grads, Params

ROWS = 256  # in evaluation, at least so many rows at a time
BLOCK = 64  # steps that are one program: Ctrl-C waits for its end, and masks are drawn for all of them before
Rows = NDArray[np.int64]


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


@runtime_checkable
class SeveralSteps(Side, Protocol):
    """A side that makes several steps at once."""

    def run(
        self, samples: Samples, rows: Rows, lrs: Sequence[float], states: Sequence[Any], most: float | None
    ) -> list[tuple[float, float]]:
        """E and the gradient's norm of every step, up to the first that is not finite, which changes nothing.

        rows: (K, N), those of each batch; lrs: K learning rates; states: masks or None for each of the K batches;
        most: the norm to which longer gradients are scaled down.
        """


@dataclass
class Progress:
    """How far a training is."""

    epoch: int  # epochs completed
    step: int  # steps made
    history: tuple[Record, ...]  # one record per epoch completed
    record: Record  # of the epoch in whose middle the training is, else empty
    best: Training | None  # with patience: the epoch of the least val_loss so far
    norms: list[float] = field(default_factory=list)  # of the first gradient and the last

    def training(self, side: Side, seed: int) -> Training:
        """All of it as data."""
        history = (*self.history, self.record) if self.record else self.history
        return Training(*side.arrays(), history, self.epoch, self.step, seed, self.best)


def train(side: Side, plan: TrainingPlan) -> Training:
    """From plan.start to the last epoch, to the one that patience or a callback ends, or to Ctrl-C."""
    settings, done = plan.settings, begin(plan)
    patience = settings.patience or settings.epochs
    now = handed_out = plan.start  # handed_out: the last Training that the callbacks have seen
    with interrupts() as asked:
        while done.epoch < settings.epochs and (done.best is None or done.epoch < done.best.epoch + patience):
            if not train_epoch(side, plan, done, asked):
                now = done.training(side, plan.start.seed)
                break
            now = handed_out = done.training(side, plan.start.seed)
            if settings.patience and is_better(now, done.best):
                now = handed_out = done.best = now._replace(best=None)
            if any([f(now) is True for f in settings.callbacks]) or asked:  # all are called
                break
    best = done.best
    if best is not None and not (asked and done.epoch < settings.epochs):
        now = best if best is handed_out else best._replace(history=done.history)
    if now is not handed_out:
        for f in settings.callbacks:
            f(now)
    return now


def begin(plan: TrainingPlan) -> Progress:
    """Where the training starts: afresh, after an epoch, or in the middle of one, of which the last record is then."""
    start = plan.start
    inside = start.step % plan.batches > 0
    history, record = (start.history[:-1], start.history[-1]) if inside else (start.history, {})
    return Progress(start.epoch, start.step, history, record, best_at(plan))


def train_epoch(side: Side, plan: TrainingPlan, done: Progress, asked: Sequence[int]) -> bool:
    """Make the steps that are left of an epoch. False where Ctrl-C was `asked` for and ends it in the middle."""
    size, rows = plan.settings.batch_size, plan.samples.rows
    order = shuffle(rows, plan.start.seed, done.epoch) if plan.settings.shuffle else rows
    left = [order[k * size : (k + 1) * size] for k in range(done.step % plan.batches, plan.batches)]
    if isinstance(side, SeveralSteps):
        for batches in blocks(left):
            train_block(side, plan, done, batches)
            if asked:
                break
    else:
        for batch in left:
            train_batch(side, plan, done, batch)
            if asked:
                break
    if done.step % plan.batches:
        return False
    done.history, done.record, done.epoch = (*done.history, done.record | evaluate(side, plan)), {}, done.epoch + 1
    return True


def blocks(batches: Sequence[Rows]) -> Iterator[Sequence[Rows]]:
    """So many at once as one program makes, as often as possible equally many; a last, smaller batch alone."""
    even = [batch for batch in batches if len(batch) == len(batches[0])]
    several = -(-len(even) // -(-len(even) // BLOCK))
    yield from (even[i : i + several] for i in range(0, len(even), several))
    yield from ([batch] for batch in batches[len(even) :])


def train_batch(side: Side, plan: TrainingPlan, done: Progress, rows: Rows) -> None:
    """Make one step. Raises NonFiniteLossError, before the step, where the loss or its gradient is not finite."""
    x, target = plan.samples.take(rows)
    lr = plan.lr * plan.settings.factor(done.step)
    with np.errstate(all="ignore"):  # what overflows ends in the error below
        E, dparams = side.gradients(x, target, masks(plan.network, x, plan.start.seed, done.step))
        norm = gradient_norm(dparams)
    check_finite(side, plan, done, rows, lr, E, norm)
    side.step(clip(dparams, norm, plan.settings.clip_norm), lr)
    note_step(plan, done, lr, E, norm, len(rows))


def train_block(side: "SeveralSteps", plan: TrainingPlan, done: Progress, batches: Sequence[Rows]) -> None:
    """Make a step for each of these batches, all of one size. Raises what train_batch raises."""
    x, seed, steps = plan.samples.x[: len(batches[0])], plan.start.seed, range(done.step, done.step + len(batches))
    lrs = [plan.lr * plan.settings.factor(step) for step in steps]
    states = [masks(plan.network, x, seed, step) for step in steps]
    made = side.run(plan.samples, np.stack(batches), lrs, states, plan.settings.clip_norm)
    for rows, lr, (E, norm) in zip(batches, lrs, made, strict=False):
        check_finite(side, plan, done, rows, lr, E, norm)
        note_step(plan, done, lr, E, norm, len(rows))


def check_finite(side: Side, plan: TrainingPlan, done: Progress, rows: Rows, lr: float, E: float, norm: float) -> None:
    """Raise NonFiniteLossError unless the loss and its gradient are finite."""
    if not isfinite(E + norm):
        reason = likely_reason(plan.samples.take(rows)[0], lr, done.norms)
        raise NonFiniteLossError(done.step + 1, reason, done.training(side, plan.start.seed))


def note_step(plan: TrainingPlan, done: Progress, lr: float, E: float, norm: float, rows: int) -> None:
    """Write down a step that was made on so many rows."""
    settings = plan.settings
    k = done.step % plan.batches + 1  # steps made in this epoch
    before = (k - 1) * settings.batch_size
    share = 1 / k if plan.loss_sums else rows / (before + rows)
    done.step, done.norms = done.step + 1, [*done.norms[:1], norm]
    loss, grad_norm = done.record.get("loss", 0.0), done.record.get("grad_norm", 0.0)
    done.record = {
        "epoch": done.epoch + 1,
        "step": done.step,
        "loss": loss + (E - loss) * share,  # the mean over the samples so far; for sums, that of the batches
        "lr": lr,
        "grad_norm": grad_norm + (norm - grad_norm) / k,  # before clipping
    }
    if settings.on_step:
        settings.on_step(E, done.step)


def evaluate(side: Side, plan: TrainingPlan) -> Record:
    """The metrics on the training samples, and loss and metrics on those to validate on."""
    found: Record = {}
    with np.errstate(all="ignore"):
        if plan.metrics:
            y, target = outputs(side, plan.samples, plan.settings.batch_size)
            found |= {name: float(f(y, target)) for name, f in plan.metrics.items()}
        if plan.validation:
            y, target = outputs(side, plan.validation, plan.settings.batch_size)
            found["val_loss"] = side.loss(y, target)
            found |= {f"val_{name}": float(f(y, target)) for name, f in plan.metrics.items()}
    return found


def outputs(side: Side, samples: Samples, batch_size: int) -> tuple[Array, Array]:
    """y and target of all these samples, a part at a time."""
    rows, size = samples.rows, max(batch_size, ROWS)
    parts = [side.output(samples.take(rows[i : i + size])[0]) for i in range(0, len(rows), size)]
    return array_namespace(parts[0]).concat(parts, axis=0), samples.take(rows)[1]


def best_at(plan: TrainingPlan) -> Training | None:
    """With patience the best epoch so far of the training to resume: itself, if it knows no better one."""
    start = plan.start
    if not plan.settings.patience or start.step % plan.batches or not start.history:
        return start.best if plan.settings.patience else None
    return start.best or (start if "val_loss" in start.history[-1] else None)


def is_better(now: Training, best: Training | None) -> bool:
    """Whether its val_loss is lower; nan never is."""
    return bool(now.history[-1]["val_loss"] < (inf if best is None else best.history[-1]["val_loss"]))
