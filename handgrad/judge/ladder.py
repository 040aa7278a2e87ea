"""The precision ladder: the tightest arithmetic under which bfloat16 or float16 code passes.

Low-precision code is written in several ways, and one bound for all of them sees little: what excuses code that rounds
after every operation would hide a lost term in code that computes in float32. So the steps are tried one by one,
tightest first, until all of a stage passes:

    correctly rounded               |g - S| <= half a unit in the last place of S
    float32 inside, rounded once    |g - S| <= u |S| + 32 sigma     sigma: the reference's noise in float32
    float32 inside                  |g - S| <= 2 u |S| + 8 sigma    where every operation rounds, and sums once
    rounded at every operation      |g - S| <= 2 u |S| + 8 sigma    where every addition of a sum rounds as well
    with roundings of its own       |g - S| <= 2 u |S| + 8 sigma    sigma: the noise of the code itself (own_noise.py)

Where inputs have several precisions, u is on the first two steps that of each result (dW has W's), below it the
coarsest.
"""

from dataclasses import replace
from enum import Enum

import numpy as np

from handgrad.arrays.arithmetic import Arithmetic
from handgrad.judge.compare import Float
from handgrad.judge.constants import ACCUMULATES, NOISE_SIGMAS, ROUNDINGS, RUNG_ROUNDINGS, RUNG_SIGMAS
from handgrad.judge.trial import Trial


class Rung(Enum):
    """A step of the ladder, from the top; its value is what a user writes as `precision=`."""

    CORRECT = "correctly rounded"
    ONCE = "float32 inside, rounded once"
    BETWEEN = "float32 inside"
    EVERY = "rounded at every operation"
    OWN = "with roundings of its own"

    def describe(self, dtype: str) -> str:
        """In words: how the code computes."""
        return {
            Rung.CORRECT: "correctly rounded",
            Rung.ONCE: "as float32 inside, rounded once",
            Rung.BETWEEN: f"float32 inside sums, {dtype} between operations",
            Rung.EVERY: f"{dtype} at every operation, additions of a sum included",
            Rung.OWN: f"{dtype}, with more roundings than its reference has operations",
        }[self]

    def blame(self, dtype: str) -> str:
        """In words: what code on this step does that a higher one does not allow."""
        return {
            Rung.CORRECT: "",
            Rung.ONCE: "is not correctly rounded",
            Rung.BETWEEN: f"rounds to {dtype} between operations",
            Rung.EVERY: f"accumulates in {dtype}",
            Rung.OWN: f"loses digits in {dtype} by its formula",
        }[self]


def rung_bounds(trial: Trial, rung: Rung) -> dict[str, Float]:
    """The bound of every result under that arithmetic; infinite nowhere."""
    a = trial.arithmetic
    arithmetic = {
        Rung.ONCE: Arithmetic.of("float32"),
        Rung.BETWEEN: a,
        Rung.EVERY: replace(a, u_sum=a.u),
    }.get(rung)
    sigma: dict[str, Float] = trial.own.sigma if rung is Rung.OWN else trial.noise(arithmetic) if arithmetic else {}
    sigmas, roundings = (NOISE_SIGMAS, 1) if rung is Rung.ONCE else (RUNG_SIGMAS, RUNG_ROUNDINGS)
    with np.errstate(all="ignore"):
        if rung is Rung.CORRECT:
            return {
                name: trial.slack * trial.unit(name) * 2.0 ** (np.frexp(S)[1] - 1) + a.tiny / 2
                for name, S in trial.reference.items()
            }
        u = {name: trial.unit(name) if rung is Rung.ONCE else a.u for name in trial.reference}
        return {
            name: trial.slack * (sigmas * sigma.get(name, np.zeros(S.shape)) + roundings * u[name] * np.abs(S))
            + ROUNDINGS * a.tiny
            for name, S in trial.reference.items()
        }


def typical_error(trial: Trial, name: str) -> float:
    """The root mean square of a result's errors, each in standard deviations of the code's own rounding there."""
    S, s, sigma = trial.reference[name], trial.results[name], trial.own.sigma.get(name)
    if sigma is None or s.shape != S.shape:
        return 0.0
    scale = np.hypot(sigma, trial.unit(name) * np.abs(S) + trial.arithmetic.tiny)
    off = ((s - S) / scale)[np.isfinite(s)]  # what is infinite and passed is right
    return float(np.sqrt(np.mean(off**2))) if off.size else 0.0


def accumulates(trial: Trial, name: str) -> bool:
    """Whether the code's own rounding is far larger than that of sums in float32: it rounds every addition."""
    sigma, once = trial.own.sigma.get(name), trial.noise(trial.arithmetic)[name]
    return sigma is not None and bool(np.sqrt(np.mean(sigma**2)) > ACCUMULATES * np.sqrt(np.mean(once**2)))
