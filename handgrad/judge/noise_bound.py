"""Judging code that ball arrays cannot enter: buffers, loops, kernels, torch functions and modules.

    |g - S| <= 32 sigma + 8 u |S| + 4 |g - g'|      entry by entry

S is the reference, sigma how much rounding moves it (reference_noise.py), g' the same code run once more in a wider
precision: what it changes is the rounding of the code's own formula, however it was written. The factors were measured:
no correct code among some 300 public backward passes needed more, and every wrong one was refuted.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from handgrad.arrays.arithmetic import Arithmetic
from handgrad.arrays.precision import dtype_name, like, to64
from handgrad.judge.ball_bound import Evidence, StageReport, absent, compare
from handgrad.judge.isolation import duplicate, quiet
from handgrad.judge.reference_noise import noise
from handgrad.judge.stage import Arrays, Stage

Float = NDArray[np.float64]

SIGMAS, ROUNDINGS, OWN = 32, 8, 4
LONGDOUBLE_IS_WIDER = bool(np.finfo(np.longdouble).eps < np.finfo(np.float64).eps)


def certify_opaque(
    stage: Stage,
    inputs: Arrays,
    dy: Any,
    hand: Mapping[str, Any],
    rng: np.random.Generator,
    slack: float = 1.0,
    arithmetic: Arithmetic | None = None,
) -> tuple[StageReport, dict[str, Evidence]]:
    """The stage judged by the noise of its reference. hand: what the run under judgement gave.

    arithmetic: the rounding that is allowed, by default that of dy's precision.
    """
    a = arithmetic or Arithmetic.of(dtype_name(dy))
    exact, dy64 = {name: to64(value) for name, value in inputs.items()}, to64(dy)
    S = stage.reference(exact, dy64)
    sigma = noise(stage.reference, exact, dy64, a, rng)
    own = own_rounding(stage, inputs, dy, hand)
    reports, evidence = [], {}
    with np.errstate(all="ignore"):
        for name, reference in S.items():
            if hand.get(name) is None:
                reports.append(absent(name, reference))
                evidence[name] = Evidence(np.full(reference.shape, np.nan), reference, np.full(reference.shape, np.inf))
                continue
            s = to64(hand[name])
            changed = own.get(name, 0.0) if s.shape == reference.shape else 0.0  # another shape is refuted as such
            bound = slack * (SIGMAS * sigma[name] + ROUNDINGS * a.u * np.abs(reference) + OWN * changed)
            bound = bound + ROUNDINGS * a.tiny
            reports.append(compare(name, s, reference, bound))
            evidence[name] = Evidence(s, reference, bound)
    return StageReport(stage.name, tuple(reports)), evidence


def own_rounding(stage: Stage, inputs: Arrays, dy: Any, hand: Mapping[str, Any]) -> dict[str, Float]:
    """|g - g'| of every result, g' from the wider run; zero where the code does not repeat itself.

    Nothing where the code does not run in a wider precision.
    """
    wide = {name: wider(value) for name, value in inputs.items()}
    if any(value is None for value in wide.values()):
        return {}
    try:
        with quiet():
            again = stage.hand(duplicate(inputs), duplicate(dy))
            better = stage.hand(wide, wider(dy))
            return {name: apart(hand[name], again[name], better[name]) for name in hand}
    except Exception:  # code that insists on its own precision has nothing to say here
        return {}


def apart(g: Any, again: Any, better: Any) -> Float:
    """|g - better| where again repeats g and all is finite, else zero."""
    gap = np.abs(long(g) - long(better)).astype(np.float64)
    return np.where((long(g) == long(again)) & np.isfinite(gap), gap, 0.0)


def wider(array: Any) -> Any:
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
