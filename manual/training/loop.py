"""The loop of every training. What makes a step is a `Side`: by hand on any array library, or a torch module.

Both sides see the same batches, masks, learning rates and clipping, so that their curves can be laid over each other.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import inf, isfinite, prod
from typing import Any, Protocol

import numpy as np

from manual.layers.batch_norm import Running
from manual.namespace import at_hand
from manual.optimizers.clipping import clip, gradient_norm
from manual.training.batches import Samples, has_masks, masks, outputs, shuffle
from manual.training.compiled import Compiled, Floats, Rows
from manual.training.interrupts import interrupts
from manual.training.plan import TrainingPlan
from manual.training.state import NonFiniteLossError, Record, Training, likely_reason
from manual.types import Array, Grads, Params

ROWS = 256  # in evaluation, at least so many rows at a time
# Steps that are one program, and parameters times rows of them, at most: Ctrl-C waits for its end, some tenths of a
# second, and masks are drawn for all of them before.
STEPS, WORK = 1_000, 1_000_000_000


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
    several = isinstance(side, Compiled)
    for batches in blocks(order[done.step % plan.batches * size :], size, several_steps(plan) if several else 1):
        if isinstance(side, Compiled):
            train_block(side, plan, done, batches)
        else:
            train_batch(side, plan, done, batches[0])
        if asked:
            break
    if done.step % plan.batches:
        return False
    done.history, done.record, done.epoch = (*done.history, done.record | evaluate(side, plan)), {}, done.epoch + 1
    return True


def several_steps(plan: TrainingPlan) -> int:
    """How many steps one program may make."""
    parameters: int = sum(prod(a.shape) for layer in plan.start.params for a in layer.values())
    return max(1, min(STEPS, WORK // (plan.settings.batch_size * parameters)))


def blocks(order: Rows, size: int, most: int) -> Iterator[Rows]:
    """The rows of some batches at a time, (K, size) with K <= most, as often as possible as many; then what is left."""
    whole = len(order) // size
    even = order[: whole * size].reshape(whole, size)
    several = -(-whole // -(-whole // most)) if whole else 1
    yield from (even[i : i + several] for i in range(0, whole, several))
    if len(order) > whole * size:
        yield order[None, whole * size :]


def train_batch(side: Side, plan: TrainingPlan, done: Progress, rows: Rows) -> None:
    """Make one step. Raises NonFiniteLossError, before the step, where the loss or its gradient is not finite."""
    x, target = plan.samples.take(rows)
    lr = plan.lr * plan.settings.factor(done.step)
    with np.errstate(all="ignore"):  # what overflows ends in the error below
        E, dparams = side.gradients(x, target, masks(plan.network, x, plan.start.seed, done.step))
        norm = gradient_norm(dparams)
    check_finite(side, plan, done, rows, lr, E, norm)
    side.step(clip(dparams, norm, plan.settings.clip_norm), lr)
    note_steps(plan, done, lr, np.asarray([E]), np.asarray([norm]), len(rows))


def train_block(side: Compiled, plan: TrainingPlan, done: Progress, batches: Rows) -> None:
    """Make a step for each of these batches, all of one size. Raises what train_batch raises."""
    steps, (count, size) = range(done.step, done.step + len(batches)), batches.shape
    lrs = plan.lr * plan.settings.factors(steps)
    states = None
    if has_masks(plan.network):
        x = at_hand(plan.samples.x)[:size]  # drawn by NumPy: JAX would take longer for them than for the steps
        states = [masks(plan.network, x, plan.start.seed, step) for step in steps]
    Es, norms = side.run(plan.samples, batches, lrs, states, plan.settings.clip_norm)
    finite = np.isfinite(Es + norms)
    good = count if finite.all() else int(finite.argmin())
    if good:
        note_steps(plan, done, float(lrs[good - 1]), Es[:good], norms[:good], size)
    if good < count:
        check_finite(side, plan, done, batches[good], float(lrs[good]), float(Es[good]), float(norms[good]))


def check_finite(side: Side, plan: TrainingPlan, done: Progress, rows: Rows, lr: float, E: float, norm: float) -> None:
    """Raise NonFiniteLossError unless the loss and its gradient are finite."""
    if not isfinite(E + norm):
        reason = likely_reason(plan.samples.take(rows)[0], lr, done.norms)
        raise NonFiniteLossError(done.step + 1, reason, done.training(side, plan.start.seed))


def note_steps(plan: TrainingPlan, done: Progress, lr: float, Es: Floats, norms: Floats, rows: int) -> None:
    """Write down steps that were made on so many rows each, the last of them at this learning rate."""
    settings, count = plan.settings, len(Es)
    before = done.step % plan.batches  # steps made in this epoch
    made = before + count
    share = count / made if plan.loss_sums else count * rows / (before * settings.batch_size + count * rows)
    done.step, done.norms = done.step + count, [*(done.norms or norms[:1].tolist())[:1], float(norms[-1])]
    loss, grad_norm = done.record.get("loss", 0.0), done.record.get("grad_norm", 0.0)
    done.record = {
        "epoch": done.epoch + 1,
        "step": done.step,
        "loss": loss + (float(Es.mean()) - loss) * share,  # of the samples so far; for sums, of the batches
        "lr": lr,
        "grad_norm": grad_norm + (float(norms.mean()) - grad_norm) * count / made,  # before clipping
    }
    if settings.on_step:
        for step, E in enumerate(Es.tolist(), done.step - count + 1):
            settings.on_step(E, step)


def evaluate(side: Side, plan: TrainingPlan) -> Record:
    """The metrics on the training samples, and loss and metrics on those to validate on."""
    found: Record = {}
    with np.errstate(all="ignore"):
        if plan.metrics:
            y, target = evaluated(side, plan, plan.samples)
            found |= {name: float(f(y, target)) for name, f in plan.metrics.items()}
        if plan.validation:
            y, target = evaluated(side, plan, plan.validation)
            found["val_loss"] = side.loss(y, target)
            found |= {f"val_{name}": float(f(y, target)) for name, f in plan.metrics.items()}
    return found


def evaluated(side: Side, plan: TrainingPlan, samples: Samples) -> tuple[Array, Array]:
    """y and target of all these samples."""
    size = max(plan.settings.batch_size, ROWS)
    return side.outputs(samples, size) if isinstance(side, Compiled) else outputs(side.output, samples, size)


def best_at(plan: TrainingPlan) -> Training | None:
    """With patience the best epoch so far of the training to resume: itself, if it knows no better one."""
    start = plan.start
    if not plan.settings.patience or start.step % plan.batches or not start.history:
        return start.best if plan.settings.patience else None
    return start.best or (start if "val_loss" in start.history[-1] else None)


def is_better(now: Training, best: Training | None) -> bool:
    """Whether its val_loss is lower; nan never is."""
    return bool(now.history[-1]["val_loss"] < (inf if best is None else best.history[-1]["val_loss"]))
