"""The results of the suite as a page: all networks, then each with its stages and equations, a wrong one in full."""

from collections.abc import Iterator, Sequence

from handgrad.html.element import Html, element, fold, join, table
from handgrad.html.page import Shown
from handgrad.judge.verdict import Verdict
from handgrad.report.badges import two_verdicts, verdict_badge
from handgrad.report.console import count_of
from handgrad.report.heat_map import LEGEND, show_entries
from handgrad.report.report import Report
from handgrad.report.sections import sections
from handgrad.report.stage_rows import StageRow
from handgrad.report.stage_sections import NUMBERS, stage_equations, summary_row
from handgrad.suite.run import SuiteResult
from handgrad.suite.text import count_checks, find_worst, nearest, smallest_errors


def show_suite(results: Sequence[SuiteResult], verdict: Verdict, seed: int) -> Shown:
    """Everything that was found."""
    right = sum(result.verdict is Verdict.CERTIFIED for result in results)
    runs = sum(len(result.reports) for result in results)
    words = f"{right} of {count_of(len(results), 'network')} certified, in {count_of(runs, 'run')}, seed {seed}."
    terms = (
        "Of bound: the difference beside what rounding explains. Detects from: the smallest relative error that would "
        "be seen in half of the entries of every tensor; tensors that are mostly 0, or rounding alone, are left out."
    )
    titles = ("network", "verdict", "runs", "worst of bound", "detects from", "promises")
    rows = [summarise(result) for result in results]
    body = [element("p", words), element("h2", "All networks")]
    body += [table(titles, rows, numbers=("runs", "worst of bound", "detects from"))]
    body += [element("p", terms, class_="aside"), element("h2", "Each network")]
    body += [show_network(result) for result in results]
    heading = join(verdict_badge(verdict), " hand-derived gradients")
    return Shown(f"{verdict.value}: hand-derived gradients", heading, body)


def summarise(result: SuiteResult) -> list[str]:
    """One row: the worst entry of all runs, and the smallest error that would be seen in half of a tensor's entries."""
    judged = any(report.stages for report in result.reports)
    worst = f"{nearest([result])[1].isolated.worst.ratio:.2g}" if judged else "-"
    least = f"{max(floor for floor, _ in smallest_errors([result]).values()):.0e}" if judged else "-"
    promises = ", ".join(result.broken) or "kept"
    numbers = (str(len(result.reports)), worst, least)
    return [result.title, two_verdicts(result.gradients, result.broken), *numbers, promises]


def show_network(result: SuiteResult) -> Html:
    """Every stage in the run in which it fares worst; where a run is not certified, the first such report in full."""
    words = join(two_verdicts(result.gradients, result.broken), f" {result.title}, batch {result.batch}")
    bad = [report for report in result.reports if report.verdict is not Verdict.CERTIFIED]
    if bad:
        return fold(words, element("p", bad[0].name), *sections(bad[0]), open=True)
    judged = [report for report in result.reports if report.stages]
    if not judged:
        return fold(words, element("p", "No gradient was judged."))
    found = [find_worst(judged, i) for i in range(len(judged[0].stages))]
    chained = any(row.chained for _, row in found)
    verdicts = ["isolated", *(["chained"] if chained else [])]
    titles = ["stage", *verdicts, "tensor", "shape", "worst at", *NUMBERS, "worst in"]
    rows = [
        [*summary_row(row, chained=chained), f"{report.dtype}, {report.name.rpartition(', ')[2]}"]
        for report, row in found[::-1]
    ]
    checks = element("p", f"{count_checks(judged)}.", class_="aside")
    worst = max((row for _, row in found), key=lambda row: row.isolated.worst.ratio)
    return fold(words, table(titles, rows, numbers=NUMBERS), checks, *show_equations(found), *show_worst(worst))


def show_equations(found: Sequence[tuple[Report, StageRow]]) -> Iterator[Html]:
    """Of each stage, from the loss back, its equations and the lines that compute them."""
    for _, row in found[::-1]:
        equations = stage_equations(row)
        if equations:
            yield fold(f"{row.name}: forward and backward", *equations)


def show_worst(row: StageRow) -> Iterator[Html]:
    """Every entry of the tensor that is nearest to its bound."""
    name = row.isolated.worst.name
    if name in row.entries:
        words = element("p", LEGEND, class_="aside")
        yield fold(
            f"{row.name}: every entry of {name}, nearest to its bound", words, show_entries(name, row.entries[name])
        )
