"""The bound by noise, for code that ball arrays cannot enter: buffers, loops, kernels, torch functions and modules.

    |g - S| <= 32 (sigma + sigma_own) + 8 u |S|      entry by entry

S is the reference and sigma how much rounding moves it (reference_noise.py). sigma_own is how much rounding moves the
code's own result (own_noise.py), for its formula may lose digits that the reference's keeps. The factors and their
reasons are in constants.py.
"""

import numpy as np

from handgrad.arrays.arithmetic import Arithmetic
from handgrad.judge.compare import Evidence
from handgrad.judge.constants import NOISE_SIGMAS, ROUNDINGS
from handgrad.judge.judgement import Judgement, Way, judgement
from handgrad.judge.trial import Trial


def by_noise(trial: Trial, arithmetic: Arithmetic | None = None) -> Judgement:
    """The trial judged by the noise of its reference.

    arithmetic: the rounding that is allowed, by default that of the precision judged.
    """
    a = arithmetic or trial.arithmetic
    S, s, own = trial.reference, trial.results, trial.own.sigma
    # What coarse code rounds is its own matter where it was measured; its reference is rounded in float32.
    sigma = trial.noise(Arithmetic.of("float32") if trial.coarse and trial.own.imitated else a)
    evidence = {}
    with np.errstate(all="ignore"):
        for name, right in S.items():
            changed = own.get(name, 0.0) if s[name].shape == right.shape else 0.0  # another shape is refuted as such
            bound = trial.slack * (NOISE_SIGMAS * (sigma[name] + changed) + ROUNDINGS * a.u * np.abs(right))
            bound = bound + ROUNDINGS * a.tiny
            evidence[name] = Evidence(s[name], right, np.full(right.shape, np.inf) if name in trial.missing else bound)
    return judgement(trial, Way.NOISE, evidence)
