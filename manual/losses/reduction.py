"""How a loss becomes one number: "sum", "mean" over all elements (torch's meaning), "batch mean" over the samples."""

from typing import Any, Literal, TypeAlias, get_args

from manual.namespace import array_namespace
from manual.types import Array

Reduction: TypeAlias = Literal["sum", "mean", "batch mean"]


def check_reduction(reduction: str) -> None:
    """ValueError with the known names unless `reduction` is one of them."""
    if reduction not in get_args(Reduction):
        each = "; a sample's loss is that of a batch of one, in torch vmap(HandModule(loss))(y, target)"
        known = ", ".join(get_args(Reduction))
        raise ValueError(f"unknown reduction {reduction!r}; known: {known}{each if reduction == 'none' else ''}")


def divisor(reduction: str, y: Array) -> int:
    """What the sum over all elements of y (N, n) is divided by: 1, N n, or N.

    >>> import numpy as np
    >>> [divisor(r, np.zeros((5, 3))) for r in ("sum", "mean", "batch mean")]
    [1, 15, 5]
    """
    if reduction == "sum":
        return 1
    N, n = y.shape
    return int(N * n if reduction == "mean" else N)


def average(values: Array, D: Any) -> Array:
    """sum(values) / D of values (N, n). Where D is N n or N, by a mean: a sum may overflow where the mean is finite.

    >>> import numpy as np
    >>> float(average(np.ones((70_000, 1), np.float16), 70_000))
    1.0
    """
    xp, (N, n) = array_namespace(values), values.shape
    if isinstance(D, int) and N * n == D:
        return xp.mean(values)
    return xp.mean(xp.sum(values, axis=1)) if isinstance(D, int) and N == D else xp.sum(values) / D


def sums(loss: Any) -> bool:
    """Whether a batch's loss is the sum of its samples', not their mean; of a loss that does not say, the mean."""
    return getattr(loss, "reduction", "mean") == "sum"
