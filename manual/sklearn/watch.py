"""When a training ends, in scikit-learn's way and words, and whether its learning rate falls instead."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf

from manual.optimizers.schedules import Schedule
from manual.training.state import Training
from manual.types import Params

LEAST = 1e-6  # a learning rate that falls no further


@dataclass
class Watch:
    """A callback that ends a training once more than `patience` epochs have not bettered its loss, or score, by tol.

    What it has seen lives on in the next training that goes on from this one.
    """

    tol: float
    patience: float
    lr: float
    falls: bool  # where the training would end, the learning rate falls to a fifth of itself, while it is above LEAST
    verbose: bool
    measure: Callable[[Sequence[Params]], float] | None = None  # the score on validation samples, if any are held back
    lowest: float = inf  # the loss so far, or the score with a minus
    best: tuple[Params, ...] = ()  # the parameters of that score
    scores: tuple[float, ...] = ()
    waited: int = 0  # epochs since one was better by tol
    factor: float = 1.0  # on the learning rate
    ended: bool = field(default=False, init=False)

    def __call__(self, training: Training) -> bool:
        cost: float = training.history[-1]["loss"]
        self.say(f"Iteration {training.epoch}, loss = {cost:.8f}")
        if self.measure:
            score = self.measure(training.params)
            self.scores, cost = (*self.scores, score), -score
            self.say(f"Validation score: {score:f}")
        self.waited = self.waited + 1 if cost > self.lowest - self.tol else 0
        if cost < self.lowest or not self.best:
            self.lowest, self.best = min(cost, self.lowest), training.params
        self.ended = self.waited > self.patience and not self.fall()
        return self.ended

    def fall(self) -> bool:
        """Lower the learning rate, if it falls and can, and begin to wait anew."""
        what = "Validation score" if self.measure else "Training loss"
        epochs = f"{what} did not improve more than tol={self.tol:f} for {self.patience:.0f} consecutive epochs."
        if not self.falls:
            self.say(f"{epochs} Stopping.")
            return False
        if self.lr * self.factor <= LEAST:
            self.say(f"{epochs} Learning rate too small. Stopping.")
            return False
        self.factor, self.waited = self.factor / 5, 0
        self.say(f"{epochs} Setting learning rate to {self.lr * self.factor:f}")
        return True

    def say(self, line: str) -> None:
        if self.verbose:
            print(line)


def falling_rate(watch: Watch, power: float, before: int, samples: int, batches: int, *, once: bool) -> Schedule:
    """The factor on the learning rate that `learning_rate` says, for the step of a training.

    invscaling: 1 / (t + 1)^power after t samples, those of trainings before among them; the first epoch of a fit has
    the whole rate. adaptive: as the watch says. power 0 is a constant rate.
    """

    def factor(step: int) -> float:
        seen: int = (before if step >= batches or once else 0) + step // batches * samples
        return float(watch.factor / (seen + 1) ** power)

    return factor
