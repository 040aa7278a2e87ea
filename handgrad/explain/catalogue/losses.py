"""Mistakes in the gradient of a loss: the target, the softmax or sigmoid in front of it, the average."""

from collections.abc import Iterator, Sequence

import numpy as np

import manual
from handgrad.arrays.precision import plain
from handgrad.explain.failed_trial import EPS, Case, Mistake
from handgrad.judge.compare import Float
from manual.layers.sigmoid import sigmoid
from manual.losses.reduction import divisor


def cross_entropy(case: Case) -> Iterator[Mistake]:
    """dz = dE (p sum q - q) / D, p = softmax(z)."""
    found = _softmax_loss(case)
    if found is None:
        return
    p, q, D = found
    k, dE, z = f"d{case.x_name}", case.dy, case.x
    right = case.right[k]
    Q = q.sum(axis=1, keepdims=True)
    onto = p * (right - (right * p).sum(axis=1, keepdims=True))
    wrongs = (
        ("the target is not subtracted", "dz = p / D where (p - q) / D belongs: no one-hot.", p * Q / D * dE),
        ("the softmax is missing", "dz = -q / D, without p: what the logits share is lost.", -q / D * dE),
        ("the gradient of the probabilities, not of the logits", "dz = -q / p / D is dp, without the Jacobian.",
         -q / p / D * dE),
        ("only the diagonal of the softmax Jacobian is used", "dz = -q (1 - p) / D.", -q * (1 - p) / D * dE),
        ("the softmax Jacobian is applied twice", "(p - q) / D is already the gradient of the logits.", onto),
        ("a factor p (1 - p) too many", "It cancels against the logarithm: (p - q) / D is all.",
         right * p * (1 - p)),
        ("the logits stand where the probabilities belong", "dz = (z - q) / D, without softmax.",
         (z * Q - q) / D * dE),
        ("the weights' sum is missing before p", "dz = (p - q) / D where (p sum q - q) / D belongs.", (p - q) / D * dE),
    )  # fmt: skip
    for name, why, wrong in wrongs:
        yield Mistake(name, why, {k: wrong})
    loss = case.stage.subject
    if isinstance(loss, manual.SoftmaxCrossEntropy):
        for words, smoothing, weights in (
            ("label smoothing is", 0.0, loss.class_weights),
            ("the class weights are", loss.label_smoothing, None),
        ):
            p, q, D = _parts(case, smoothing, weights)
            wrong = (p * q.sum(axis=1, keepdims=True) - q) / D * dE
            yield Mistake(f"{words} forgotten", "The loss has them, its gradient has not.", {k: wrong})


def _parts(case: Case, smoothing: float, weights: Sequence[float] | None) -> tuple[Float, Float, Float]:
    """p, q and D of our own loss with these options."""
    plainer = manual.SoftmaxCrossEntropy(case.stage.subject.reduction, smoothing, weights)
    cache = plainer.forward(case.x, plain(case.stage.constants))[1]
    q, D = plainer.weighted(*cache)
    return cache.p, q, np.asarray(D, dtype=np.float64)


def _softmax_loss(case: Case) -> tuple[Float, Float, Float] | None:
    """p, q and D: of our own loss, or of somebody's function whose gradient is (softmax - one-hot) / D."""
    loss, z = case.stage.subject, case.x
    if isinstance(loss, manual.SoftmaxCrossEntropy):
        return _parts(case, loss.label_smoothing, loss.class_weights)
    if case.y.size != 1 or z.ndim != 2 or z.shape[1] < 2 or not np.all(case.dy):
        return None
    e = np.exp(z - z.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    for D in (1.0, float(len(z))):
        q = p - D * case.right[f"d{case.x_name}"] / case.dy
        if np.all(np.abs(q - np.round(q)) <= 64 * D * EPS) and np.all(np.round(q).sum(axis=1) == 1):
            return p, np.round(q), np.asarray(D)
    return None


def binary_cross_entropy(case: Case) -> Iterator[Mistake]:
    """dz = dE (s - t) / D, s = sigmoid(z)."""
    if not isinstance(case.stage.subject, manual.BinaryCrossEntropy):
        return
    z, t, k = case.x, plain(case.stage.constants), f"d{case.x_name}"
    s, c = sigmoid(z), case.dy / divisor(case.stage.subject.reduction, z)
    wrongs = (
        ("the target is not subtracted", "dz = s / D where (s - t) / D belongs.", s * c),
        ("the sigmoid is missing", "dz = (z - t) / D where (s - t) / D belongs.", (z - t) * c),
        ("a factor s (1 - s) too many", "It cancels against the logarithm: (s - t) / D is all.",
         (s - t) * (s * (1 - s)) * c),
        ("the gradient of the probabilities, not of the logits", "dz = (s - t) / (s (1 - s)) / D: no sigmoid'.",
         (s - t) / (s * (1 - s)) * c),
        ("the term of the zeros is missing", "Only -t log s was differentiated: -t (1 - s) / D.", -t * (1 - s) * c),
        ("the term of the ones is missing", "Only -(1 - t) log(1 - s) was differentiated: (1 - t) s / D.",
         (1 - t) * s * c),
    )  # fmt: skip
    for name, why, wrong in wrongs:
        yield Mistake(name, why, {k: wrong})


def squared_error(case: Case) -> Iterator[Mistake]:
    """dy = dE 2 factor (y - t) / D."""
    loss = case.stage.subject
    if not isinstance(loss, manual.SquaredError):
        return
    y, t, k = case.x, plain(case.stage.constants), f"d{case.x_name}"
    e, c = y - t, case.dy * (2 * loss.factor / divisor(loss.reduction, y))
    wrongs = (
        ("the target is not subtracted", "The gradient is that of y, not of y - t.", c * y),
        ("the output is missing", "The gradient is that of -t, not of y - t.", -c * t),
        ("the error is squared", "The square was kept: e^2 where its derivative 2 e belongs.", c * e * e),
        ("the derivative of the absolute error", "It is the sign of y - t, the gradient of |y - t|.", c * np.sign(e)),
        ("the sign of the target is turned", "y + t where y - t belongs.", c * (y + t)),
        ("output times target stands where their difference belongs", "y t where y - t belongs.", c * y * t),
        ("the factor y - t is missing", "The gradient is that of y: the target has no part in it.", c + 0 * y),
    )
    for name, why, wrong in wrongs:
        yield Mistake(name, why, {k: wrong})


LOSSES = (cross_entropy, binary_cross_entropy, squared_error)
