"""How results of the suite are shown: each stage with the worst of its runs, what else was checked, the verdict."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from handgrad.judge.verdict import Verdict, together
from handgrad.report.console import count_of
from handgrad.report.report import Report
from handgrad.report.stage_rows import STYLES, StageRow, Stages, legend
from handgrad.report.text import two_verdicts
from handgrad.suite.run import SuiteResult

SENTENCES = {
    Verdict.CERTIFIED: "Every gradient is right: where it differs from autograd's, rounding explains the difference.",
    Verdict.REFUTED: "At least one backward pass is wrong; the lines above say where and why.",
    Verdict.UNRESOLVED: "Nothing was proved wrong, but not everything was proved right; the lines above say why.",
}

BROKEN = "Every gradient is right, but at least one backward pass breaks a promise; the lines above say which."


def show(result: SuiteResult) -> RenderableType:
    """Every stage in the run in which it fares worst; where a run is not certified, the first such report in full."""
    verdict = two_verdicts(result.gradients, result.broken)
    head = Text.assemble((verdict, STYLES[result.verdict]), f"  {result.title}, batch {result.batch}")
    bad = [report for report in result.reports if report.verdict is not Verdict.CERTIFIED]
    if bad:
        return Group(head, Padding(bad[0].renderable(), (0, 0, 0, 2)))
    judged = [report for report in result.reports if report.stages]
    rows = [find_worst(judged, i) for i in range(len(judged[0].stages))] if judged else []
    runs = [f"{report.dtype}, {report.name.rpartition(', ')[2]}" for report, _ in rows]
    notes = dict.fromkeys(f"note: {note}" for report in judged for note in report.notes)
    lines: list[RenderableType] = [*list_smallest_errors(judged), count_checks(judged), *notes] if judged else []
    stages = Stages([row for _, row in rows], runs)
    return Group(head, *(Padding(part, (0, 0, 0, 2)) for part in (stages, *lines)))


def find_worst(reports: Sequence[Report], i: int) -> tuple[Report, StageRow]:
    """The run in which stage i fares worst."""
    order = (Verdict.CERTIFIED, Verdict.UNRESOLVED, Verdict.REFUTED)

    def badness(report: Report) -> tuple[int, float]:
        stage = report.stages[i].isolated
        return order.index(stage.verdict), stage.worst.ratio

    report = max(reports, key=badness)
    return report, report.stages[i]


def list_smallest_errors(reports: Sequence[Report]) -> list[str]:
    """Per precision, each tensor's smallest detectable relative error: the median of its entries in the worst run."""
    lines = []
    for dtype in dict.fromkeys(report.dtype for report in reports):
        seen: dict[str, float] = {}
        for report in reports:
            for tensor in (t for row in report.stages for t in row.isolated.tensors if report.dtype == dtype):
                seen[tensor.name] = max(seen.get(tensor.name, 0.0), tensor.floor_median)
        errors = ", ".join(f"{name} {floor:.0e}" for name, floor in seen.items())
        lines.append(f"{dtype} detects from: {errors}")
    return lines


def count_checks(reports: Sequence[Report]) -> str:
    """Directions, contracts and planted errors of all runs together, as far as there are any."""
    along = [report.directions for report in reports if report.directions]
    kept = [c.held for report in reports for stage in report.contracts for c in stage.contracts if c.held is not None]
    caught = [report.control.caught for report in reports if report.control]
    words = []
    if along:
        agree, total = sum(c.directions - c.outside for c in along), sum(c.directions for c in along)
        miss = max(c.miss_probability for c in along)
        words.append(f"{agree} of {total} directions agree (each run misses an error with p = {miss:.0e})")
    words += [f"{sum(kept)} of {len(kept)} contracts kept"] if kept else []
    words += [f"{sum(caught)} of {len(caught)} planted errors caught"] if caught else []
    return ", ".join(words)


def summarise(result: SuiteResult) -> Text:
    """One line: what is wrong, and where."""
    for report in result.reports:
        if report.culprit is not None:
            row = report.culprit
            names = [r.culprit.diagnosis for r in result.reports if r.culprit and r.culprit.diagnosis]
            why = row.isolated.worst.why
            known = next((d.name for d in names if d.known), why)
            words = f"{result.title}: {row.name}: {row.isolated.worst.name} is wrong: {known}"
            return Text(words, STYLES[result.verdict])
    why = next((word for r in result.reports for word in (*r.complaints, *r.notes)), "see above")
    return Text(f"{result.title}: {why}", STYLES[result.verdict])


def conclude(results: Sequence[SuiteResult], verdict: Verdict, seed: int) -> RenderableType:
    """The terms of the tables explained, the verdict on all of them, and what it says in one sentence."""
    terms = legend([row for result in results for report in result.reports for row in report.stages])
    runs = sum(len(result.reports) for result in results)
    counts = f"{count_of(len(results), 'network')}, {count_of(runs, 'run')}, seed {seed}"
    gradients = together(result.gradients for result in results)
    broken = list(dict.fromkeys(words for result in results for words in result.broken))
    head = Text.assemble((two_verdicts(gradients, broken), STYLES[verdict]), f"  {counts}")
    sentence = BROKEN if broken and gradients is Verdict.CERTIFIED else SENTENCES[verdict]
    return Group(*(Text(line, "dim") for line in terms), head, sentence)
