"""Learning-rate schedules: functions of the step, counted from 0, that give a factor on the optimizer's lr.

Factors are above 0 at every step of the training: `fit` refuses a learning rate of 0. All are plain functions of one
number, so a resumed training needs nothing but its step.
"""

from collections.abc import Callable
from math import cos, isfinite, pi
from typing import TypeAlias

Schedule: TypeAlias = Callable[[int], float]


def constant(factor: float = 1.0) -> Schedule:
    """factor, at every step. Raises ValueError unless it is positive."""
    _check("constant", "factor", factor)
    return lambda step: factor


def step_decay(every: int, factor: float = 0.1) -> Schedule:
    """factor^floor(step / every): torch's StepLR. Raises ValueError unless every and factor are positive.

    >>> [step_decay(2, 0.5)(step) for step in range(5)]
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """
    _check("step_decay", "every", every, whole=True)
    _check("step_decay", "factor", factor)
    return lambda step: float(factor ** (step // every))


def exponential(steps: int, factor: float = 0.1) -> Schedule:
    """factor^(step / steps): smoothly down to `factor` after `steps`, and on.

    Raises ValueError unless both are positive.

    >>> [exponential(2, 0.25)(step) for step in range(4)]
    [1.0, 0.5, 0.25, 0.125]
    """
    _check("exponential", "steps", steps, whole=True)
    _check("exponential", "factor", factor)
    return lambda step: float(factor ** (step / steps))


def cosine(steps: int, floor: float = 0.0) -> Schedule:
    """floor + (1 - floor) (1 + cos(pi step / steps)) / 2, from 1 down to `floor` after `steps`, which it then keeps.

    Source: Loshchilov, Hutter 2017, without restarts. With floor 0 `steps` must be all steps of the training, so that
    the learning rate never is 0. Raises ValueError unless steps is positive and 0 <= floor <= 1.

    >>> [round(cosine(4)(step), 3) for step in range(4)]
    [1.0, 0.854, 0.5, 0.146]
    """
    _check("cosine", "steps", steps, whole=True)
    if not 0 <= floor <= 1:
        raise ValueError(f"cosine: floor is {floor!r}, expected a factor from 0 to 1")
    return lambda step: floor + (1 - floor) * (1 + cos(pi * min(step, steps) / steps)) / 2


def warm_up(steps: int, then: Schedule | None = None) -> Schedule:
    """(step + 1) / steps for the first `steps`, then the schedule `then`, which counts from there; 1 without one.

    Raises ValueError unless steps is positive.

    >>> [warm_up(2, step_decay(1, 0.5))(step) for step in range(5)]
    [0.5, 1.0, 1.0, 0.5, 0.25]
    """
    _check("warm_up", "steps", steps, whole=True)
    after = then or constant()
    return lambda step: (step + 1) / steps if step < steps else after(step - steps)


def _check(schedule: str, name: str, value: float, *, whole: bool = False) -> None:
    kind = int if whole else (int, float)
    if not (isinstance(value, kind) and isfinite(value) and value > 0):
        raise ValueError(f"{schedule}: {name} is {value!r}, expected a positive {'integer' if whole else 'number'}")
