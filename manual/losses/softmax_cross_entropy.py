"""Softmax cross-entropy from logits: E = -sum_ij q_ij log p_ij / D, p = softmax(z).

A class with q_ij = 0 adds nothing, not even 0 times -inf: a logit of -inf masks its class.
The target is class indices (N,) or probabilities (N, C). q is that target after label smoothing, each class times its
weight. D is torch's: 1 for "sum", N for "batch mean" and "mean", but for the mean over weighted class indices the sum
of the targets' weights.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import ClassVar, NamedTuple

import numpy as np
from array_api_compat import device

from manual.arguments import check_number
from manual.losses.reduction import Reduction, average, check_reduction
from manual.losses.torch_options import without
from manual.namespace import array_namespace
from manual.types import Array, Facts


class SoftmaxCrossEntropyCache(NamedTuple):
    p: Array  # (N, C), softmax(z)
    target: Array  # (N,) or (N, C); q costs less to make again than to keep


@without(
    weight="class_weights=(1.0, 2.0) is torch's weight, one per class",
    ignore_index="leave those samples out: keep = target != -100, then z[keep] with target[keep]",
)
@dataclass(frozen=True)
class SoftmaxCrossEntropy:
    """E = -sum_ij q_ij log p_ij / D. Shapes: z (N, C); target (N,) indices or (N, C) probabilities.

    Raises ValueError for an unknown reduction, a smoothing outside [0, 1], weights that are negative, not finite
    or all zero; TypeError for torch's other options.
    """

    facts: ClassVar[Facts] = Facts("softmax_cross_entropy", "E", "z", name="cross_entropy")

    reduction: Reduction = "mean"
    label_smoothing: float = 0.0
    class_weights: Sequence[float] | None = None

    def __post_init__(self) -> None:
        check_reduction(self.reduction)
        check_number(self, "label_smoothing", "a number in [0, 1]", lambda smoothing: 0 <= smoothing <= 1)
        w = self.class_weights
        if w is None:
            return
        if np.ndim(w) != 1:
            raise ValueError(f"class_weights: got {w!r}, expected one weight per class, such as (1.0, 2.0)")
        if not (all(0 <= w_k < inf for w_k in w) and any(w)):
            raise ValueError("class_weights must be finite, not negative and not all zero: one weight per class")

    def forward(self, z: Array, target: Array) -> tuple[Array, SoftmaxCrossEntropyCache]:
        xp = array_namespace(z)
        q, D = self.weighted(z, target)
        zc = z - xp.max(z, axis=1, keepdims=True)
        e = xp.exp(zc)
        S = xp.sum(e, axis=1, keepdims=True)
        p = e / S
        terms = xp.where(q == 0, xp.zeros_like(zc), q * (zc - xp.log(S)))
        E = -average(terms, D)  # ()  eq. softmax_cross_entropy.E
        return E, SoftmaxCrossEntropyCache(p, target)

    def backward(self, cache: SoftmaxCrossEntropyCache, dE: Array) -> Array:
        p, target = cache
        xp = array_namespace(p)
        q, D = self.weighted(p, target)
        # forward: E = -sum_ij q_ij log p_ij / D, p = softmax(z)
        # so:
        dz = dE * ((p * xp.sum(q, axis=1, keepdims=True) - q) / D)  # (N, C)  eq. softmax_cross_entropy.dz
        return dz

    def weighted(self, z: Array, target: Array) -> tuple[Array, Array]:
        """q (N, C), the target smoothed and weighted, and the divisor D."""
        xp = array_namespace(z)
        N, C = z.shape
        q, D = target, 1 if self.reduction == "sum" else N
        indices = target.ndim == 1
        if indices:
            q = xp.astype(target[:, None] == xp.arange(C, device=device(z)), z.dtype)
        if self.class_weights is None:
            return self._smooth(q, C), D
        w = xp.asarray(self.class_weights, dtype=z.dtype, device=device(z))
        if indices and self.reduction == "mean":
            D = xp.sum(q * w)
        return self._smooth(q, C) * w, D

    def _smooth(self, q: Array, C: int) -> Array:
        """Label smoothing: a share of every target goes to all C classes alike."""
        return q if not self.label_smoothing else (1 - self.label_smoothing) * q + self.label_smoothing / C
