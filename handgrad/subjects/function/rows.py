"""What a report says of a function's cases: their rows, and the notes that a reader must not miss."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from handgrad.judge.compare import StageReport
from handgrad.judge.isolation import duplicate, quiet
from handgrad.judge.judgement import say_way
from handgrad.judge.ladder import Rung
from handgrad.judge.verdict import Verdict
from handgrad.mend.search import Objection
from handgrad.report.sentence import listed
from handgrad.report.stage_rows import StageRow
from handgrad.report.text import NOTHING
from handgrad.subjects.function.calling import Code
from handgrad.subjects.function.case import Kind, Tried
from handgrad.subjects.function.ways import WITHOUT_DY, Way

DRAWN = "it draws random numbers: in every run the same, forward and backward each their own"
MOVED = "backward moves {} itself; every run began where it was. Its gradient is judged if it is left beside: self.dW"
SPECIAL = (Kind.KINKS, Kind.SPECIAL, Kind.MAGNITUDES)  # cases at which a right formula may be wrong in its numbers


def admit(code: Code, tried: Tried) -> list[str]:
    """What a report must not hide: inputs without a gradient, and a backward pass that was multiplied by dy here."""
    assert tried.judgement is not None
    moved = [n for n, kept in code.kept.items() if kept.moved]
    found = [MOVED.format(", ".join(moved))] if moved else []
    declared = [n for n in code.may_overwrite if n not in moved]
    found += [f"declared: it may overwrite {', '.join(declared)}"] if declared else []
    found += ["declared: it is not linear in its upstream gradient"] if code.not_linear else []
    found += [DRAWN] if code.draws is not None else []
    found += [f"declared to have no gradient: {', '.join(code.detached)}"] if code.detached else []
    missing = [n for n in code.variables if f"d{n}" not in tried.judgement.evidence]
    found += [f"backward gives no gradient for {', '.join(missing)}, where the reference's is zero"] if missing else []
    if tried.outputs is not None and tried.outputs.left_out:
        names = ", ".join(tried.outputs.left_out)
        found.append(f"without an upstream gradient, for they hold no floating-point numbers: {names}")
    with quiet():
        ran = code.run_forward(code.arguments(duplicate(tried.case.inputs)))
    way = code.way(ran)
    if way in WITHOUT_DY:
        found.append("backward takes no upstream gradient: what it gives, times a random dy, was judged")
    if way in (Way.STATE, Way.ALONE):
        found.append("backward was called right after its forward: it keeps its state and cannot go back twice")
    return found


def list_rows(code: Code, tried: Sequence[Tried]) -> Iterator[StageRow]:
    """The rows. If the mistake at the kinks has a name, other rows do not repeat it.

    Example: a ReLU whose derivative at 0 is 1 is wrong at the kinks and at the zeros. At the zeros several names fit,
    at the kinks only the right one, so the diagnosis is given there alone.
    """
    at_kinks = [t.row.diagnosis for t in tried if t.row and t.row.diagnosis and t.case.kind is Kind.KINKS]
    name = next((d.name for d in at_kinks if d.known), None)
    for t in tried:
        if t.row is None:
            continue
        again = name is not None and t.case.kind is not Kind.KINKS and t.row.diagnosis and name in t.row.diagnosis.name
        row = replace(t.row, inputs=t.case.called, isolated=explain_nothing(code, t, t.row.isolated))
        yield replace(row, diagnosis=None) if again else row


def explain_nothing(code: Code, tried: Tried, found: StageReport) -> StageReport:
    """The verdicts, with the likeliest reason where two functions give not one gradient."""
    trial = tried.judgement.trial if tried.judgement else None
    if trial is None or code.graph is not None or trial.hand.keys() - {"y"}:
        return found
    lost = [t.name in trial.missing and t.verdict is not Verdict.CERTIFIED for t in found.tensors]
    tensors = [replace(t, reason=NOTHING) if is_lost else t for t, is_lost in zip(found.tensors, lost, strict=True)]
    return replace(found, tensors=tuple(tensors))


def list_notes(tried: Sequence[Tried]) -> Iterator[str]:
    """The notes of every case, and how each was judged."""
    yield from once_each([(t.case.name, note) for t in tried for note in t.notes])
    wrong = [t for t in tried if t.row and t.row.isolated.verdict is Verdict.REFUTED]
    if wrong and all(t.case.kind in (Kind.SIZES, Kind.BLOCK_EDGES) for t in wrong):
        yield f"right at the sizes given only: wrong at {', '.join(t.case.name for t in wrong)}"
    if wrong and all(t.case.kind is Kind.MAGNITUDES for t in wrong):
        yield f"right at ordinary magnitudes only: wrong at {', '.join(t.case.name for t in wrong)}"
    if any(t.row and t.row.isolated.verdict is not Verdict.CERTIFIED and t.opaque for t in tried):
        yield "no change is looked for where a kernel is launched: with other arguments it may write past its memory"
    rungs = [t.judgement.rung for t in tried if t.row and t.judgement and t.judgement.rung]
    if rungs:
        lowest, dtype = max(rungs, key=list(Rung).index), tried[0].judgement.trial.dtype if tried[0].judgement else ""
        yield f"precision: {lowest.describe(dtype)}"
    judged = [(t.judgement.way, t.case.name) for t in tried if t.row and t.judgement and t.judgement.way]
    ways = list(dict.fromkeys(way for way, _ in judged))
    for way in ways:
        yield say_way(way, [name for other, name in judged if other is way] if len(ways) > 1 else ())


def once_each(notes: Sequence[tuple[str, str]]) -> Iterator[str]:
    """The notes, each with the name of its case; what is said of several cases in the same words is said once.

    >>> list(once_each([("zeros, beside kinks", "zeros: at a kink"), ("sparse", "sparse: at a kink"), ("sparse", "a")]))
    ['zeros, sparse: at a kink', 'a']
    """
    said: dict[str, list[str]] = {}
    for case, note in notes:
        name, _, words = note.partition(": ")
        of_case = type(note) is str and bool(words) and case.startswith(name)  # another kind of note stays what it is
        names = said.setdefault(words if of_case else note, [])
        names += [name] if of_case and name not in names else []
    for words, names in said.items():
        yield f"{', '.join(names)}: {words}" if names else words


def object_to(tried: Sequence[Tried]) -> Objection | None:
    """Which tensors are wrong at which inputs; None where every case is certified."""
    found = [(t.row, t.case) for t in tried if t.row and t.row.isolated.verdict is not Verdict.CERTIFIED]
    wrong = [t.name for row, _ in found for t in row.isolated.tensors if t.verdict is not Verdict.CERTIFIED]
    places = [case.called or case.name for _, case in found]
    words = f"{listed(list(dict.fromkeys(wrong)))} at {listed(list(dict.fromkeys(places)))}"
    return Objection(words, all(case.kind in SPECIAL for _, case in found)) if found else None
