"""Assigned where it has to be added: where several parts of the upstream gradient meet in one entry, one is kept.

Every gradient is the sum of what each slice of dy gives      so      keeping the last gives the mistaken result.
"""

from collections.abc import Iterator

import numpy as np

from handgrad.explain.catalogue.mistake import Mistake
from handgrad.explain.catalogue.upstream import backward
from handgrad.explain.recognise.failed_trial import FailedTrial
from handgrad.judge.compare import Float
from handgrad.judge.constants import TRIED_NUMBERS, TRIED_SAMPLES


def overlaps(trial: FailedTrial) -> Iterator[Mistake]:
    """Along the first and along the last axis of dy, where some entries are right and others are not."""
    size, partly = sum(v.size for v in trial.right.values()), [k for k in trial.same_shape if is_partly_right(trial, k)]
    for axis in dict.fromkeys((0, trial.dy.ndim - 1)) if partly and trial.dy.ndim else ():
        n = trial.dy.shape[axis]
        if 1 < n <= TRIED_SAMPLES and n * size <= TRIED_NUMBERS:
            kept = keep_last(trial, axis)
            yield Mistake(
                f"where several terms along axis {axis} of dy meet in one entry, only the last is kept",
                "The entry is assigned where it has to be added to; what came before is lost.",
                {k: kept[k] for k in partly if k in kept},
            )


def is_partly_right(trial: FailedTrial, k: str) -> bool:
    """Entries with one term, or with none, are right."""
    outside = trial.evidence[k].outside
    return k != "y" and not outside.all() and (trial.fresh or bool(outside.any()))


def keep_last(trial: FailedTrial, axis: int) -> dict[str, Float]:
    """The gradients if each slice of dy overwrites what the slices before it gave; not where it is one slice alone."""
    kept: dict[str, Float] = {}
    last: dict[str, Float] = {}
    for i in range(trial.dy.shape[axis]):
        at = np.zeros(trial.dy.shape[axis], bool)
        at[i] = True
        here = np.moveaxis(np.where(at, np.moveaxis(trial.dy, axis, -1), 0.0), -1, axis)
        last = backward(trial, here)
        kept = {k: np.where(v != 0, v, kept.get(k, 0 * v)) for k, v in last.items()}
    return {k: v for k, v in kept.items() if not np.array_equal(v, last[k])}


OVERLAPS = (overlaps,)
