"""The report's rows for code whose gradients cannot be judged: it raised, or returned something unexpected."""

import linecache
import re
from dataclasses import replace

import numpy as np

from handgrad.arrays.base import refusal
from handgrad.arrays.on_torch.methods import CannotFollow
from handgrad.judge.compare import StageReport, TensorReport
from handgrad.judge.isolation import raised_at, raised_in
from handgrad.judge.verdict import Verdict
from handgrad.mend.change import Place
from handgrad.report.stage_rows import StageRow
from handgrad.subjects.function.returned import WrongReturn

FAILED = (ValueError, IndexError, KeyError, NameError)  # of an operation on what there is, and not of the machine
IN_TORCH = re.compile(r"shapes cannot be multiplied|size of tensor a|is invalid for input of size")
OF_WHAT_WAS_GIVEN = re.compile(r"values to unpack|used as indices|only integers")  # another cache, no class labels


def stopped_row(case: str, tensor: str, error: Exception | None, *, surely: bool = False) -> StageRow:
    """UNRESOLVED for code that raised, REFUTED if what it returned is the mistake.

    surely: of a backward pass whose inputs the forward pass takes, REFUTED as well where an operation of it failed.
    """
    which = "forward" if tensor == "y" else tensor
    if isinstance(error, WrongReturn):
        return row_without_numbers(case, tensor, Verdict.REFUTED, str(error))
    verdict = Verdict.REFUTED if surely and is_mistake(error) else Verdict.UNRESOLVED
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


def is_mistake(error: Exception | None) -> bool:
    """Whether an operation in a line of the code failed: shapes that do not fit, an entry or a name that is not there.

    What code raises by a statement of its own is a refusal. A TypeError may be about the kind of array it was given, a
    RuntimeError about the machine, a singular matrix about the numbers.
    """
    step = raised_in(error)
    if step is None or not step.line or step.line.startswith("raise") or not raises(error):
        return False
    failed = isinstance(error, FAILED) and not isinstance(error, np.linalg.LinAlgError)
    in_torch = isinstance(error, RuntimeError) and IN_TORCH.search(str(error)) is not None
    return (failed or in_torch) and not OF_WHAT_WAS_GIVEN.search(str(error))


def raising_line(error: Exception | None) -> Place | None:
    """The line of the code that raised, with what it raised; None where it is not known."""
    step = raised_in(error)
    if step is None or step.lineno is None or not step.line or not raises(error):
        return None
    above, text = (linecache.getline(step.filename, step.lineno + i).rstrip("\n") for i in (-1, 0))
    words = f"{type(error).__name__}: {error}"
    return Place(step.filename, step.lineno, step.name, text, above=above, breaks=words)
