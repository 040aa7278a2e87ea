"""The results of the suite as a page: a table of all networks, then each with its stages, a wrong one in full."""

from collections.abc import Sequence

from handgrad.html.element import Html, element, fold, join, table
from handgrad.html.page import Shown
from handgrad.judge.verdict import Verdict
from handgrad.report.badges import two_verdicts, verdict_badge
from handgrad.report.console import count_of
from handgrad.report.sections import sections
from handgrad.report.stage_sections import NUMBERS, summary_row
from handgrad.suite.run import SuiteResult
from handgrad.suite.text import count_checks, find_worst, nearest, smallest_errors


def show_suite(results: Sequence[SuiteResult], verdict: Verdict, seed: int) -> Shown:
    """Everything that was found."""
    right = sum(result.verdict is Verdict.CERTIFIED for result in results)
    runs = sum(len(result.reports) for result in results)
    words = f"{right} of {count_of(len(results), 'network')} certified, in {count_of(runs, 'run')}, seed {seed}."
    terms = (
        "Of bound: the difference beside what rounding explains. Detects from: the smallest relative error that would "
        "be seen in half of a tensor's entries, whatever the tensor that is not mostly 0 or rounding alone."
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
    last = ["isolated", *(["chained"] if chained else []), "worst in"]
    titles = ["stage", "tensor", "shape", "worst at", *NUMBERS, *last]
    rows = [
        [*summary_row(row, chained=chained), f"{report.dtype}, {report.name.rpartition(', ')[2]}"]
        for report, row in found[::-1]
    ]
    return fold(words, table(titles, rows, numbers=NUMBERS), element("p", f"{count_checks(judged)}.", class_="aside"))
