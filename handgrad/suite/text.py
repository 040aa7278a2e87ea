"""How the survey is shown: a case as its stages, each with the worst of its runs, and what else was checked."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from handgrad.judge.verdict import Verdict
from handgrad.report.report import Report
from handgrad.report.stage_rows import STYLES, StageRow, Stages
from handgrad.suite.run import Case


def show(case: Case) -> RenderableType:
    """One case, of each stage the run in which it fares worst; where a run is not certified, the first such in full."""
    head = Text.assemble((case.verdict.value, STYLES[case.verdict]), f"  {case.title}, batch {case.batch}")
    bad = [report for report in case.reports if report.verdict is not Verdict.CERTIFIED]
    if bad:
        return Group(head, Padding(bad[0].renderable(), (0, 0, 0, 2)))
    judged = [report for report in case.reports if report.stages]
    rows = [worst(judged, i) for i in range(len(judged[0].stages))] if judged else []
    runs = [f"{report.dtype}, {report.name.rpartition(', ')[2]}" for report, _ in rows]
    notes = dict.fromkeys(f"note: {note}" for report in judged for note in report.notes)
    lines = [Padding(line, (0, 0, 0, 2)) for line in [*floors(judged), checked(judged), *notes] if judged]
    return Group(head, Padding(Stages([row for _, row in rows], runs), (0, 0, 0, 2)), *lines)


def worst(reports: Sequence[Report], i: int) -> tuple[Report, StageRow]:
    """The run in which stage i fares worst."""
    order = (Verdict.CERTIFIED, Verdict.UNRESOLVED, Verdict.REFUTED)

    def badness(report: Report) -> tuple[int, float]:
        stage = report.stages[i].isolated
        return order.index(stage.verdict), stage.worst.ratio

    report = max(reports, key=badness)
    return report, report.stages[i]


def floors(reports: Sequence[Report]) -> list[str]:
    """Per precision, the relative error from which each tensor's would surely have been seen: its largest median."""
    lines = []
    for dtype in dict.fromkeys(report.dtype for report in reports):
        seen: dict[str, float] = {}
        for report in reports:
            for tensor in (t for row in report.stages for t in row.isolated.tensors if report.dtype == dtype):
                seen[tensor.name] = max(seen.get(tensor.name, 0.0), tensor.floor_median)
        lines.append(f"{dtype} sees from: " + ", ".join(f"{name} {floor:.0e}" for name, floor in seen.items()))
    return lines


def checked(reports: Sequence[Report]) -> str:
    """Directions, contracts and planted errors of all runs together, as far as there are any."""
    along = [report.directions for report in reports if report.directions]
    kept = [c.held for report in reports for stage in report.contracts for c in stage.contracts if c.held is not None]
    caught = [report.control.caught for report in reports if report.control]
    words = []
    if along:
        agree, total = sum(c.directions - c.outside for c in along), sum(c.directions for c in along)
        miss = max(c.miss_probability for c in along)
        words.append(f"{agree} of {total} directions agree (an error escapes a run with p = {miss:.0e})")
    words += [f"{sum(kept)} of {len(kept)} contracts kept"] if kept else []
    words += [f"{sum(caught)} of {len(caught)} planted errors caught"] if caught else []
    return ", ".join(words)


def summary(case: Case) -> Text:
    """One line: what is wrong with a case, and where."""
    for report in case.reports:
        if report.culprit is not None:
            row = report.culprit
            names = [r.culprit.diagnosis for r in case.reports if r.culprit and r.culprit.diagnosis]
            why = row.isolated.worst.reason or "unknown mistake"
            known = next((d.name for d in names if d.known), why)
            return Text(f"{case.title}: {row.name}: {row.isolated.worst.name} is wrong: {known}", STYLES[case.verdict])
    why = next((word for r in case.reports for word in (*r.complaints, *r.notes)), "see above")
    return Text(f"{case.title}: {why}", STYLES[case.verdict])
