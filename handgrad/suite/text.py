"""How results of the suite are shown: a line each, or all their stages; what was proved, in words."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from handgrad.judge.compare import TensorReport
from handgrad.judge.verdict import Verdict, together
from handgrad.report.certified import smallest_seen
from handgrad.report.console import count_of
from handgrad.report.report import Report
from handgrad.report.stage_rows import STYLES, StageRow, Stages, legend
from handgrad.report.text import two_verdicts
from handgrad.suite.run import DTYPES, SuiteResult

SENTENCES = {
    Verdict.CERTIFIED: "Every gradient is right: rounding explains where it differs from autograd's.",
    Verdict.REFUTED: "At least one backward pass is wrong; the lines above say where and why.",
    Verdict.UNRESOLVED: "Nothing was proved wrong, but not everything was proved right; the lines above say why.",
}

MEANING = """worst: the tensor nearest its rounding bound, and at which share of it
below a precision: from which relative error on a mistake would be seen"""

VERDICT, TITLE = 11, 41  # columns

BROKEN = "Every gradient is right, but at least one backward pass breaks a promise; the lines above say which."


def show(result: SuiteResult, detail: int = 0, dtypes: Sequence[str] = DTYPES) -> RenderableType:
    """One line of what is certified. detail 1: every stage in the run in which it fares worst; 2: every run in full.

    dtypes: the columns that `heading` has.

    What is not certified is shown in full, once: where the same layer was shown before, the line says where.
    """
    bad = [report for report in result.reports if report.verdict is not Verdict.CERTIFIED]
    if not bad and detail == 0:
        return Text.assemble(
            (f"{result.verdict.value:<{VERDICT}}", STYLES[result.verdict]), numbers_line(result, dtypes)
        )
    verdict = two_verdicts(result.gradients, result.broken)
    head = Text.assemble((verdict, STYLES[result.verdict]), f"  {result.title}, batch {result.batch}")
    if bad and result.as_in and detail < 2:
        return head.append(f": the same layer is wrong as in {result.as_in}")
    if detail == 2:
        return Group(head, *(Padding(report.renderable(verbose=True), (0, 0, 0, 2)) for report in result.reports))
    return Group(head, Padding(bad[0].renderable() if bad else list_stages(result), (0, 0, 0, 2)))


def heading(dtypes: Sequence[str]) -> Text:
    """The names of the columns of the lines that `show` gives, and what they mean."""
    columns = f"{'':<{VERDICT}}{'network, loss':<{TITLE}} {'worst':<6}{'bound':>5}"
    return Text(f"{MEANING}\n{columns}{''.join(f'{name:>8}' for name in dtypes)}", "dim")


def numbers_line(result: SuiteResult, dtypes: Sequence[str]) -> str:
    """The title, the tensor nearest its bound in any run, and in each precision what would be seen."""
    _, row = nearest([result])
    worst = row.isolated.worst
    found = smallest_errors([result])
    floors = "".join(f"{found[dtype][0]:>8.0e}" if dtype in found else f"{'-':>8}" for dtype in dtypes)
    return f"{result.title:<{TITLE}} {worst.name:<6}{worst.ratio:>5.2f}{floors}"


def nearest(results: Sequence[SuiteResult]) -> tuple[Report, StageRow]:
    """The stage nearest its bound, and its run."""
    rows = [(report, row) for result in results for report in result.reports for row in report.stages]
    return max(rows, key=lambda found: found[1].isolated.worst.ratio)


def smallest_errors(results: Sequence[SuiteResult]) -> dict[str, tuple[float, bool]]:
    """Per precision: from which relative error on it is seen in half of the entries of each tensor; whether tensors
    are left out, since most of their entries are 0 or rounding, of which an error is no part."""
    tensors: dict[str, list[TensorReport]] = {}
    for report in (report for result in results for report in result.reports):
        tensors.setdefault(report.dtype, []).extend(t for row in report.stages for t in row.isolated.tensors)
    found = {dtype: smallest_seen(some) for dtype, some in tensors.items()}
    return {dtype: (seen, bool(left_out)) for dtype, (seen, left_out) in found.items()}


def list_stages(result: SuiteResult) -> RenderableType:
    """Every stage in the run in which it fares worst, and what else was checked."""
    judged = [report for report in result.reports if report.stages]
    rows = [find_worst(judged, i) for i in range(len(judged[0].stages))] if judged else []
    runs = [f"{report.dtype}, {report.name.rpartition(', ')[2]}" for report, _ in rows]
    notes = dict.fromkeys(f"note: {note}" for report in judged for note in report.notes)
    lines: list[RenderableType] = [*list_smallest_errors(judged), count_checks(judged), *notes] if judged else []
    return Group(Stages([row for _, row in rows], runs), *lines)


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
        words.append(f"{agree} of {total} directions agree (an error escapes a run with probability {miss:.0e})")
    words += [f"{sum(kept)} of {len(kept)} promises kept (on shapes, dtypes and memory)"] if kept else []
    words += [f"{sum(caught)} of {len(caught)} errors planted as a test caught"] if caught else []
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
            others = sum(r.isolated.verdict is Verdict.REFUTED for r in report.stages) - 1
            words += f"; {count_of(others, 'more stage')} wrong" if others > 0 else ""
            return Text(words, STYLES[result.verdict])
    why = next((word for r in result.reports for word in (*r.complaints, *r.notes)), "see above")
    return Text(f"{result.title}: {why}", STYLES[result.verdict])


def conclude(results: Sequence[SuiteResult], verdict: Verdict, seed: int, detail: int = 0) -> RenderableType:
    """The verdict on all of them, what has been proved in words, and how small a mistake would have been seen."""
    reports = [report for result in results for report in result.reports]
    terms = legend([row for report in reports for row in report.stages]) if detail else []
    counts = f"{count_of(len(results), 'network')}, {count_of(len(reports), 'run')}, seed {seed}"
    gradients = together(result.gradients for result in results)
    broken = list(dict.fromkeys(words for result in results for words in result.broken))
    head = Text.assemble((two_verdicts(gradients, broken), STYLES[verdict]), f"  {counts}")
    sentence = BROKEN if broken and gradients is Verdict.CERTIFIED else SENTENCES[verdict]
    proved = what_is_proved(results) if verdict is Verdict.CERTIFIED else []
    more = [Text(how_to_see_more(reports), "dim")] if verdict is Verdict.CERTIFIED and detail == 0 else []
    return Group(*(Text(line, "dim") for line in terms), head, sentence, *proved, *more)


def what_is_proved(results: Sequence[SuiteResult]) -> list[str]:
    """How near the nearest entry is to its bound, which error would have been seen, and what else holds."""
    report, row = nearest(results)
    worst = row.isolated.worst
    near = f"Nearest its rounding bound, at {worst.ratio:.2f} of it, is {worst.name} of {row.name} in {report.name},"
    found = smallest_errors(results)
    floors = " and ".join(f"{floor:.0e} in {dtype}" for dtype, (floor, _) in found.items())
    kind = "tensor that is not mostly 0 or rounding alone" if any(zeros for _, zeros in found.values()) else "tensor"
    checks = count_checks([report for result in results for report in result.reports])
    return [
        f"{near} {report.dtype}.",
        f"A relative error from {floors} on would have been seen in half of the entries of every {kind}.",
        *([f"Besides, {checks}."] if checks else []),
    ]


def how_to_see_more(reports: Sequence[Report]) -> str:
    """What the short lines leave out."""
    noted = sum(bool(report.notes) for report in reports)
    notes = f" and what is to be noted of {count_of(noted, 'run')}" if noted else ""
    return f"-v shows every stage{notes}, -vv every run in full."
