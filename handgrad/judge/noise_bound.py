"""The bound by noise, for code that ball arrays cannot enter: buffers, loops, kernels, torch functions and modules.

    |g - S| <= 32 (sigma + sigma_own) + 8 u |S|      entry by entry

S is the reference and sigma how much rounding moves it (reference_noise.py). sigma_own is how much rounding moves the
code's own result (own_noise.py), for its formula may lose digits that the reference's keeps. The factors and their
reasons are in constants.py.
"""

from collections.abc import Mapping

import numpy as np

from handgrad.arrays.arithmetic import Arithmetic
from handgrad.judge.compare import Evidence, Float
from handgrad.judge.constants import NOISE_SIGMAS, ROUNDINGS
from handgrad.judge.judgement import Judgement, Way, judgement
from handgrad.judge.trial import Trial
from handgrad.judge.verdict import Verdict


def by_reference_noise(trial: Trial) -> Judgement:
    """The trial judged by what rounding does to the reference alone."""
    return judgement(trial, Way.NOISE, evidence(trial, trial.arithmetic, trial.noise(trial.arithmetic)))


def by_noise(trial: Trial, arithmetic: Arithmetic | None = None) -> Judgement:
    """The trial judged by the noise of its reference.

    arithmetic: the rounding that is allowed, by default that of the precision judged.
    """
    a = arithmetic or trial.arithmetic
    coarse = (
        trial.arithmetic.coarse and trial.own.imitated
    )  # what it rounds was measured; its reference rounds in float32
    sigma = trial.noise(Arithmetic.of("float32") if coarse else a)
    found = judgement(trial, Way.NOISE, evidence(trial, a, sigma))
    if found.verdict is Verdict.CERTIFIED and not coarse:
        return found
    # Its own rounding can only excuse, so it is asked where something is left to excuse.
    own = {n: s for n, s in trial.own.sigma.items() if n in sigma and s.shape == sigma[n].shape}
    return judgement(trial, Way.NOISE, evidence(trial, a, {n: s + own.get(n, 0.0) for n, s in sigma.items()}))


def evidence(trial: Trial, a: Arithmetic, sigma: Mapping[str, Float]) -> dict[str, Evidence]:
    """Every result with its bound; without one where the code gives nothing."""
    found = {}
    with np.errstate(all="ignore"):
        for name, right in trial.reference.items():
            bound = trial.slack * (NOISE_SIGMAS * sigma[name] + ROUNDINGS * a.u * np.abs(right)) + ROUNDINGS * a.tiny
            none = np.full(right.shape, np.inf)
            found[name] = Evidence(trial.results[name], right, none if name in trial.missing else bound)
    return found
