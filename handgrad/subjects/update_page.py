"""The judgement of one update as a page: what the step is, and the step of every tensor."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

from handgrad.html.element import element, join, table
from handgrad.html.page import Shown
from handgrad.report.badges import verdict_badge

if TYPE_CHECKING:
    from handgrad.subjects.verify_update import UpdateReport


def show_update(report: UpdateReport) -> Shown:
    """The words, the loss before and after, and one row a tensor."""
    words = str(report).partition(f"{report.name}: ")[2]
    rows = [
        (t.name, f"{t.rate:.6g}" if isfinite(t.rate) else "-", f"{t.rise:.3g}", "yes" if t.moved else "no")
        for t in report.tensors
    ]
    titles = ("tensor", "rate", "rise of the loss", "moved")
    body = [element("p", f"{words[:1].upper()}{words[1:]}."), table(titles, rows, numbers=titles[1:3])]
    heading = join(verdict_badge(report.verdict), f" the update of {report.name}")
    return Shown(f"{report.verdict.value}: the update of {report.name}", heading, body)
