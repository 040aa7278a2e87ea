"""Mistakes with the upstream gradient: ignored, used twice, one sample of it dropped.

Every gradient is linear in dy      so      the right reference on another dy gives the mistaken result.
"""

from collections.abc import Iterator

import numpy as np

from handgrad.explain.catalogue.mistake import Mistake, Row, Undo
from handgrad.explain.recognise.failed_trial import FailedTrial
from handgrad.judge.compare import Float
from handgrad.judge.constants import TRIED_NUMBERS, TRIED_SAMPLES

TABLE: tuple[Row[FailedTrial], ...] = (
    Row("the upstream gradient is ignored", "It was taken as 1: right only where this stage is the last one.",
        "dy", lambda t: t.dy**0),
    Row("the upstream gradient is used twice", "It was multiplied in squared.",
        "dy", lambda t: t.dy * t.dy),
    Row("the upstream gradient is the mean over the batch",
        "Every sample was given the mean of all samples' upstream gradients in place of its own.",
        "dy", lambda t: np.broadcast_to(t.dy.mean(axis=0, keepdims=True), t.dy.shape) if has_batch(t) else None),
    Row("the upstream gradient is the sum over the batch",
        "Every sample was given the sum of all samples' upstream gradients in place of its own.",
        "dy", lambda t: np.broadcast_to(t.dy.sum(axis=0, keepdims=True), t.dy.shape) if has_batch(t) else None),
    Row("the first entry of the upstream gradient stands for all",
        "Every entry was given the first one's upstream gradient in place of its own.",
        "dy", lambda t: np.full(t.dy.shape, t.dy.flat[0]) if t.dy.size > 1 else None),
    Row("the first slice of the upstream gradient along axis 0 stands for all",
        "The others were given the upstream gradient of index 0 in place of their own.",
        "dy", lambda t: np.broadcast_to(t.dy[:1], t.dy.shape) if t.dy.ndim > 1 and len(t.dy) > 1 else None),
)  # fmt: skip


def has_batch(trial: FailedTrial) -> bool:
    return trial.dy.ndim > 1 and trial.dy.shape[0] == trial.N > 1


def upstream(trial: FailedTrial) -> Iterator[Mistake]:
    """Every row of the table, in all gradients."""
    for row in TABLE:
        dy = row.formula(trial)
        if dy is not None:
            yield Mistake(row.name, row.why, backward(trial, np.asarray(dy)))


def samples(trial: FailedTrial) -> Iterator[Mistake]:
    """One sample missing from the sum over the batch, or one sample alone."""
    each = {"y", f"d{trial.x_name}"}  # one row for each sample: there a missing one is a row of zeros
    summed = {k for k in trial.same_shape if k not in each}
    if not summed or trial.dy.ndim < 1 or trial.dy.shape[0] != trial.N or trial.N < 2:
        return
    for i in pick_samples(trial):
        row = np.zeros_like(trial.dy)
        row[i] = trial.dy[i]
        term = {k: v for k, v in backward(trial, row).items() if k in trial.same_shape}
        which = {0: " (the first)", trial.N - 1: " (the last)"}.get(i, "")
        yield Mistake(
            f"sample {i}{which} is left out of the batch",
            f"The sum over the {trial.N} samples has every term but that of sample {i}.",
            {k: trial.right[k] - v for k, v in term.items()},
            Undo(f"adding the term of sample {i}", {k: trial.hand[k] + v for k, v in term.items()}),
        )
        yield Mistake(
            f"only sample {i}{which} is used",
            f"The result is the term of sample {i} alone, not the sum over the {trial.N} samples: "
            "each sample overwrites the one before it.",
            term,
        )


def pick_samples(trial: FailedTrial) -> list[int]:
    """All samples of a small stage; of a large one the first, the last, and the one a linear layer's dW points to."""
    size = sum(v.size for v in trial.right.values())
    if trial.N <= TRIED_SAMPLES and trial.N * size <= TRIED_NUMBERS:
        return list(range(trial.N))
    found = [0, trial.N - 1]
    for k in trial.same_shape:
        for term in (trial.right[k] - trial.hand[k], trial.hand[k]):
            if term.shape == (trial.dy.shape[-1], trial.x.shape[-1]) and np.isfinite(term).all():
                found += [closest_term(term, trial.dy.T, trial.x)]
    return sorted(set(found))


def closest_term(wrong: Float, A: Float, B: Float) -> int:
    """The i for which the outer product of column i of A and row i of B is nearest to `wrong`, if one is it."""
    along = np.sum((A.T @ wrong) * B, axis=1) / (np.sum(A * A, axis=0) * np.sum(B * B, axis=1))
    return int(np.nanargmin(np.append(np.abs(along - 1), np.inf)) % max(1, len(along)))


def backward(trial: FailedTrial, dy: Float) -> dict[str, Float]:
    """The right gradients for another upstream gradient."""
    return {k: v for k, v in trial.rerun(dy=dy).items() if k != "y"}


UPSTREAM = (upstream, samples)
