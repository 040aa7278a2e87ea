"""Is this stage a linear layer, y = x (W o M)^T + b, ours or somebody else's? Its values say so."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from handgrad.arrays.arithmetic import EPS
from handgrad.explain.recognise.failed_trial import FailedTrial
from handgrad.judge.compare import Float
from handgrad.judge.constants import LINEAR_WITHIN


class Linear(NamedTuple):
    """z = x V^T + b, V = W o M as [to][from]. turned: the code keeps W as [from][to]."""

    x: Float
    z: Float
    dz: Float
    W: Float
    M: Float
    b: Float | None
    dx: Float  # the right results
    dW: Float
    db: Float | None
    given_dW: Float | None  # as the code gives it, where that is another
    turned: bool
    names: Mapping[str, str]

    @property
    def V(self) -> Float:
        return self.W * self.M

    @property
    def square(self) -> bool:
        return bool(self.W.shape[0] == self.W.shape[1])

    def kept(self, W: Float) -> Float:
        """A matrix [to][from] as the code keeps it."""
        return W.T if self.turned else W


def recognise_linear(trial: FailedTrial) -> Linear | None:
    """The stage as a linear layer, whichever input is its W, and which, if any, its b."""
    x, z = trial.x, trial.y
    if x.ndim != 2 or z.ndim != 2:
        return None
    given = {k: v for k, v in trial.inputs.items() if k != trial.x_name}
    b = next((k for k, v in given.items() if v.shape == z.shape[1:]), None)
    mask = getattr(trial.stage.subject, "mask", None)
    for name, value in given.items():
        for turned, W in ((False, value), (True, value.T)):
            if value.ndim == 2 and W.shape == (z.shape[1], x.shape[1]):
                M = np.ones_like(W) if mask is None else np.asarray(mask, dtype=float)
                if gives(x, W * M, given[b] if b else np.zeros(1), z):
                    names = {"z": "y", "dx": f"d{trial.x_name}", "dW": f"d{name}"} | ({"db": f"d{b}"} if b else {})
                    return take_apart(trial, names, W, M, given[b] if b else None, turned)
    return None


def gives(x: Float, V: Float, b: Float, z: Float) -> bool:
    """Whether x V^T + b is z, within the rounding of its sums."""
    largest = np.abs(x) @ np.abs(V).T + np.abs(b)
    return bool(np.all(np.abs(z - (x @ V.T + b)) <= LINEAR_WITHIN * (x.shape[1] + 2) * EPS * largest))


def take_apart(
    trial: FailedTrial, names: Mapping[str, str], W: Float, M: Float, b: Float | None, turned: bool
) -> Linear:
    """The layer with its right results, all matrices as [to][from]."""
    dW, right = names["dW"], {k: trial.right[name] for k, name in names.items()}
    given = trial.hand[dW] if dW in trial.same_shape else None
    if turned:
        right["dW"], given = right["dW"].T, None if given is None else given.T
    dx, dW_, db = right["dx"], right["dW"], right.get("db")
    return Linear(trial.x, trial.y, trial.dy, W, M, b, dx, dW_, db, given, turned, names)
