"""What came out of a file, in words: a line for each pair, a line at the end, everything for JSON."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from handgrad.judge.verdict import Verdict, together
from handgrad.report.console import count_of
from handgrad.report.report import Report
from handgrad.report.stage_rows import STYLES
from handgrad.report.text import ReportText
from handgrad.report.versions import list_versions
from handgrad.subjects.file.judge import Judged
from handgrad.subjects.function.signatures import parameters


def show(judged: Judged, path: Path, *, verbose: bool = False) -> RenderableType:
    """The line of what is certified, the report of what is not, or what is missing."""
    where = f"{path}:{judged.pair.line}"
    if judged.report is None:
        head = ("not judged", STYLES[Verdict.UNRESOLVED])
        return Text.assemble(head, f"  {judged.pair.name}  ({where})  {judged.problem}")
    report, kept = judged.report, untested(judged)
    if report.verdict is not Verdict.CERTIFIED or verbose:
        called = f"called with {judged.called}; --inputs asks for others" if stopped(report) else ""
        notes = (*report.notes, *(note for note in (called, kept) if note))
        return Group(ReportText(replace(report, notes=notes), verbose, where), "")
    line = Text.assemble((report.verdict.value, STYLES[report.verdict]), f"  {judged.pair.name}  ({where})  ")
    return line.append(measure(report)).append(f"; {kept}" if kept else "")


def stopped(report: Report) -> bool:
    """Whether the code raised an exception, which the shapes of its inputs may explain."""
    return any(row.raised for row in report.stages)


def measure(report: Report) -> str:
    """Which gradients were judged, how near to their bounds they came, and how small an error would be caught."""
    tensors = [t for row in report.stages for t in row.isolated.tensors if t.name != "y"]
    names = ", ".join(dict.fromkeys(t.name for t in tensors)) or "no gradient"
    least = max((t.floor_median for t in report.stages[0].isolated.tensors if t.name != "y"), default=0.0)
    worst = max((t.ratio for t in tensors), default=0.0)
    return f"{names}: worst {worst:.2g} of bound, smallest detectable error {least:.0e}"


def untested(judged: Judged) -> str:
    """The arrays of an object, whose gradients the two methods do not hand out."""
    taken = parameters(judged.pair.forward) or {}
    own = ", ".join(name for name in judged.pair.own if name not in taken)
    arguments = ", ".join((*taken, own))
    return own and (
        f"not judged: the gradients of {own}, which the object keeps itself; to have them judged, hand them "
        f"to forward({arguments}) and return their gradients from backward"
    )


def conclude(found: Sequence[Judged], seed: int) -> str:
    """How many of each."""
    words = Counter(word(judged) for judged in found)
    parts = ", ".join(f"{n} {what}" for what in WORDS if (n := words[what]))
    return f"{count_of(len(found), 'function')}: {parts}, seed {seed}"


WORDS = ("CERTIFIED", "REFUTED", "contract broken", "UNRESOLVED", "not judged")


def word(judged: Judged) -> str:
    """One of WORDS."""
    if judged.report is None:
        return "not judged"
    broken = judged.report.broken and judged.report.gradients is not Verdict.REFUTED
    return "contract broken" if broken else judged.verdict.value


def as_dict(found: Sequence[Judged], path: Path, seed: int) -> dict[str, Any]:
    """Everything that was found, for JSON."""
    return {
        "verdict": together(judged.verdict for judged in found).value,
        "file": str(path),
        "seed": seed,
        "versions": list_versions(),
        "functions": [
            {
                "name": judged.pair.name,
                "line": judged.pair.line,
                "verdict": word(judged),
                "problem": judged.problem,
                "report": judged.report.to_dict() if judged.report else None,
            }
            for judged in found
        ],
    }
