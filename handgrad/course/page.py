"""Lectures as a page: every system's numbers as printed, ours and autograd's; their mistakes in print, refuted."""

from collections.abc import Sequence

from handgrad.course.lecture import Erratum, Number, System
from handgrad.course.text import ALL, cells
from handgrad.experiment.compare_training_text import Trajectory
from handgrad.html.element import Html, element, fold, join, table
from handgrad.html.page import Shown
from handgrad.judge.verdict import Verdict, together
from handgrad.report.badges import badge, verdict_badge
from handgrad.report.report import Report
from handgrad.report.sections import sections

NUMBERS = ("as printed", "ours", "autograd")


def show_systems(found: Sequence[System]) -> Shown:
    """A table with one number of each system, then every number of each."""
    verdict = together(system.verdict for system in found)
    right = sum(system.verdict is Verdict.CERTIFIED for system in found)
    body = [element("p", f"{right} of {len(found)} systems certified."), element("h2", "All systems")]
    rows = [summarise(system) for system in found]
    body += [table(("system", "verdict", "title", "number", *NUMBERS), rows), element("h2", "Each system")]
    body += [show_system(system) for system in found]
    return Shown(f"{verdict.value}: lectures", join(verdict_badge(verdict), " lectures, number by number"), body)


def summarise(system: System) -> list[str]:
    """One row: the number for the table."""
    shown = system.shown
    number = [shown.name, *(text.plain for text in cells(shown))] if shown else ["-", "-", "-", "-"]
    return [system.id, verdict_badge(system.verdict), system.title, *number]


def show_system(system: System) -> Html:
    """Every number, the judge's reports, and what else must be known."""
    words = join(verdict_badge(system.verdict), f" {system.id}: {system.title}")
    rows = [(n.name, number_badge(n), *(text.plain for text in cells(n, ALL))) for n in system.numbers]
    parts = [element("p", system.reason)] if system.reason else []
    parts += [table(("number", "verdict", *NUMBERS), rows)] if rows else []
    parts += [element("p", note, class_="aside") for note in system.notes]
    parts += [show_report(report) for report in system.reports]
    return fold(words, *parts, open=system.verdict is not Verdict.CERTIFIED)


def number_badge(number: Number) -> Html:
    """The verdict on one number; where it is wrong, why."""
    return join(verdict_badge(number.verdict), f" {number.wrong}" if number.wrong else "")


def show_report(report: Report | Trajectory) -> Html:
    """A report of the judge, folded away."""
    body = report.shown().body if isinstance(report, Trajectory) else sections(report, pictures=False)
    return fold(join(verdict_badge(report.verdict), f" the judge: {report.name}"), *body)


def show_errata(found: Sequence[Erratum]) -> Shown:
    """Every formula as printed, what the judge says of it, the right one; then the reports."""
    verdict = together(erratum.verdict for erratum in found)
    refuted = sum(erratum.verdict is Verdict.CERTIFIED for erratum in found)
    rows = [
        (e.id, badge("refuted", "bad") if e.finding.verdict is Verdict.REFUTED else "-", e.printed, e.words, e.right)
        for e in found
    ]
    words = f"{refuted} of {len(found)} formulas are refuted as printed, and certified as they should be."
    titles = ("mistake", "is", "as printed", "the judge says", "right")
    body = [element("p", words)]
    body += [element("h2", "All mistakes"), table(titles, rows), element("h2", "As the judge sees them")]
    for e in found:
        if isinstance(e.finding, Report):
            body.append(fold(join(element("strong", e.id), f": {e.printed}"), *sections(e.finding, pictures=False)))
    return Shown(f"{verdict.value}: mistakes in print", join(verdict_badge(verdict), " mistakes in print"), body)
