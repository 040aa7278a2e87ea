"""Fresh draws of a stage that failed: a name read off the first draw must hold on every other."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from handgrad.arrays.precision import dtype_name, like, to64
from handgrad.explain.failed_trial import FailedTrial, attempt
from handgrad.judge.ball_bound import Evidence, Float, certify, stage_bounds
from handgrad.judge.constants import DRAWN_NUMBERS, FEWEST_DRAWS, MOST_DRAWS
from handgrad.judge.isolation import duplicate
from handgrad.judge.noise_bound import certify_opaque
from handgrad.judge.stage import Arrays, Stage


def draw(trial: FailedTrial, inputs: Arrays, dy: Any) -> Iterator[FailedTrial]:
    """The trial on other numbers: a few times, fewer for a large stage, never where the code cannot be run again.

    The numbers of an input change places and signs where the reference takes that, else places, else they stay: code
    for positive numbers, or for matrices of a certain kind, is not judged on others. An input without a gradient (a
    target) stays. The numbers of the upstream gradient change their sizes as well. Every other draw turns the signs of
    the one before, so that two draws have shown each entry, or a scalar, with both signs.
    """
    rng = np.random.default_rng(0)
    size = sum(v.size for v in (*trial.right.values(), *trial.inputs.values()))
    signs = np.ones(trial.dy.shape)
    for i in range(int(np.clip(DRAWN_NUMBERS // max(1, size), FEWEST_DRAWS, MOST_DRAWS))):
        signs = -signs if i % 2 else rng.choice((-1.0, 1.0), trial.dy.shape)
        upstream = like(signs * np.abs(shuffle(trial.dy, rng)) * rng.uniform(0.5, 2, trial.dy.shape), dy)
        for change in (lambda a: turn_signs(shuffle(a, rng), rng), lambda a: shuffle(a, rng), lambda a: a):
            changed = {k: like(change(v), inputs[k]) for k, v in trial.inputs.items() if f"d{k}" in trial.right}
            at = {**inputs, **changed}
            evidence = attempt(judged, trial.stage, at, upstream, rng)
            if evidence and all(np.isfinite(e.reference).all() for e in evidence.values()):
                exact = {name: to64(value) for name, value in at.items()}
                yield replace(trial, inputs=exact, dy=to64(upstream), evidence=evidence, failed=trial.failing)
                break
        else:
            return


def shuffle(a: Float, rng: np.random.Generator) -> Float:
    """The same numbers in other places."""
    return rng.permutation(a.reshape(-1)).reshape(a.shape)


def turn_signs(a: Float, rng: np.random.Generator) -> Float:
    """The same numbers with other signs."""
    return np.asarray(a * rng.choice((-1.0, 1.0), a.shape))


def judged(stage: Stage, inputs: Arrays, dy: Any, rng: np.random.Generator) -> dict[str, Evidence]:
    """What the code gives, what is right, and the bound: by balls where they enter, else by the reference's noise."""
    hand = stage.hand(duplicate(inputs), duplicate(dy))
    try:
        evidence = certify(stage, inputs, dy, hand=hand)[1]
    except Exception:
        evidence = certify_opaque(stage, inputs, dy, hand, rng)[1]
    return measured(stage, inputs, dy, evidence)


def measured(stage: Stage, inputs: Arrays, dy: Any, evidence: Mapping[str, Evidence]) -> dict[str, Evidence]:
    """The evidence, with the bound of the given result itself where that has another shape than the right one."""
    odd = [k for k, e in evidence.items() if e.hand.shape != e.reference.shape and not np.isfinite(e.bound).any()]
    if not odd:
        return dict(evidence)
    exact, dy64 = {key: to64(value) for key, value in inputs.items()}, to64(dy)
    S = {k: e.reference for k, e in evidence.items()}
    try:
        bounds = stage_bounds(stage, exact, dy64, dtype_name(dy), 1.0, S)
    except Exception:  # code that balls cannot enter: these tensors stay without a bound and without a name
        return dict(evidence)
    return {k: replace(e, bound=bounds[k]) if k in odd else e for k, e in evidence.items()}
