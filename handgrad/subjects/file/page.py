"""What came out of a file as a page: every pair with its verdict, its lines, its values and its pictures."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from handgrad.html.element import Html, element, join, table
from handgrad.html.page import Shown
from handgrad.judge.verdict import together
from handgrad.report.badges import two_verdicts, verdict_badge
from handgrad.report.sections import sections
from handgrad.subjects.file.judge import Judged
from handgrad.subjects.file.text import conclude, with_notes


def show_file(found: Sequence[Judged], file: Path, seed: int) -> Shown:
    """Every pair of the file. A ledger is kept here where none was kept before, so the file must be loaded still."""
    verdict = together(judged.verdict for judged in found)
    problem = ["problem"] if any(judged.problem for judged in found) else []
    rows = []
    for judged in found:
        place = judged.report.place if judged.report else None
        line = str((place or judged.pair).line)
        problems = [judged.problem or "-"] if problem else []
        rows.append([judged.pair.name, line, show_verdict(judged), *problems])
    body = [element("p", f"{conclude(found, seed, verbose=True)[0]}.")]
    body += [table(("function", "line", "verdict", *problem), rows, numbers=("line",))] if found else []
    for judged in found:
        body += show_pair(judged)
    return Shown(f"{verdict.value}: {file}", join(verdict_badge(verdict), f" {file}"), body)


def show_verdict(judged: Judged) -> Html:
    """Of the numbers and of the promises; of what is not judged, UNRESOLVED."""
    report = judged.report
    return verdict_badge(judged.verdict) if report is None else two_verdicts(report.gradients, report.broken)


def show_pair(judged: Judged) -> Iterator[Html]:
    """One pair below a heading of its own."""
    yield element("h2", show_verdict(judged), f" {judged.pair.name}")
    if judged.report is None:
        yield element("p", f"Not judged: {judged.problem}")
    else:
        yield from sections(with_notes(judged, judged.report))
