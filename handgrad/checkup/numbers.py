"""All that is measured of one network, as data."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from handgrad.checkup.measure import (
    Units,
    best_constant,
    chance,
    gradient_norms,
    least,
    mean_loss,
    measure_units,
    norm,
    weight_names,
)
from handgrad.checkup.runs import learn_by_heart, train_first_steps
from manual import Array, Loss, Network, Params, SquaredError, Training
from manual.training.plan import TrainingPlan, convert_arrays, make_plan
from manual.training.settings import Settings

VALIDATION, ENOUGH = 0.2, 20  # of so many samples or more, this part is held back from the first steps
PROBE = 1_024  # samples to measure on, at most
LEAST, MOST = 200, 1_000  # first steps: an epoch, but no fewer and no more


@dataclass(frozen=True)
class Weights:
    """One linear layer's W: the norm of its gradient before the first step, and each step's |change of W| / |W|."""

    name: str
    gradient: float
    ratios: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """The median of its steps."""
        return median(self.ratios) if self.ratios else float("nan")


@dataclass(frozen=True)
class Numbers:
    """Losses are those of one sample on average."""

    samples: int  # measured on
    size: float  # of their x, the root mean square
    held_back: bool  # whether those are never trained on
    trained: int  # steps made before the check-up
    start: float  # the loss
    chance: float  # the loss of even logits, or of the mean target
    constant: float  # the loss of the best constant output: of logits, one that knows how frequent each class is
    logits: bool  # whether the network's output are logits, not numbers near the targets
    after: float  # after the first steps
    least: float  # the loss of a right output, on the few samples
    by_heart: tuple[float, ...]  # the loss on a few samples before each step, and at the end
    few: int
    losses: tuple[float, ...]  # of each batch in the first steps
    broke: bool  # the first steps ended at a loss or gradient that is not finite
    lr: float
    weights: tuple[Weights, ...]
    units: tuple[Units, ...]  # before the first step
    units_after: tuple[Units, ...]


def take_numbers(
    network: Network,
    params: Sequence[Params],
    x: Array,
    target: Array,
    loss: Loss,
    optimizer: Any,
    settings: dict[str, Any],
    resume: Training | None,
) -> Numbers:
    """Everything that the checks ask for. Raises what `manual.fit` raises before its first step."""
    if not weight_names(network):
        raise ValueError("network: has no layer with weights W to examine; add a Linear(n_in, n_out)")
    params, x, target, resume = convert_arrays((tuple(params), x, target, resume), np.empty(0))
    plan = make_plan(network, params, x, target, loss, optimizer, choose(settings, len(x), resume), resume)
    return measure(plan, loss, optimizer)


def measure(plan: TrainingPlan, loss: Loss, optimizer: Any) -> Numbers:
    """Where the training of the plan starts, and what two short trainings from there give."""
    network, start, params = plan.network, plan.start, plan.start.params
    probe = plan.validation or plan.samples
    x_probe, t_probe = probe.take(probe.rows[:PROBE])
    with np.errstate(all="ignore"):
        y = network.forward(params, x_probe, start.running)[0]
        guess = chance(loss, y, t_probe)
        few, t_few, by_heart = learn_by_heart(network, start, plan.samples, loss, guess)
        first = train_first_steps(plan, loss, optimizer, min(max(LEAST, plan.batches), MOST))
        gradients = gradient_norms(network, params, x_probe, t_probe, loss)
        return Numbers(
            samples=len(x_probe),
            size=norm(x_probe) / x_probe.size**0.5,
            held_back=plan.validation is not None,
            trained=start.step,
            start=mean_loss(loss, y, t_probe),
            chance=guess,
            constant=best_constant(loss, y, t_probe, plan.samples.target),
            logits=not isinstance(loss, SquaredError),
            after=mean_loss(loss, first.end.output(x_probe), t_probe),
            least=least(loss, network.forward(params, few)[0], t_few),
            by_heart=tuple(by_heart),
            few=len(few),
            losses=first.losses,
            broke=first.broke,
            lr=plan.lr,
            weights=tuple(Weights(name, size, first.ratios[name]) for name, size in gradients.items()),
            units=measure_units(network, params, x_probe),
            units_after=measure_units(network, first.end.params, x_probe),
        )


def choose(settings: dict[str, Any], N: int, resume: Training | None) -> Settings:
    """The settings of `fit` for the first steps."""
    usual: dict[str, Any] = {
        "epochs": 1 if resume is None else resume.epoch + 1,
        "batch_size": 32,
        "seed": 0 if resume is None else resume.seed,
        "validation": VALIDATION if N >= ENOUGH else None,
    }
    return Settings(**{**usual, **settings})
