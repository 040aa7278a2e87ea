"""Fresh draws of a stage that failed: a name read off the first draw must hold on every other."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from handgrad.arrays.precision import like, to64
from handgrad.explain.recognise.failed_trial import FailedTrial
from handgrad.judge.bound import bound
from handgrad.judge.compare import Float
from handgrad.judge.constants import DRAWN_NUMBERS, FEWEST_DRAWS, MOST_DRAWS
from handgrad.judge.isolation import attempt
from handgrad.judge.stage import Arrays
from handgrad.judge.trial import Trial


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
            found = attempt(bound, Trial(trial.stage, at, upstream)).value
            evidence = found.evidence if found else {}
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
