"""Is this stage a layer or batch normalisation, ours or somebody else's? Its values say so."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

import manual
from handgrad.arrays.arithmetic import EPS
from handgrad.explain.recognise.failed_trial import FailedTrial
from handgrad.judge.compare import Float
from handgrad.judge.constants import RECOGNISED_WITHIN, USUAL_EPS


class Norm(NamedTuple):
    """y = gamma o xhat + beta, xhat = xc / s, xc = x - mean, with dxhat = dy gamma; the means are over `axis`."""

    axis: int
    x: Float
    y: Float
    dy: Float
    gamma: Float
    xc: Float
    s: Float
    xhat: Float
    dxhat: Float
    eps: float
    names: Mapping[str, str]

    @property
    def n(self) -> int:
        """How many numbers each mean is over."""
        return int(self.x.shape[self.axis])

    @property
    def unbiased(self) -> float:
        """n / (n - 1): the factor of a mean that is divided by n - 1."""
        return self.n / (self.n - 1)

    def mean(self, a: Float) -> Float:
        return np.asarray(a.mean(axis=self.axis, keepdims=True))

    @property
    def m(self) -> Float:
        """mean(dxhat): the path through the mean."""
        return self.mean(self.dxhat)

    @property
    def v(self) -> Float:
        """xhat mean(dxhat xhat): the path through the variance."""
        return self.xhat * self.mean(self.dxhat * self.xhat)


def recognise_norm(trial: FailedTrial) -> Norm | None:
    """Normalised over each row or each column, with somebody's eps, with or without gamma and beta."""
    x, y = trial.x, trial.y
    if x.ndim != 2 or x.shape != y.shape or isinstance(trial.stage.constants, manual.Running):
        return None
    given = [k for k, v in trial.inputs.items() if k != trial.x_name and v.shape == x.shape[1:]]
    if len(given) != len(trial.inputs) - 1 or len(given) > 2:
        return None
    names = {"dx": f"d{trial.x_name}"} | dict(zip(("dgamma", "dbeta"), (f"d{k}" for k in given), strict=False))
    gamma = trial.inputs[given[0]] if given else np.ones(x.shape[1])
    beta = trial.inputs[given[1]] if len(given) > 1 else np.zeros(x.shape[1])
    eps = getattr(trial.stage.subject, "eps", None)
    for axis in (1, 0):
        xc = x - x.mean(axis=axis, keepdims=True)
        for e in USUAL_EPS if eps is None else (eps,):
            s = np.sqrt((xc * xc).mean(axis=axis, keepdims=True) + e)
            # the mean is off by a few roundings of the largest entry, which centring may lay bare
            lost = np.abs(x).max(axis=axis, keepdims=True) / s
            allowed = RECOGNISED_WITHIN * EPS * (np.abs(gamma) * lost + np.abs(y) + np.abs(beta))
            if np.all(np.abs(y - (gamma * (xc / s) + beta)) <= allowed):
                return Norm(axis, x, y, trial.dy, gamma, xc, s, xc / s, trial.dy * gamma, e, names)
    return None


def recognise_frozen_norm(trial: FailedTrial) -> Norm | None:
    """Our batch normalisation in evaluation: the running statistics are constants."""
    layer, running = trial.stage.subject, trial.stage.constants
    if not isinstance(layer, manual.BatchNorm1d) or not isinstance(running, manual.Running):
        return None
    mean, var = (np.asarray(v, dtype=np.float64) for v in running)
    gamma, xc, s = trial.inputs["gamma"], trial.x - mean, np.sqrt(var + layer.eps)
    names = {"dx": f"d{trial.x_name}", "dgamma": "dgamma", "dbeta": "dbeta"}
    return Norm(0, trial.x, trial.y, trial.dy, gamma, xc, s, xc / s, trial.dy * gamma, layer.eps, names)
