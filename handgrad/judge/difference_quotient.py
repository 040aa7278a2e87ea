"""A third opinion if the code and its reference differ: the derivative of the code's own forward pass.

torch's own backward passes are hand-derived as well and some are inexact at extreme inputs. A difference quotient of
fourth order of the code's forward pass, in the widest precision it runs in, says which of the two is off. Two step
widths tell how exact it is. At a kink it gives no answer, because no quotient means anything there.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from handgrad.arrays.precision import dtype_name, like, to64
from handgrad.judge.compare import Evidence
from handgrad.judge.constants import (
    QUOTIENT_BEND,
    QUOTIENT_ENTRIES,
    QUOTIENT_ERROR,
    QUOTIENT_NEAR,
    QUOTIENT_ROUNDINGS,
    QUOTIENT_STEP,
)
from handgrad.judge.isolation import attempt, duplicate
from handgrad.judge.trial import Trial

LONGDOUBLE_IS_WIDER = bool(np.finfo(np.longdouble).eps < np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Quotient:
    """A derivative and how far it may be off."""

    value: float
    error: float


def clear(trial: Trial, name: str, e: Evidence) -> Evidence | None:
    """The evidence with the quotient in place of the reference at the failing entries of gradient `name`.

    None if it does not clear all of them, or if the stage's forward pass cannot be run alone.
    """
    if trial.stage.halves is None or e.hand.shape != e.reference.shape or not np.isfinite(e.hand).all():
        return None
    failing = np.argwhere(~(np.abs(e.hand - e.reference) <= e.bound))
    if len(failing) > QUOTIENT_ENTRIES:
        return None
    reference, bound = e.reference.copy(), e.bound.copy()
    for at in map(tuple, failing):
        found = quotient(trial, name.removeprefix("d"), at)
        difference = abs(float(e.hand[at] - e.reference[at]))
        if found is None or found.error > QUOTIENT_ERROR * difference:
            return None
        if abs(float(e.hand[at]) - found.value) > QUOTIENT_NEAR * difference:
            return None
        reference[at], bound[at] = found.value, bound[at] + found.error
    return replace(e, reference=reference, bound=bound)


def quotient(trial: Trial, name: str, at: tuple[int, ...]) -> Quotient | None:
    """d(dy . y) / d(inputs[name][at]) by central differences; None at a kink or where forward does not run."""
    base = {n: value if (wide := widen(value)) is None else wide for n, value in trial.inputs.items()}
    precise = long(base[name]).dtype if str(base[name].dtype) == "longdouble" else np.dtype(np.float64)
    eps = float(np.finfo(base[name].dtype).eps) if isinstance(base[name], np.ndarray) else float(np.finfo(precise).eps)
    h, weights = float(eps**QUOTIENT_STEP), long(trial.dy64)

    def forward(step: float) -> Any:
        assert trial.stage.halves is not None
        moved = duplicate(base[name])
        moved[at] += step
        y, _cache = trial.stage.halves.forward({**duplicate(base), name: moved})
        return long(y)

    y = attempt(lambda: {k: forward(k * h) for k in (-2, -1, -0.5, -0.25, 0, 0.25, 0.5, 1, 2)}).value
    if y is None:
        return None

    def total(terms: Any) -> float:
        return float(np.sum(terms))

    def slope(k: float) -> float:
        """Fourth order, from steps of k h and 2 k h."""
        return total(weights * (8 * (y[k] - y[-k]) - (y[2 * k] - y[-2 * k]))) / (12 * k * h)

    def bend(k: float) -> float:
        """The derivative from the right less the one from the left; halves with the step where there is no kink."""
        return abs(total(weights * (y[k] - 2 * y[0] + y[-k]))) / (k * h)

    noise = QUOTIENT_ROUNDINGS * eps * total(np.abs(weights * y[0])) / h
    coarse, fine = slope(1), slope(0.5)
    if bend(0.5) > QUOTIENT_BEND * bend(1) + noise:
        return None
    return Quotient(fine, abs(fine - coarse) + noise)


def widen(array: Any) -> Any:
    """The same numbers in a wider precision of the same library, or None where it has none."""
    if dtype_name(array) != "float64":
        if isinstance(array, torch.Tensor):
            return array.detach().double()
        return like(to64(array), np.zeros(())) if isinstance(array, np.ndarray | np.generic) else None
    if isinstance(array, np.ndarray | np.generic | float) and LONGDOUBLE_IS_WIDER:
        return np.asarray(array, np.longdouble)
    return None


def long(array: Any) -> Any:
    """The numbers in np.longdouble, whatever they were."""
    return np.asarray(to64(array) if isinstance(array, torch.Tensor) else array, np.longdouble)
