"""Fresh draws of a stage that failed: a name read off the first draw must hold on every other."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from handgrad.arrays.precision import like, to64
from handgrad.explain.failed_trial import Case
from handgrad.judge.bound import bound
from handgrad.judge.compare import Evidence, Float
from handgrad.judge.isolation import quiet
from handgrad.judge.stage import Arrays, Stage
from handgrad.judge.trial import Trial

FEWEST_DRAWS, MOST_DRAWS = 2, 20  # a tensor of one entry that is zero says one bit a draw
MOST_NUMBERS = 1_000_000


def draws(case: Case, inputs: Arrays, dy: Any) -> Iterator[Case]:
    """The case on other numbers: a few, fewer of a large stage, none where the code cannot be run again.

    The numbers of an input change places and signs where the reference takes that, else places, else they stay: what is
    made for positive numbers, or for matrices of a certain kind, is not judged on others. An input without a gradient
    (a target) stays. The numbers of the upstream gradient change their sizes as well; every other draw has the signs of
    the one before turned, so that two have shown each entry both, and a scalar too.
    """
    rng = np.random.default_rng(0)
    size = sum(v.size for v in (*case.right.values(), *case.inputs.values()))
    signs = np.ones(case.dy.shape)
    for i in range(int(np.clip(MOST_NUMBERS // max(1, size), FEWEST_DRAWS, MOST_DRAWS))):
        signs = -signs if i % 2 else rng.choice((-1.0, 1.0), case.dy.shape)
        upstream = like(signs * np.abs(shuffled(case.dy, rng)) * rng.uniform(0.5, 2, case.dy.shape), dy)
        for change in (lambda a: turned(shuffled(a, rng), rng), lambda a: shuffled(a, rng), lambda a: a):
            at = {k: like(change(v), inputs[k]) if f"d{k}" in case.right else inputs[k] for k, v in case.inputs.items()}
            try:
                with quiet():
                    evidence = find_evidence(case.stage, at, upstream)
            except Exception:
                continue
            if all(np.isfinite(e.reference).all() for e in evidence.values()):
                exact = {name: to64(value) for name, value in at.items()}
                yield replace(case, inputs=exact, dy=to64(upstream), evidence=evidence, failed=case.failing)
                break
        else:
            return


def shuffled(a: Float, rng: np.random.Generator) -> Float:
    """The same numbers in other places."""
    return rng.permutation(a.reshape(-1)).reshape(a.shape)


def turned(a: Float, rng: np.random.Generator) -> Float:
    """The same numbers with other signs."""
    return np.asarray(a * rng.choice((-1.0, 1.0), a.shape))


def find_evidence(stage: Stage, inputs: Arrays, dy: Any) -> dict[str, Evidence]:
    """What the code gives, what is right, and the bound."""
    return dict(bound(Trial(stage, inputs, dy)).evidence)
