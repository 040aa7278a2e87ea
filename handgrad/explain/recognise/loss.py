"""Is this stage a loss: anyone's cross-entropy of logits, or our binary cross-entropy or squared error?"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

import manual
from handgrad.arrays.arithmetic import EPS
from handgrad.arrays.precision import plain
from handgrad.explain.recognise.failed_trial import FailedTrial
from handgrad.explain.recognise.softmax import softmax
from handgrad.judge.compare import Float
from handgrad.judge.constants import RECOGNISED_WITHIN
from manual.layers.sigmoid import sigmoid
from manual.losses.reduction import divisor


class CrossEntropy(NamedTuple):
    """dz = dE (p Q - q) / D, p = softmax(z), Q = sum q: one row of q for each sample, its target."""

    z: Float
    p: Float
    q: Float
    D: Float
    dE: Float
    dz: Float  # the right one
    ours: tuple[manual.SoftmaxCrossEntropy, Float] | None  # our loss with its target
    names: Mapping[str, str]

    @property
    def Q(self) -> Float:
        return np.asarray(self.q.sum(axis=1, keepdims=True))

    def gradient(self, *, smoothing: bool = True, weights: bool = True) -> Float | None:
        """dz of our loss, with its label smoothing and its class weights or without them."""
        if self.ours is None:
            return None
        loss, target = self.ours
        options = loss.label_smoothing if smoothing else 0.0, loss.class_weights if weights else None
        p, q, D = read_parts(loss, self.z, target, *options)
        return np.asarray((p * q.sum(axis=1, keepdims=True) - q) / D * self.dE)


def recognise_cross_entropy(trial: FailedTrial) -> CrossEntropy | None:
    """Our own loss, or somebody's function whose gradient is (softmax - one-hot) / D."""
    loss, z, name = trial.stage.subject, trial.x, f"d{trial.x_name}"
    if isinstance(loss, manual.SoftmaxCrossEntropy):
        target = plain(trial.stage.constants)
        parts = read_parts(loss, z, target, loss.label_smoothing, loss.class_weights)
        return CrossEntropy(z, *parts, trial.dy, trial.right[name], (loss, target), {"dz": name})
    if trial.y.size != 1 or z.ndim != 2 or z.shape[1] < 2 or not np.all(trial.dy):
        return None
    p = softmax(z)
    for D in (1.0, float(len(z))):
        q = p - D * trial.right[name] / trial.dy
        one_hot = np.round(q)
        if np.all(np.abs(q - one_hot) <= RECOGNISED_WITHIN * D * EPS) and np.all(one_hot.sum(axis=1) == 1):
            return CrossEntropy(z, p, one_hot, np.asarray(D), trial.dy, trial.right[name], None, {"dz": name})
    return None


def read_parts(
    loss: manual.SoftmaxCrossEntropy, z: Float, target: Float, smoothing: float, weights: Sequence[float] | None
) -> tuple[Float, Float, Float]:
    """p, q and D of our own loss with these options, by its right forward pass."""
    right = manual.SoftmaxCrossEntropy(loss.reduction, smoothing, weights)
    cache = right.forward(z, target)[1]
    q, D = right.weighted(*cache)
    return cache.p, q, np.asarray(D, dtype=np.float64)


class BinaryCrossEntropy(NamedTuple):
    """dz = (s - t) c, s = sigmoid(z), c = dE / D."""

    z: Float
    t: Float
    s: Float
    c: Float
    names: Mapping[str, str]


def recognise_binary_cross_entropy(trial: FailedTrial) -> BinaryCrossEntropy | None:
    loss, z = trial.stage.subject, trial.x
    if not isinstance(loss, manual.BinaryCrossEntropy):
        return None
    c = trial.dy / divisor(loss.reduction, z)
    return BinaryCrossEntropy(z, plain(trial.stage.constants), sigmoid(z), c, {"dz": f"d{trial.x_name}"})


class SquaredError(NamedTuple):
    """dy = (y - t) c, c = dE 2 factor / D."""

    y: Float
    t: Float
    c: Float
    names: Mapping[str, str]

    @property
    def e(self) -> Float:
        return self.y - self.t


def recognise_squared_error(trial: FailedTrial) -> SquaredError | None:
    loss, y = trial.stage.subject, trial.x
    if not isinstance(loss, manual.SquaredError):
        return None
    c = trial.dy * (2 * loss.factor / divisor(loss.reduction, y))
    return SquaredError(y, plain(trial.stage.constants), c, {"dy": f"d{trial.x_name}"})
