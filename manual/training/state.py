"""A training as data: all that `fit` knows after a step, which is all that a checkpoint holds.

Randomness is drawn anew from (seed, epoch, step), so no generator has to be kept: a Training continues bit for bit on
the same side, and to rounding on another.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

from manual.layers.batch_norm import Running
from manual.namespace import array_namespace
from manual.types import Array, Params

UNSCALED = 100  # inputs larger than this name themselves as the likely reason of an overflow

Record: TypeAlias = dict[str, Any]  # one epoch: names to ints and floats


class Training(NamedTuple):
    """Parameters, and what it takes to go on from them: arrays, ints, floats and strings."""

    params: tuple[Params, ...]
    running: tuple[Running | None, ...]  # per layer batch norm's running statistics, or None
    optimizer_state: Any  # as the optimizer's `initial` and `step` give it
    history: tuple[Record, ...]  # one record per epoch; in the middle of an epoch the last one is of the part done
    epoch: int  # epochs completed
    step: int  # steps made
    seed: int
    best: "Training | None" = None  # with patience: the epoch of the least val_loss so far, where it is not this one


class NonFiniteLossError(ArithmeticError):
    """The loss or its gradient is not finite. The step (from 1), the likely reason, and the last good Training."""

    def __init__(self, step: int, reason: str, training: Training) -> None:
        super().__init__(f"the loss or its gradient is not finite at step {step}; {reason}")
        self.step, self.reason, self.training = step, reason, training

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.step, self.reason, self.training)


def likely_reason(x: Array, lr: float, norms: Sequence[float]) -> str:
    """Why a loss is not finite, by the batch, the learning rate and the norms of the first and last good gradient."""
    xp = array_namespace(x)
    largest = float(xp.max(xp.abs(x)))
    if largest > UNSCALED:
        return (
            f"inputs are as large as {largest:.3g}, which saturates units or makes gradients overflow: "
            "scale x to about -1 to 1"
        )
    if norms and norms[-1] > 10 * norms[0]:
        return f"the gradient's norm grew from {norms[0]:.3g} to {norms[-1]:.3g}: lower the learning rate {lr:.3g}"
    if norms:
        return f"the steps before it were finite: lower the learning rate {lr:.3g}, or clip the gradient (clip_norm)"
    return f"no step came before it: parameters or targets are too large for {x.dtype}"
