"""A report as the sections of a page: the verdict, the line and its change, both passes, every stage, the checks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from handgrad.html.element import Html, element, join, with_code
from handgrad.judge.compare import index_words
from handgrad.judge.verdict import Verdict
from handgrad.report.badges import two_verdicts
from handgrad.report.certified import proved
from handgrad.report.ledger_section import show_ledger
from handgrad.report.listing_section import show_changes, show_suspect, side_by_side
from handgrad.report.sentence import what_is_judged
from handgrad.report.stage_sections import show_stages
from handgrad.report.versions import list_versions

if TYPE_CHECKING:
    from handgrad.report.report import Report


def heading(report: Report) -> Html:
    """The verdicts and the name."""
    return join(two_verdicts(report.gradients, report.broken), " ", what_is_judged(report) or "report")


def sections(report: Report, *, level: int = 3, pictures: bool = True) -> list[Html]:
    """All of it. level: of its headings. pictures: of every stage; else of wrong ones alone."""
    below = f"h{level}"
    where = f"{report.dtype}, {report.library} on {report.device}, seed {report.seed}"
    slack = f", slack {report.slack:g}" if report.slack != 1 else ""
    parts = [element("p", sentence(report), " ", element("span", f"({where}{slack})", class_="aside"))]
    parts += show_mistake(report, below)
    parts += show_passes(report, below)
    if report.stages:
        parts.append(element(below, "Stages, from the loss back" if report.chain else "Inputs tried"))
        parts += show_stages(report.stages, chain=report.chain, pictures=pictures)
    checks = element("ul", *(element("li", with_code(words)) for words in list_checks(report)))
    return [*parts, element(below, "How it was checked"), checks]


def sentence(report: Report) -> str:
    """How many stages agree, how near the worst entry is to its bound, and what breaks a promise."""
    if not report.stages:
        return "No gradient was judged."
    proof = f" {proved(report)}" if report.verdict is Verdict.CERTIFIED else ""
    right = sum(row.isolated.verdict is Verdict.CERTIFIED for row in report.stages)
    one, some = ("stage agrees", "stages agree") if report.chain else ("set of inputs agrees", "sets of inputs agree")
    what = one if len(report.stages) == 1 else some
    row = max(report.stages, key=lambda row: row.isolated.worst.ratio)
    worst = row.isolated.worst
    where = f"{worst.name}{index_words(worst.index)} ({row.name})"
    how = f": {worst.reason}" if worst.reason else f", at {worst.ratio:.2g} of its bound"
    broken = f"; contract broken: {', '.join(report.broken)}" if report.broken else ""
    return f"{right} of {len(report.stages)} {what}; worst is {where}{how}{broken}.{proof}"


def show_mistake(report: Report, below: str) -> Iterator[Html]:
    """The line and the change, the names of mistakes, and what else refutes the run; nothing where nothing does."""
    known = [row.diagnosis for row in report.stages if row.diagnosis]
    words = [d.words for d in known if d.known or not report.change]
    if not (report.change or report.suspect or words or report.complaints):
        return
    yield element(below, "What is wrong")
    if report.sentence:
        yield element("p", report.sentence)
    if report.change:
        culprit = f" of {report.culprit.name}" if report.chain and report.culprit else ""
        yield show_changes(report.change)
        yield element("p", f"With this change every gradient{culprit} is CERTIFIED.")
    elif report.suspect:
        yield show_suspect(report.suspect)
    yield from (element("p", with_code(line)) for line in dict.fromkeys([*words, *report.complaints]))


def show_passes(report: Report, below: str) -> Iterator[Html]:
    """Both passes side by side, and every value of the backward pass beside autograd's."""
    ledger = report.ledger
    if report.listings:
        yield element(below, "Forward and backward, side by side")
        yield side_by_side(report.listings, ledger, report.change, report.suspect)
    if ledger.rows:
        yield element(below, "The backward pass, value by value")
    if ledger.rows or (report.keep_ledger and report.listings):
        yield from show_ledger(ledger)


def list_checks(report: Report) -> Iterator[str]:
    """What else was checked, and what a reader must know."""
    kept = [c for stage in report.contracts for c in stage.contracts if c.held is not None]
    if kept:
        held = sum(c.held is True for c in kept)
        yield f"Promises: {held} of {len(kept)} are kept (shapes, precision, nothing overwritten, ...)."
    if report.directions is not None:
        d = report.directions
        yield (
            f"Directions: {d.directions - d.outside} of {d.directions} derivatives along random directions agree with "
            f"dual numbers; an error beyond the bound would be missed with probability {d.miss_probability:.0e}."
        )
    if (control := report.control) is not None:
        caught = "was caught" if control.caught else "was NOT caught, so nothing here can be believed"
        yield f"Control: an error of {control.relative:.1e}, planted in {control.tensor} of {control.stage}, {caught}."
    yield from report.notes
    yield f"Computed with {', '.join(f'{name} {version}' for name, version in list_versions().items())}."
    yield (
        "Bound: how far rounding can carry an entry, derived from the code itself. An entry outside its bound is "
        "wrong; an error of twice the bound is always seen (detects from)."
    )
