"""Measures of an output beside the loss: what `fit` calls by name. Any function of (y, target) serves as well."""

from collections.abc import Callable, Sequence
from math import prod
from typing import TypeAlias

from manual.losses.binary_cross_entropy import BinaryCrossEntropy
from manual.namespace import array_namespace, at_hand
from manual.types import Array, Loss

Metric: TypeAlias = Callable[[Array, Array], float]


def accuracy(loss: Loss) -> Metric:
    """The share of right answers in (y, target): of rows where y (N, C) has several columns, else of entries.

    A row's answer is its largest entry; the target is class indices (N,) or, by its largest entry, (N, C). One column,
    and every column under BinaryCrossEntropy, is a yes or no: y above 1/2 (a logit above 0) is right where the target
    is above 1/2.

    >>> import numpy as np
    >>> from manual.losses.softmax_cross_entropy import SoftmaxCrossEntropy
    >>> accuracy(SoftmaxCrossEntropy())(np.array([[1.0, 2.0], [4.0, 3.0]]), np.array([1, 1]))
    0.5
    """
    logits = isinstance(loss, BinaryCrossEntropy)

    def share(y: Array, target: Array) -> float:
        y, target = at_hand(y), at_hand(target)
        xp = array_namespace(y)
        if logits or (y.shape[1] == 1 and target.ndim == 2):
            right = (y > (0.0 if logits else 0.5)) == (target > 0.5)
        else:
            labels = target if target.ndim == 1 else xp.argmax(target, axis=1)
            right = xp.argmax(y, axis=1) == labels
        count = int(xp.sum(xp.astype(right, xp.int32)))
        total: int = prod(right.shape)
        return count / total

    return share


NAMED: dict[str, Callable[[Loss], Metric]] = {"accuracy": accuracy}


def resolve(metrics: Sequence[str | Metric], loss: Loss) -> dict[str, Metric]:
    """The metrics by name. TypeError and ValueError for what is none, for names not known and names given twice."""
    if isinstance(metrics, str) or callable(metrics):
        raise TypeError(f"metrics: got {metrics!r} alone, expected a sequence such as [{metrics!r}]")
    found: dict[str, Metric] = {}
    for metric in metrics:
        if isinstance(metric, str):
            if metric not in NAMED:
                raise ValueError(f"metrics: no metric {metric!r}; there are {', '.join(NAMED)}, and your own functions")
            name, function = metric, NAMED[metric](loss)
        elif callable(metric):
            name, function = getattr(metric, "__name__", type(metric).__name__), metric
        else:
            raise TypeError(f"metrics: got {metric!r}, expected a name or a function of (y, target)")
        if name in found:
            raise ValueError(f"metrics: two are called {name!r}, expected different names; define them with def")
        found[name] = function
    return found
