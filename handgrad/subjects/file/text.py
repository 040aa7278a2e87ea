"""What came out of a file, in words: a line for each pair, a line at the end, everything for JSON."""

from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from handgrad.judge.compare import index_words
from handgrad.judge.note import Grave
from handgrad.judge.rules import NOT_GIVEN
from handgrad.judge.verdict import Verdict, together
from handgrad.report.certified import first_tensors, smallest_seen, to_note, worst_row
from handgrad.report.console import count_of
from handgrad.report.ledger import shape_word
from handgrad.report.report import Report
from handgrad.report.stage_rows import STYLES
from handgrad.report.text import ReportText, TwoSides
from handgrad.report.versions import list_versions
from handgrad.subjects.file.judge import Judged
from handgrad.subjects.function.own_forward import OWN
from handgrad.subjects.function.signatures import parameters


def show(judged: Judged, path: Path, *, verbose: bool = False) -> RenderableType:
    """The line of what is certified, the report of what is not, or what is missing."""
    where = f"{path}:{judged.pair.line}"
    if judged.report is None:
        missing = ("not judged", STYLES[Verdict.UNRESOLVED])
        return Text.assemble(missing, f"  {judged.pair.name}  ({where})  {judged.problem}")
    report = judged.report
    if report.verdict is not Verdict.CERTIFIED or verbose:
        return Group(ReportText(with_notes(judged, report), verbose, where), "")
    names = ", ".join(t.name for t in first_tensors(report) if t.name != "y") or "no gradient"
    head = Text.assemble((report.verdict.value, STYLES[report.verdict]), f"  {report.name}: {names}")
    notes = (
        *filter(None, (judged.moved, judged.at_zero, untested(judged))),
        *(note for note in to_note(report) if isinstance(note, Grave)),
    )
    return Group(TwoSides(head, where), *(Text(f"  note: {note}") for note in notes))


def with_notes(judged: Judged, report: Report) -> Report:
    """Its report, with how the inputs came to be, and what of the file was not judged."""
    called = f"called with {judged.called}; --inputs asks for others" if stopped(report) else judged.moved
    data = say_data(report, parameters(judged.pair.forward) or ())
    notes = (called, judged.in_words, judged.at_zero, data, untested(judged))
    return replace(report, notes=(*report.notes, *filter(None, notes)))


def stopped(report: Report) -> bool:
    """Whether the code raised an exception, which the shapes of its inputs may explain."""
    return bool(report.raised)


def say_data(report: Report, taken: Container[str]) -> str:
    """How to say that arguments (`taken`) of which backward gives no gradient are meant to have none."""
    missing = [t for t in first_tensors(report) if t.reason == NOT_GIVEN and "[" not in t.name]
    left = [t for t in missing if t.name.removeprefix("d") in taken]
    words = " ".join(f"{t.name.removeprefix('d')}={shape_word(t.shape)}:data" for t in left)
    return f"that no gradient is meant is said by --inputs {words}" if left else ""


def untested(judged: Judged) -> str:
    """The arrays of an object whose gradients the two methods neither hand out nor leave where they are looked for."""
    known = {t.name for row in judged.report.stages for t in row.isolated.tensors} if judged.report else set()
    taken = parameters(judged.pair.forward) or {}
    own = [name for name in judged.pair.own if name not in taken and f"d{name}" not in known]
    where = "; they are looked for beside them: self.dW or self.grads['W'] of self.W"
    return f"not judged: the gradients of {', '.join(own)}, for backward leaves none{where}" if own else ""


def conclude(found: Sequence[Judged], seed: int, *, verbose: bool = False) -> list[str]:
    """How many of each, and, unless every report was shown in full, what is proved of those that are right."""
    words = Counter(word(judged) for judged in found)
    parts = ", ".join(f"{n} {what}" for what in WORDS if (n := words[what]))
    right = [j.report for j in found if j.report and j.report.stages and j.verdict is Verdict.CERTIFIED]
    proofs = what_is_proved(right) if right and not verbose else []
    return [f"{count_of(len(found), 'function')}: {parts}, seed {seed}", *proofs]


def what_is_proved(reports: Sequence[Report]) -> list[str]:
    """How small an error would have been seen, the entry nearest to its bound, and what the short lines leave out."""
    seen, _ = smallest_seen([t for report in reports for t in first_tensors(report)])
    worst = max(reports, key=lambda report: worst_row(report).isolated.worst.ratio)
    t = worst_row(worst).isolated.worst
    others = {note for report in reports for note in to_note(report) if not isinstance(note, Grave)} - {OWN}
    more = f" and {count_of(len(others), 'note')}" if others else ""
    return [
        *(
            [f"Right to rounding: a relative error of {seen:.0e} shows in half the entries of each."]
            if seen < 1
            else []
        ),
        f"Worst: {worst.name}, {t.name}{index_words(t.index)}, at {t.ratio:.2g} of what rounding explains.",
        *([f"{OWN[0].upper()}{OWN[1:]}."] if any(OWN in report.notes for report in reports) else []),
        f"-v shows all numbers{more}.",
    ]


WORDS = ("CERTIFIED", "REFUTED", "contract broken", "UNRESOLVED", "not judged")


def word(judged: Judged) -> str:
    """One of WORDS."""
    if judged.report is None:
        return "not judged"
    broken = judged.report.broken and judged.report.gradients is not Verdict.REFUTED
    return "contract broken" if broken else judged.verdict.value


def as_dict(found: Sequence[Judged], path: Path, seed: int) -> dict[str, Any]:
    """Everything that was found, for JSON."""
    return {
        "verdict": together(judged.verdict for judged in found).value,
        "file": str(path),
        "seed": seed,
        "versions": list_versions(),
        "functions": [
            {
                "name": judged.pair.name,
                "line": judged.pair.line,
                "verdict": word(judged),
                "problem": judged.problem,
                "report": with_notes(judged, judged.report).to_dict() if judged.report else None,
            }
            for judged in found
        ],
    }
