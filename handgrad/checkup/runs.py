"""Two short trainings: of a few samples until they are known by heart, and the first steps as planned."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handgrad.checkup.measure import mean_loss, norm, per_sample, weight_names
from manual import Adam, Array, Loss, Network, Training
from manual.network import widths
from manual.optimizers.clipping import clip, gradient_norm
from manual.training.batches import Samples, masks, shuffle
from manual.training.hand import Hand
from manual.training.plan import TrainingPlan

MEMORY = 16  # samples to be learned by heart, at most
HEART_STEPS, HEART_RATE = 300, 1e-2  # of Adam
BY_HEART = 0.01  # of chance: so little ends it


@dataclass(frozen=True)
class FirstSteps:
    """The training as planned, for its first steps."""

    losses: tuple[float, ...]  # of each batch before its step, of one sample on average
    ratios: dict[str, tuple[float, ...]]  # of each W, |W after - W before| / |W before| of each step
    end: Hand  # the side after the last step
    broke: bool  # ended early, by a loss or a gradient that is not finite


def learn_by_heart(
    network: Network, start: Training, samples: Samples, loss: Loss, chance: float
) -> tuple[Array, Array, list[float]]:
    """A few samples with different inputs, their targets, and the loss on them before each step of Adam.

    So few that every network is wide enough: of k + 1 points in k dimensions any values can be fitted.
    """
    x, target = samples.take(samples.rows[:256])
    sizes = [n for layer in network.layers for n in (widths(layer)[0],) if n is not None]
    few = np.sort(np.unique(x, axis=0, return_index=True)[1])[: min(MEMORY, 1 + min(sizes))]
    x, target = x[few], target[few]
    optimizer = Adam(HEART_RATE)
    side = Hand(network, loss, optimizer, start._replace(optimizer_state=optimizer.initial(start.params)))
    losses: list[float] = []
    with np.errstate(all="ignore"):
        for _ in range(HEART_STEPS):
            E, dparams = side.gradients(x, target, None)
            losses.append(per_sample(loss, E, len(few)))
            if not isfinite(E + gradient_norm(dparams)) or losses[-1] <= BY_HEART * chance:
                break
            side.step(dparams, HEART_RATE)
        losses.append(mean_loss(loss, network.forward(side.params, x)[0], target))
    return x, target, losses


def train_first_steps(plan: TrainingPlan, loss: Loss, optimizer: Any, steps: int) -> FirstSteps:
    """So many steps of the training that `manual.fit` would make, with the ratio of each update to its weights."""
    settings, seed = plan.settings, plan.start.seed
    side = Hand(plan.network, loss, optimizer, plan.start, alpha=settings.alpha, train_biases=settings.train_biases)
    names = weight_names(plan.network)
    losses: list[float] = []
    ratios: dict[str, list[float]] = {name: [] for name in names.values()}
    broke = False
    with np.errstate(all="ignore"):
        for step, rows in zip(range(steps), batches(plan), strict=False):
            x, target = plan.samples.take(rows)
            E, dparams = side.gradients(x, target, masks(plan.network, x, seed, step))
            losses.append(per_sample(loss, E, len(rows)))
            length = gradient_norm(dparams)
            if broke := not isfinite(E + length):
                break
            before = side.params
            side.step(clip(dparams, length, settings.clip_norm), plan.lr)
            for i, name in names.items():
                size = norm(before[i]["W"])
                ratios[name].append(norm(side.params[i]["W"] - before[i]["W"]) / size if size else float("inf"))
    return FirstSteps(tuple(losses), {name: tuple(found) for name, found in ratios.items()}, side, broke)


def batches(plan: TrainingPlan) -> Iterator[NDArray[np.int64]]:
    """The rows of each batch, epoch after epoch, without end."""
    size, rows, seed = plan.settings.batch_size, plan.samples.rows, plan.start.seed
    for epoch in count(plan.start.epoch):
        order = shuffle(rows, seed, epoch) if plan.settings.shuffle else rows
        for k in range(plan.batches):
            yield order[k * size : (k + 1) * size]
