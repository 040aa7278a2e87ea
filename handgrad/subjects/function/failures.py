"""The rows of code whose gradients are not judged: it raised, returned something else, or computes another function."""

import traceback
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from handgrad.arrays.base import refusal
from handgrad.explain.hints import in_another_shape
from handgrad.judge.ball_bound import Evidence, StageReport, TensorReport
from handgrad.judge.verdict import Verdict
from handgrad.report.stage_rows import StageRow
from handgrad.subjects.function.calling import WrongReturn
from handgrad.subjects.function.reference_values import CLOSE, index

Float = NDArray[np.float64]


def forward_differs(t: TensorReport, e: Evidence) -> TensorReport:
    """The forward value with why nothing is said about gradients.

    UNRESOLVED where float64 values are so close that no other formula was meant, but a constant cut short, or a
    reference that is itself inexact (torch's softplus is x above a threshold).
    """
    if e.hand.shape != e.reference.shape:
        return replace(t, reason=f"the forward passes differ: {in_another_shape(e) or t.reason}")
    at = index(t.index)
    if not np.isfinite(e.hand).all():
        words = f"y{at} is {t.hand:g}, the reference gives {t.reference:.9g}, {t.outside} of {t.entries} entries"
        return replace(t, reason=f"forward gives values that are not finite: {words}")
    words = f"y{at} is {t.hand:.17g}, the reference gives {t.reference:.17g}, {t.outside} of {t.entries} entries differ"
    gap, size = np.max(np.abs(e.hand - e.reference)), np.max(np.abs(e.reference))
    if gap <= CLOSE * size:
        return replace(
            t,
            verdict=Verdict.UNRESOLVED,
            reason=f"the forward passes differ by {gap / size:.1g} of their size, too much for rounding, too little "
            f"for another formula: a constant cut short, or an inexact reference; {words}",
        )
    return replace(t, reason=f"the forward passes differ: {words}; the gradients are not judged")


def stopped(case: str, tensor: str, y: Float, error: Exception | None) -> StageRow:
    """The row of code that raised: UNRESOLVED; REFUTED where what it returned is the mistake."""
    verdict = Verdict.REFUTED if isinstance(error, WrongReturn) else Verdict.UNRESOLVED
    reason = (
        str(error) if isinstance(error, WrongReturn) else f"{'forward' if tensor == 'y' else tensor} {raised(error)}"
    )
    return failed(case, tensor, verdict, reason)


def failed(case: str, tensor: str, verdict: Verdict, reason: str, shape: tuple[int, ...] = ()) -> StageRow:
    """A row about something that has no numbers to show."""
    nan = float("nan")
    t = TensorReport(tensor, shape, verdict, 0, 0, (), nan, nan, nan, nan, nan, nan, nan, reason)
    return StageRow(case, StageReport(case, (t,)))


def raised(error: Exception | None) -> str:
    """Type, message, and the line of the user's code nearest to it."""
    if refusal(error):
        return "met an array of the judge's, kept since an earlier call: it keeps state between calls"
    own = (str(Path(__file__).parents[2]), "site-packages", "<")
    frames = traceback.extract_tb(error.__traceback__) if error else []
    user = [f for f in frames if not any(part in f.filename for part in own)]
    where = f" ({user[-1].filename}:{user[-1].lineno})" if user else ""
    return f"raised {type(error).__name__}: {error}{where}"
