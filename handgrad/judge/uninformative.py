"""Whether being inside a bound says anything: not where zeros would be as well, though the right value is not zero."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from handgrad.arrays.arithmetic import Arithmetic
from handgrad.judge.ball_bound import Evidence, StageReport
from handgrad.judge.noise_bound import SIGMAS
from handgrad.judge.reference_noise import noise
from handgrad.judge.verdict import Verdict
from handgrad.subjects.function.reference import Reference

Float = NDArray[np.float64]
WORDS = "nothing follows, zeros would pass as well: rounding explains more than the value itself"


def without_blind(
    report: StageReport,
    evidence: Mapping[str, Evidence],
    reference: Reference,
    exact: Mapping[str, Float],
    dy: Float,
    rng: np.random.Generator,
    optional: bool,
) -> tuple[StageReport, tuple[str, ...]]:
    """The report in which no tensor is CERTIFIED that would be if it were all zeros, and notes on them.

    Such a tensor is UNRESOLVED; in a case that is optional (saturated inputs) it is left out, and told.
    """
    passing = [t.name for t in report.tensors if t.verdict is Verdict.CERTIFIED and zeros_pass(evidence[t.name])]
    if not any(evidence[name].reference.any() for name in passing):
        return report, ()
    sigma = noise(reference.gradients, exact, dy, Arithmetic.of("float64"), rng)
    blind = [name for name in passing if (np.abs(evidence[name].reference) > SIGMAS * sigma[name]).any()]
    tensors = tuple(
        replace(t, verdict=Verdict.UNRESOLVED, reason=WORDS) if t.name in blind else t
        for t in report.tensors
        if not (optional and t.name in blind)
    )
    return replace(report, tensors=tensors), tuple(f"{report.name}: {n}: {WORDS}" for n in blind if optional)


def zeros_pass(e: Evidence) -> bool:
    """Whether zeros would be inside the bound as well; within what rounding does to the reference they may be right."""
    return bool((np.abs(e.reference) <= e.bound).all())
