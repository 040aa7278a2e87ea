"""The bound by interval (ball) arithmetic: the code itself, run on numbers that carry how far rounding can move them.

    |s - S| <= tau + tau_ref      entry by entry, no entry excepted

s is what the hand-derived code gives in its own precision, S float64 autograd on the same numbers. tau is the radius
that comes out when the very same code runs on balls (a midpoint and a radius), tau_ref the same for a float64
evaluation in any order of summation. Nobody chooses a tolerance; `slack` multiplies tau for a user who wants a looser
test, and the smallest detectable error grows with it.

Where rounding could send the code into another branch (of a `where`, a mask, a sign), tau is that of the midpoint's
branch alone, so that the other branch makes no room for a wrong gradient in this one. An entry outside that bound and
inside the hull of both branches is a kink entry: UNRESOLVED, for balls say nothing about it.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handgrad.arrays.arithmetic import Arithmetic
from handgrad.arrays.ball import Ball, at_most_single_numbers
from handgrad.judge.compare import Evidence, Float
from handgrad.judge.constants import SINGLE_NUMBERS
from handgrad.judge.judgement import Judgement, Way, judgement
from handgrad.judge.trial import Trial


def by_balls(trial: Trial, most: int | None = SINGLE_NUMBERS) -> Judgement:
    """The trial judged by interval arithmetic.

    most: how many balls of a single number there may be; TooManyNumbers is raised at more.
    Raises CannotEnter, or whatever the code raises on an array it does not expect, where balls cannot follow it.
    """
    S, s = trial.reference, trial.results
    with at_most_single_numbers(most):
        bounds = stage_bounds(trial)
    fitting = in_shape(bounds, S)
    if any(beyond(s[name], S[name], fitting[name]).any() for name in S):
        hull = in_shape(stage_bounds(trial, both=True), S)
        kinks = {name: beyond(s[name], S[name], fitting[name]) & ~beyond(s[name], S[name], hull[name]) for name in S}
        fitting = {name: np.where(kinks[name], np.inf, fitting[name]) for name in S}
    # A result of another shape is refuted whatever its bound; the bound of its own shape serves the words about it.
    evidence = {
        name: Evidence(s[name], S[name], b if b.shape == s[name].shape != S[name].shape else fitting[name])
        for name, b in bounds.items()
    }
    return judgement(trial, Way.BALLS, evidence)


def stage_bounds(trial: Trial, *, both: bool = False) -> dict[str, Float]:
    """slack tau + tau_ref of every output; infinite where the code does not compute it on balls at all.

    both: the hull of both branches where rounding could take either.
    """
    tau = radii(trial, Arithmetic.of(trial.dtype, both=both))
    tau_ref = radii(trial, Arithmetic.of("float64", terms=longest_sum(trial.exact), both=both))
    unknown = np.asarray(np.inf)
    return {name: trial.slack * tau.get(name, unknown) + tau_ref.get(name, unknown) for name in trial.reference}


def radii(trial: Trial, arithmetic: Arithmetic) -> dict[str, Float]:
    """How far rounding alone can carry each output from its exact value: the same code, run on balls."""
    balls = {key: Ball.exact(value, arithmetic) for key, value in trial.exact.items()}
    found = trial.stage.hand(balls, Ball.exact(trial.dy64, arithmetic))
    return {key: radius(value) for key, value in found.items()}


def radius(value: Any) -> Float:
    """A ball's radius; a plain array did not come through any rounding and has none."""
    return value.rad if isinstance(value, Ball) else np.zeros(np.shape(value))


def longest_sum(inputs: Mapping[str, Float]) -> int:
    """One more than the longest axis: no sum of the stage has more terms (its mean over all entries divides after)."""
    return 1 + max((n for value in inputs.values() for n in value.shape), default=1)


def in_shape(bounds: Mapping[str, Float], S: Mapping[str, Float]) -> dict[str, Float]:
    """The bounds in the shapes of S; infinite where the code computes another shape."""
    return {name: b if b.shape == S[name].shape else np.full(S[name].shape, np.inf) for name, b in bounds.items()}


def beyond(s: Float, S: Float, bound: Float) -> NDArray[np.bool_]:
    """Where s is not within bound of S; nowhere if it has another shape, which is no matter of bounds."""
    if s.shape != S.shape:
        return np.zeros(S.shape, bool)
    with np.errstate(all="ignore"):
        return ~(np.abs(s - S) <= bound)
