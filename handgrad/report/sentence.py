"""What is wrong, in one or two sentences: which value is not the gradient of what, what follows, what is right."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from handgrad.judge.verdict import Verdict
from handgrad.report.ledger import LedgerRow

if TYPE_CHECKING:
    from handgrad.report.report import Report
    from handgrad.report.stage_rows import StageRow

GRADIENT = "gradient of "
ORDINALS = {1: "first", 2: "second", 3: "third"}


def what_is_judged(report: Report) -> str:
    """Its name, and which of its passes raises what."""
    return f"{report.name}: {report.raised}" if report.raised else report.name


def say_what_is_wrong(report: Report) -> str:
    """Empty where no value is wrong, or where there is none."""
    return say_stages(report) if report.chain else say_results(report)


def say_stages(report: Report) -> str:
    """Of a network: the stage to look at, and the others."""
    culprit = report.culprit
    if culprit is None or not (wrong := results(culprit, Verdict.REFUTED)):
        return ""
    others = [row.name for row in report.stages if row is not culprit and row.isolated.verdict is Verdict.REFUTED]
    right = all(row.isolated.verdict is Verdict.CERTIFIED for row in report.stages if row is not culprit)
    words = f"{culprit.name}: {listed(wrong)} {are(wrong)} wrong."
    if others:
        return f"{words} {listed(others)} {are(others)} wrong as well."
    return f"{words} Every other stage is right by itself." if right and len(report.stages) > 1 else words


def say_results(report: Report) -> str:
    """Of a function: the gradients that are wrong, because of which value, and those that are right."""
    row = report.culprit
    if row is None or not (wrong := results(row, Verdict.REFUTED)):
        return ""
    if wrong == ["y"]:
        return "y is not what the reference gives."
    right = [name for name in results(row, Verdict.CERTIFIED) if not re.fullmatch(r"y\d*", name)]
    words = blame(cause(report), wrong) + (f" {listed(right)} {are(right)} right." if right else "")
    first = report.stages[0]
    if row is first:
        return words
    right_there = f" At {first.called} nothing is wrong." if first.isolated.verdict is Verdict.CERTIFIED else ""
    return f"At {row.called}: {words}{right_there}"


def in_full(value: str) -> str:
    """
    >>> in_full("h (2 of 3)"), in_full("h")
    ('the second of the 3 values that h is given in turn', 'h')
    """
    found = re.fullmatch(r"(.*) \((\d+) of (\d+)\)", value)
    if found is None:
        return value
    which = ORDINALS.get(int(found[2]), f"{found[2]}th")
    return f"the {which} of the {found[3]} values that {found[1]} is given in turn"


def results(row: StageRow, verdict: Verdict) -> list[str]:
    """The names of the results of that verdict; what was not given at all has a reason of its own."""
    return [t.name for t in row.isolated.tensors if t.verdict is verdict and not t.reason]


def cause(report: Report) -> LedgerRow | None:
    """The row of the ledger that is wrong by itself at the one place where the mistake is, if it is known of what."""
    place = None if report.change and len(report.change.replacements) > 1 else report.place
    row = report.ledger.culprit if place is not None else None
    if row is None or place is None or row.file != place.file:
        return None
    lines = [r.line for r in report.ledger if r.file == place.file and r.line <= place.line]
    at_place = row.line == max(lines, default=0)  # a statement may go over several lines
    return row if at_place and row.what.startswith(GRADIENT) else None


def blame(row: LedgerRow | None, wrong: Sequence[str]) -> str:
    """dz1 is not the gradient of z1; dW1 and dx are wrong because of it."""
    if row is None:
        return f"{listed(wrong)} {are(wrong)} wrong."
    of = row.what.removeprefix(GRADIENT)
    result = f"d{of}"
    name = result if row.variable.startswith("return") and result in wrong else name_of(row)
    others = [n for n in wrong if n not in (name, result)]
    because = f"; {listed(others)} {are(others)} wrong because of it" if others else ""
    return f"{name} is not the gradient of {f'the {of} of forward' if name == of else in_full(of)}{because}."


def name_of(row: LedgerRow) -> str:
    """The variable; what is returned, or handed to a helper function, in words."""
    if handed := re.fullmatch(r"argument \(of (.*)\)", row.variable):
        return f"what {handed[1]} is given"
    return "what is returned" if row.variable.startswith("return") else row.variable


def listed(names: Sequence[str]) -> str:
    """
    >>> listed(["dx"]), listed(["dx", "dW", "db"])
    ('dx', 'dx, dW and db')
    """
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def are(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"
