"""Mistakes in the Jacobian of softmax.

p = softmax(z)      so      dz = p (dp - s),  s = sum dp p over the classes
"""

from collections.abc import Iterator

from handgrad.explain.catalogue.mistake import Mistake, Row, mistakes
from handgrad.explain.recognise.failed_trial import FailedTrial
from handgrad.explain.recognise.softmax import Softmax, recognise_softmax

TABLE: tuple[Row[Softmax], ...] = (
    Row("only the diagonal of the Jacobian is used", "dz = dp p (1 - p); but one logit moves all probabilities.",
        "dz", lambda c: c.dp * c.p * (1 - c.p)),
    Row("the sum over the classes is missing", "dz = p dp where p (dp - sum dp p) belongs.",
        "dz", lambda c: c.p * c.dp),
    Row("the factor p is missing", "dz = dp - sum dp p where p (dp - sum dp p) belongs.",
        "dz", lambda c: c.dp - c.s),
    Row("the softmax Jacobian is applied twice", "dz went through the same Jacobian once more.",
        "dz", lambda c: c.again),
    Row("the softmax Jacobian is missing", "dz = dp: the gradient passes through unchanged.",
        "dz", lambda c: c.dp),
    Row("the mean over the classes was taken for the sum", "dz = p (dp - mean dp p).",
        "dz", lambda c: c.p * (c.dp - c.s / c.p.shape[-1])),
    Row("the p inside the sum is missing", "dz = p (dp - sum dp).",
        "dz", lambda c: c.p * (c.dp - c.dp.sum(axis=-1, keepdims=True))),
    Row("the sign of the sum is turned", "dz = p (dp + sum dp p) where a minus belongs.",
        "dz", lambda c: c.p * (c.dp + c.s)),
    Row("the sum runs over the batch", "sum dp p was taken over the samples, not over the classes.",
        "dz", lambda c: c.p * (c.dp - (c.dp * c.p).sum(axis=0, keepdims=True))),
    Row("the sum runs over all entries", "sum dp p was taken over all samples and classes.",
        "dz", lambda c: c.p * (c.dp - c.s.sum())),
)  # fmt: skip


def softmax(trial: FailedTrial) -> Iterator[Mistake]:
    """Every row of the table."""
    if (parts := recognise_softmax(trial)) is not None:
        yield from mistakes(TABLE, parts)


SOFTMAX = (softmax,)
