"""A pair of a file as its ledger: every value of its backward pass beside autograd's, then the line and its change."""

from pathlib import Path

from rich.console import Group, RenderableType
from rich.text import Text

from handgrad.judge.verdict import Verdict
from handgrad.report.ledger import ledger_table, quote_wrong
from handgrad.report.stage_rows import STYLES
from handgrad.report.text import code, two_verdicts, wrong_lines
from handgrad.subjects.file.judge import Judged


def show_ledger(judged: Judged, path: Path) -> RenderableType:
    """The verdict, the ledger, and what is wrong, with the change that `check` shows.

    The whole report where it is not certified and no line of the ledger is wrong.
    """
    name = f"{judged.pair.name}  ({path}:{judged.pair.line})"
    report = judged.report
    if report is None:
        return Text.assemble(("not judged", STYLES[Verdict.UNRESOLVED]), f"  {name}  {judged.problem}")
    words = two_verdicts(report.gradients, report.broken)
    ledger = report.ledger
    where = f"  {name}" + (f"  {ledger.case}, seed {report.seed}" if ledger.case else "")
    lines: list[RenderableType] = [Text.assemble((words, STYLES[report.verdict]), where), ledger_table(ledger)]
    if report.verdict is not Verdict.CERTIFIED and ledger.culprit is None:
        lines.append(report.renderable())
    elif report.place is not None:
        lines += ["", *wrong_lines(report), *list(code(report))[:-1]]
    else:
        lines += quote_wrong(ledger)
    return Group(*lines, Text(""))
