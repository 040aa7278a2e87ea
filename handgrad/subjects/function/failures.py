"""The report's rows for code whose gradients cannot be judged: it raised, or returned something unexpected."""

import traceback
from pathlib import Path

from handgrad.arrays.base import refusal
from handgrad.judge.compare import StageReport, TensorReport
from handgrad.judge.verdict import Verdict
from handgrad.report.stage_rows import StageRow
from handgrad.subjects.function.returned import WrongReturn


def stopped_row(case: str, tensor: str, error: Exception | None) -> StageRow:
    """UNRESOLVED for code that raised, REFUTED if what it returned is the mistake."""
    verdict = Verdict.REFUTED if isinstance(error, WrongReturn) else Verdict.UNRESOLVED
    reason = (
        str(error)
        if isinstance(error, WrongReturn)
        else f"{'forward' if tensor == 'y' else tensor} {raised_words(error)}"
    )
    return row_without_numbers(case, tensor, verdict, reason)


def row_without_numbers(case: str, tensor: str, verdict: Verdict, reason: str, shape: tuple[int, ...] = ()) -> StageRow:
    """A row about something that has no numbers to show."""
    nan = float("nan")
    t = TensorReport(tensor, shape, verdict, 0, 0, (), nan, nan, nan, nan, nan, nan, nan, reason)
    return StageRow(case, StageReport(case, (t,)))


def raised_words(error: Exception | None) -> str:
    """Type, message, and the line of the user's code nearest to it."""
    if refusal(error):
        return "met an array of the judge's, kept since an earlier call: it keeps state between calls"
    own = (str(Path(__file__).parents[2]), "site-packages", "<")
    frames = traceback.extract_tb(error.__traceback__) if error else []
    user = [f for f in frames if not any(part in f.filename for part in own)]
    where = f" ({user[-1].filename}:{user[-1].lineno})" if user else ""
    return f"raised {type(error).__name__}: {error}{where}"
