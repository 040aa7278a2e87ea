"""Mistakes with the upstream gradient: ignored, used twice, one sample of it dropped."""

from collections.abc import Iterator, Mapping

import numpy as np

from handgrad.explain.failed_trial import Case, Mistake
from handgrad.judge.compare import Float

MOST_SAMPLES = 32
MOST_NUMBERS = 1_000_000


def upstream(case: Case) -> Iterator[Mistake]:
    """The stage is linear in its upstream gradient, so the right reference on another one gives the mistaken result."""
    dy = case.dy
    others = (
        ("the upstream gradient is ignored", "It was taken as 1: right only where this stage is the last one.", dy**0),
        ("the upstream gradient is used twice", "It was multiplied in squared.", dy * dy),
    )
    for name, why, other in others:
        yield Mistake(name, why, _gradients(case, case.rerun(dy=other)))
    if dy.ndim > 1 and case.N > 1 and dy.shape[0] == case.N:
        for op in ("mean", "sum"):
            same = np.broadcast_to(getattr(dy, op)(axis=0, keepdims=True), dy.shape)
            why = f"Every sample was given the {op} of all samples' upstream gradients in place of its own."
            yield Mistake(
                f"the upstream gradient is the {op} over the batch", why, _gradients(case, case.rerun(dy=same))
            )


def samples(case: Case) -> Iterator[Mistake]:
    """One sample missing from the sum over the batch, or one sample alone."""
    own = {"y", f"d{case.x_name}"}  # one row per sample: there a missing one is a row of zeros
    summed = {k for k in case.same_shape if k not in own}
    if not summed or case.dy.ndim < 1 or case.dy.shape[0] != case.N or case.N < 2:
        return
    for i in _candidates(case):
        row = np.zeros_like(case.dy)
        row[i] = case.dy[i]
        only = {k: v for k, v in _gradients(case, case.rerun(dy=row)).items() if k in case.same_shape}
        which = {0: " (the first)", case.N - 1: " (the last)"}.get(i, "")
        yield Mistake(
            f"sample {i}{which} is left out of the batch",
            f"The sum over the {case.N} samples has every term but that of sample {i}.",
            {k: case.right[k] - v for k, v in only.items()},
            {k: case.hand[k] + v for k, v in only.items()},
            f"adding the term of sample {i}",
        )
        yield Mistake(
            f"only sample {i}{which} is used",
            f"The result is the term of sample {i} alone, not the sum over the {case.N} samples: "
            "each sample overwrites the one before it.",
            only,
        )


def _candidates(case: Case) -> list[int]:
    """All samples of a small stage; of a large one the first, the last, and the one a linear layer's dW points to."""
    size = sum(v.size for v in case.right.values())
    if case.N <= MOST_SAMPLES and case.N * size <= MOST_NUMBERS:
        return list(range(case.N))
    found = [0, case.N - 1]
    for k in case.same_shape:
        for wrong in (case.right[k] - case.hand[k], case.hand[k]):
            if wrong.shape == (case.dy.shape[-1], case.x.shape[-1]) and np.isfinite(wrong).all():
                found += [closest_term(wrong, case.dy.T, case.x)]
    return sorted(set(found))


def closest_term(wrong: Float, A: Float, B: Float) -> int:
    """The i for which the outer product of column i of A and row i of B is nearest to `wrong`, if one is it."""
    along = np.sum((A.T @ wrong) * B, axis=1) / (np.sum(A * A, axis=0) * np.sum(B * B, axis=1))
    return int(np.nanargmin(np.append(np.abs(along - 1), np.inf)) % max(1, len(along)))


def _gradients(case: Case, results: Mapping[str, Float]) -> dict[str, Float]:
    return {k: v for k, v in results.items() if k != "y"}


UPSTREAM = (upstream, samples)
