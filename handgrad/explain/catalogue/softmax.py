"""Mistakes in the Jacobian of softmax, ours or somebody else's: which layer a stage is, is read off its values."""

from collections.abc import Iterator

import numpy as np

from handgrad.explain.catalogue.activations import same
from handgrad.explain.failed_trial import Case, Mistake


def softmax(case: Case) -> Iterator[Mistake]:
    """dz = p (dp - sum dp p), the whole Jacobian."""
    z, p, dp, k = case.x, case.y, case.dy, f"d{case.x_name}"
    if len(case.inputs) != 1 or z.ndim < 2 or z.shape != p.shape:
        return
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    if not same(p, e / e.sum(axis=-1, keepdims=True)):
        return
    dot, C = (dp * p).sum(axis=-1, keepdims=True), z.shape[-1]
    wrongs = (
        ("only the diagonal of the Jacobian is used", "dz = dp p (1 - p); one logit moves all probabilities.",
         dp * p * (1 - p)),
        ("the sum over the classes is missing", "dz = p dp where p (dp - sum dp p) belongs.", p * dp),
        ("the factor p is missing", "dz = dp - sum dp p where p (dp - sum dp p) belongs.", dp - dot),
        ("the softmax Jacobian is applied twice", "dz went through the same Jacobian once more.",
         case.rerun(dy=case.right[k]).get(k, dp)),
        ("the softmax Jacobian is missing", "dz = dp: the gradient passes through unchanged.", dp),
        ("the mean over the classes was taken for the sum", "dz = p (dp - mean dp p).", p * (dp - dot / C)),
        ("the p inside the sum is missing", "dz = p (dp - sum dp).", p * (dp - dp.sum(axis=-1, keepdims=True))),
        ("the sign of the sum is turned", "dz = p (dp + sum dp p) where a minus belongs.", p * (dp + dot)),
        ("the sum runs over the batch", "sum dp p was taken over the samples, not over the classes.",
         p * (dp - (dp * p).sum(axis=0, keepdims=True))),
        ("the sum runs over all entries", "sum dp p was taken over all samples and classes.", p * (dp - dot.sum())),
    )  # fmt: skip
    for name, why, wrong in wrongs:
        yield Mistake(name, why, {k: wrong})


SOFTMAX = (softmax,)
