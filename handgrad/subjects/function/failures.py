"""The report's rows for code whose gradients cannot be judged: it raised, or returned something unexpected."""

import linecache
from dataclasses import replace

from handgrad.arrays.base import refusal
from handgrad.arrays.on_torch.methods import CannotFollow
from handgrad.judge.compare import StageReport, TensorReport
from handgrad.judge.isolation import raised_at, raised_in
from handgrad.judge.verdict import Verdict
from handgrad.mend.change import Place
from handgrad.report.stage_rows import StageRow
from handgrad.subjects.function.failed_operation import is_mistake
from handgrad.subjects.function.returned import WrongReturn


def stopped_row(case: str, tensor: str, error: Exception | None, *, surely: bool = False) -> StageRow:
    """UNRESOLVED for code that raised, REFUTED if what it returned is the mistake.

    surely: of a backward pass whose inputs the forward pass takes, REFUTED as well where an operation of it failed.
    """
    which = "forward" if tensor == "y" else tensor
    if isinstance(error, WrongReturn):
        return row_without_numbers(case, tensor, Verdict.REFUTED, str(error))
    verdict = Verdict.REFUTED if surely and raises(error) and is_mistake(error) else Verdict.UNRESOLVED
    row = row_without_numbers(case, tensor, verdict, f"{which} {raised_words(error)}")
    return replace(row, raised=f"{which} raises {type(error).__name__}") if raises(error) else row


def row_without_numbers(case: str, tensor: str, verdict: Verdict, reason: str, shape: tuple[int, ...] = ()) -> StageRow:
    """A row about something that has no numbers to show."""
    nan = float("nan")
    t = TensorReport(tensor, shape, verdict, 0, 0, (), nan, nan, nan, nan, nan, nan, nan, reason)
    return StageRow(case, StageReport(case, (t,)))


def raised_words(error: Exception | None) -> str:
    """Type, message, and the line of the user's code nearest to it."""
    if refusal(error):
        return "met an array of the judge's, kept since an earlier call: it keeps state between calls"
    what = "cannot be followed" if isinstance(error, CannotFollow) else f"raised {type(error).__name__}"
    return f"{what}: {error}{raised_at(error)}"


def raises(error: Exception | None) -> bool:
    """Whether the code itself raised it, and no array of the judge's."""
    return error is not None and not refusal(error) and not isinstance(error, CannotFollow | WrongReturn)


def raising_line(error: Exception | None) -> Place | None:
    """The line of the code that raised, with what it raised; None where it is not known."""
    step = raised_in(error)
    if step is None or step.lineno is None or not step.line or not raises(error):
        return None
    above, text = (linecache.getline(step.filename, step.lineno + i).rstrip("\n") for i in (-1, 0))
    words = f"{type(error).__name__}: {error}"
    return Place(step.filename, step.lineno, step.name, text, above=above, breaks=words)
