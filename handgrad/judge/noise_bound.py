"""The bound by noise, for code that ball arrays cannot enter: buffers, loops, kernels, torch functions and modules.

    |g - S| <= 32 sigma + 8 u |S| + 4 |g - g'|      entry by entry

S is the reference and sigma how much rounding moves it (reference_noise.py). g' is the same code run once more in a
wider precision, so |g - g'| is the rounding of the code's own formula. The factors and their reasons are in
constants.py.
"""

from typing import Any

import numpy as np
import torch

from handgrad.arrays.arithmetic import Arithmetic
from handgrad.arrays.precision import dtype_name, like, to64
from handgrad.judge.compare import Evidence, Float
from handgrad.judge.constants import NOISE_SIGMAS, OWN, ROUNDINGS
from handgrad.judge.isolation import attempt
from handgrad.judge.judgement import Judgement, Way, judgement
from handgrad.judge.trial import Trial

LONGDOUBLE_IS_WIDER = bool(np.finfo(np.longdouble).eps < np.finfo(np.float64).eps)


def by_noise(trial: Trial, arithmetic: Arithmetic | None = None) -> Judgement:
    """The trial judged by the noise of its reference.

    arithmetic: the rounding that is allowed, by default that of the precision judged.
    """
    a = arithmetic or trial.arithmetic
    S, s, sigma, own = trial.reference, trial.results, trial.noise(a), own_rounding(trial)
    evidence = {}
    with np.errstate(all="ignore"):
        for name, right in S.items():
            changed = own.get(name, 0.0) if s[name].shape == right.shape else 0.0  # another shape is refuted as such
            bound = trial.slack * (NOISE_SIGMAS * sigma[name] + ROUNDINGS * a.u * np.abs(right) + OWN * changed)
            bound = bound + ROUNDINGS * a.tiny
            evidence[name] = Evidence(s[name], right, np.full(right.shape, np.inf) if name in trial.missing else bound)
    return judgement(trial, Way.NOISE, evidence)


def own_rounding(trial: Trial) -> dict[str, Float]:
    """|g - g'| of every result, g' from the wider run; zero where the code does not repeat itself.

    Empty where the code does not run in a wider precision: then its own rounding cannot be measured.
    """
    wide = {name: widen(value) for name, value in trial.inputs.items()}
    if any(value is None for value in wide.values()):
        return {}

    def compare_runs() -> dict[str, Float]:
        again, better = trial.again, trial.stage.hand(wide, widen(trial.dy))
        return {name: difference(g, again[name], better[name]) for name, g in trial.hand.items() if g is not None}

    return attempt(compare_runs).value or {}


def difference(g: Any, again: Any, better: Any) -> Float:
    """|g - better| where again repeats g and all is finite, else zero."""
    gap = np.abs(long(g) - long(better)).astype(np.float64)
    return np.where((long(g) == long(again)) & np.isfinite(gap), gap, 0.0)


def widen(array: Any) -> Any:
    """The same numbers in a wider precision of the same library, or None where it has none."""
    if dtype_name(array) != "float64":
        if isinstance(array, torch.Tensor):
            return array.detach().double()
        return like(to64(array), np.zeros(())) if isinstance(array, np.ndarray | np.generic) else None
    if isinstance(array, np.ndarray | np.generic | float) and LONGDOUBLE_IS_WIDER:
        return np.asarray(array, np.longdouble)
    return None


def long(array: Any) -> Any:
    """The numbers in np.longdouble, whatever they were."""
    return np.asarray(to64(array) if isinstance(array, torch.Tensor) else array, np.longdouble)
