"""Mistakes in the gradient of a loss: the target, the softmax or sigmoid in front of it, the average.

E = -sum q log softmax(z) / D               so      dz = dE (p Q - q) / D,  p = softmax(z),  Q = sum q
E = -sum (t log s + (1-t) log(1-s)) / D     so      dz = (s - t) c,         s = sigmoid(z),  c = dE / D
E = factor sum (y - t)^2 / D                so      dy = (y - t) c,         c = dE 2 factor / D
"""

from collections.abc import Iterator

import numpy as np

from handgrad.explain.catalogue.mistake import Mistake, Row, mistakes
from handgrad.explain.recognise.failed_trial import FailedTrial
from handgrad.explain.recognise.loss import (
    BinaryCrossEntropy,
    CrossEntropy,
    SquaredError,
    recognise_binary_cross_entropy,
    recognise_cross_entropy,
    recognise_squared_error,
)

CROSS_ENTROPY: tuple[Row[CrossEntropy], ...] = (
    Row("the target is not subtracted", "dz = p / D where (p - q) / D belongs: no one-hot.",
        "dz", lambda c: c.p * c.Q / c.D * c.dE),
    Row("the softmax is missing", "dz = -q / D, without p: what the logits share is lost.",
        "dz", lambda c: -c.q / c.D * c.dE),
    Row("the gradient of the probabilities, not of the logits", "dz = -q / p / D is dp, without the Jacobian.",
        "dz", lambda c: -c.q / c.p / c.D * c.dE),
    Row("only the diagonal of the softmax Jacobian is used", "dz = -q (1 - p) / D.",
        "dz", lambda c: -c.q * (1 - c.p) / c.D * c.dE),
    Row("the softmax Jacobian is applied twice", "(p - q) / D is already the gradient of the logits.",
        "dz", lambda c: c.p * (c.dz - (c.dz * c.p).sum(axis=1, keepdims=True))),
    Row("a factor p (1 - p) too many", "It cancels against the logarithm: (p - q) / D is all.",
        "dz", lambda c: c.dz * c.p * (1 - c.p)),
    Row("the logits stand where the probabilities belong", "dz = (z - q) / D, without softmax.",
        "dz", lambda c: (c.z * c.Q - c.q) / c.D * c.dE),
    Row("the weights' sum is missing before p", "dz = (p - q) / D where (p sum q - q) / D belongs.",
        "dz", lambda c: (c.p - c.q) / c.D * c.dE),
    Row("label smoothing is forgotten", "The loss has it, its gradient has not.",
        "dz", lambda c: c.gradient(smoothing=False)),
    Row("the class weights are forgotten", "The loss has them, its gradient has not.",
        "dz", lambda c: c.gradient(weights=False)),
)  # fmt: skip

BINARY_CROSS_ENTROPY: tuple[Row[BinaryCrossEntropy], ...] = (
    Row("the target is not subtracted", "dz = s / D where (s - t) / D belongs.",
        "dz", lambda b: b.s * b.c),
    Row("the sigmoid is missing", "dz = (z - t) / D where (s - t) / D belongs.",
        "dz", lambda b: (b.z - b.t) * b.c),
    Row("a factor s (1 - s) too many", "It cancels against the logarithm: (s - t) / D is all.",
        "dz", lambda b: (b.s - b.t) * (b.s * (1 - b.s)) * b.c),
    Row("the gradient of the probabilities, not of the logits", "dz = (s - t) / (s (1 - s)) / D: no sigmoid'.",
        "dz", lambda b: (b.s - b.t) / (b.s * (1 - b.s)) * b.c),
    Row("the term of the zeros is missing", "Only -t log s was differentiated: -t (1 - s) / D.",
        "dz", lambda b: -b.t * (1 - b.s) * b.c),
    Row("the term of the ones is missing", "Only -(1 - t) log(1 - s) was differentiated: (1 - t) s / D.",
        "dz", lambda b: (1 - b.t) * b.s * b.c),
)  # fmt: skip

SQUARED_ERROR: tuple[Row[SquaredError], ...] = (
    Row("the target is not subtracted", "The gradient is that of y, not of y - t.",
        "dy", lambda e: e.c * e.y),
    Row("the output is missing", "The gradient is that of -t, not of y - t.",
        "dy", lambda e: -e.c * e.t),
    Row("the error is squared", "The square was kept: e^2 where its derivative 2 e belongs.",
        "dy", lambda e: e.c * e.e * e.e),
    Row("the derivative of the absolute error", "It is the sign of y - t, the gradient of |y - t|.",
        "dy", lambda e: e.c * np.sign(e.e)),
    Row("the sign of the target is turned", "y + t where y - t belongs.",
        "dy", lambda e: e.c * (e.y + e.t)),
    Row("output times target stands where their difference belongs", "y t where y - t belongs.",
        "dy", lambda e: e.c * e.y * e.t),
    Row("the factor y - t is missing", "The gradient is that of y: the target has no part in it.",
        "dy", lambda e: e.c + 0 * e.y),
)  # fmt: skip


def cross_entropy(trial: FailedTrial) -> Iterator[Mistake]:
    """Of logits: softmax and cross-entropy in one."""
    if (parts := recognise_cross_entropy(trial)) is not None:
        yield from mistakes(CROSS_ENTROPY, parts)


def binary_cross_entropy(trial: FailedTrial) -> Iterator[Mistake]:
    """Of logits: sigmoid and cross-entropy in one."""
    if (parts := recognise_binary_cross_entropy(trial)) is not None:
        yield from mistakes(BINARY_CROSS_ENTROPY, parts)


def squared_error(trial: FailedTrial) -> Iterator[Mistake]:
    """Half, mean and summed."""
    if (parts := recognise_squared_error(trial)) is not None:
        yield from mistakes(SQUARED_ERROR, parts)


LOSSES = (cross_entropy, binary_cross_entropy, squared_error)
