"""Is this stage a softmax over its last axis, ours or somebody else's? Its values say so."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from handgrad.explain.recognise.equal import same
from handgrad.explain.recognise.failed_trial import FailedTrial
from handgrad.judge.compare import Float


class Softmax(NamedTuple):
    """p = softmax(z), dz = p (dp - s), s = sum dp p."""

    p: Float
    dp: Float
    s: Float
    again: Float  # the right dz through the Jacobian once more
    names: Mapping[str, str]


def recognise_softmax(trial: FailedTrial) -> Softmax | None:
    """One input, and the result is its softmax."""
    z, p, dp, dz = trial.x, trial.y, trial.dy, f"d{trial.x_name}"
    if len(trial.inputs) != 1 or z.ndim < 2 or z.shape != p.shape or not same(p, softmax(z)):
        return None
    again = trial.rerun(dy=trial.right[dz]).get(dz, dp)
    return Softmax(p, dp, (dp * p).sum(axis=-1, keepdims=True), again, {"p": "y", "dz": dz})


def softmax(z: Float) -> Float:
    """Along the last axis."""
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))
