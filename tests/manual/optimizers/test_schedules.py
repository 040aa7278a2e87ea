"""Every schedule against torch.optim.lr_scheduler's, step by step."""

import re
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler as theirs

from manual.optimizers import schedules


def torch_rates(make: Callable[[Any], Any], steps: int) -> list[float]:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler, rates = make(optimizer), []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # no optimizer.step before scheduler.step; the epoch argument of a sequence
        for _ in range(steps):
            rates.append(optimizer.param_groups[0]["lr"])
            scheduler.step()
    return rates


CASES: dict[str, tuple[Any, Callable[[Any], Any]]] = {
    "constant": (schedules.constant(0.3), lambda o: theirs.ConstantLR(o, 0.3, total_iters=100)),
    "step_decay": (schedules.step_decay(7, 0.4), lambda o: theirs.StepLR(o, 7, 0.4)),
    "exponential": (schedules.exponential(10, 0.2), lambda o: theirs.ExponentialLR(o, 0.2**0.1)),
    "cosine": (schedules.cosine(30), lambda o: theirs.CosineAnnealingLR(o, 30)),
    "cosine floor": (schedules.cosine(30, 0.1), lambda o: theirs.CosineAnnealingLR(o, 30, eta_min=0.1)),
    "warm_up": (schedules.warm_up(5), lambda o: theirs.LinearLR(o, 0.2, total_iters=4)),
    "warm_up, cosine": (
        schedules.warm_up(5, schedules.cosine(25)),
        lambda o: theirs.SequentialLR(
            o, [theirs.LinearLR(o, 0.2, total_iters=4), theirs.CosineAnnealingLR(o, 25)], milestones=[5]
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_factors_are_torchs(name: str) -> None:
    ours, make = CASES[name]
    assert [ours(step) for step in range(30)] == pytest.approx(torch_rates(make, 30), rel=1e-12, abs=1e-14)
    assert type(ours(3)) is float


def test_the_floor_is_kept() -> None:
    assert [schedules.cosine(10, 0.25)(step) for step in (10, 11, 500)] == [0.25] * 3


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: schedules.constant(0), "constant: factor is 0, expected a positive number"),
        (lambda: schedules.step_decay(0), "step_decay: every is 0, expected a positive integer"),
        (lambda: schedules.step_decay(2.5), "step_decay: every is 2.5, expected a positive integer"),
        (lambda: schedules.step_decay(2, -1.0), "step_decay: factor is -1.0, expected a positive number"),
        (lambda: schedules.exponential(-3), "exponential: steps is -3, expected a positive integer"),
        (lambda: schedules.cosine(10, 1.5), "cosine: floor is 1.5, expected a factor from 0 to 1"),
        (lambda: schedules.cosine("ten"), "cosine: steps is 'ten', expected a positive integer"),
        (lambda: schedules.warm_up(0), "warm_up: steps is 0, expected a positive integer"),
    ],
)
def test_refused(call: Callable[[], Any], words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        call()
