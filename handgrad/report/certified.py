"""What a CERTIFIED report says in five lines: what is right, how small a mistake would have been seen, what to note."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import TYPE_CHECKING

from handgrad.judge.compare import TensorReport, index_words
from handgrad.judge.note import Grave, HowJudged
from handgrad.report.code_lines import cut
from handgrad.report.sentence import listed

if TYPE_CHECKING:
    from handgrad.report.report import Report
    from handgrad.report.stage_rows import StageRow

NAMES = 14  # columns of the names of results; more are counted


def proved(report: Report) -> str:
    """What is right, and which relative error would be seen in half of the entries of each result."""
    seen, _ = smallest_seen(first_tensors(report))
    if report.chain:
        what = f"all {len(report.stages)} stages are" if len(report.stages) > 1 else f"{report.stages[0].name} is"
    else:
        what = name_results([t.name for t in first_tensors(report)])
    floor = f"; a relative error of {seen:.0e} shows in half the entries" if seen < 1 else ""
    return f"{what[0].upper()}{what[1:]} right{floor}." if what.startswith("all") else f"{what} right{floor}."


def name_results(names: Sequence[str]) -> str:
    """
    >>> name_results(["y", "dx", "dW"]), name_results(["dx"]), name_results([f"dW{i}" for i in range(9)])
    ('y, dx and dW are', 'dx is', 'all 9 results are')
    """
    words = listed(names)
    words = words if len(words) <= NAMES else f"all {len(names)} results"
    return f"{words} {'is' if len(names) == 1 else 'are'}"


def first_tensors(report: Report) -> list[TensorReport]:
    """Of a network every tensor; of a function those at its first inputs, for the others are special ones."""
    rows = report.stages if report.chain else report.stages[:1]
    return [t for row in rows for t in row.isolated.tensors]


def smallest_seen(tensors: Sequence[TensorReport]) -> tuple[float, list[str]]:
    """From which relative error on it is seen in half of the entries of each tensor; and the names of those tensors
    that are left out, since most of their entries are 0 or rounding, of which an error is no part."""
    seen = max((t.floor_median for t in tensors if t.floor_median < 1), default=inf)
    return seen, list(dict.fromkeys(t.name for t in tensors if t.floor_median >= 1))


def worst_row(report: Report) -> StageRow:
    """The stage or draw with the entry that is nearest to its bound."""
    return max(report.stages, key=lambda row: row.isolated.worst.ratio)


def nearest(report: Report) -> tuple[str, str]:
    """The entry that is nearest to its bound, and in which stage or draw it is."""
    row, count = worst_row(report), len(report.stages)
    t = row.isolated.worst
    among = f"of {count} {'stages' if report.chain else 'draws'}" if count > 1 else ""
    if t.ratio == 0:
        return f"Not a bit differs from autograd's{f', in none {among}' if among else ''}.", ""
    words = f"{f'Worst {among}' if among else 'Worst'}: {t.name}{index_words(t.index)}"
    return f"{words} at {t.ratio:.2g} of what rounding explains", f" ({row.name})" if among else ""


def to_note(report: Report) -> list[str]:
    """What a reader must know of a right result, the gravest first; without the notes on how a proof was made."""
    _, blind = smallest_seen(first_tensors(report))
    zero = f"mostly 0 or rounding alone, where no relative error is seen: {listed(blind)}"
    told = (note.brief if isinstance(note, HowJudged) else note for note in report.notes)
    notes = [*([zero] if blind else []), *filter(None, told)]
    return sorted(notes, key=lambda note: not isinstance(note, Grave))


def certified_lines(report: Report, width: int, more: str) -> list[str]:
    """The lines below the verdict, each at most so wide. more: where all numbers are."""
    lines = ["No gradient was judged."]
    if report.stages:
        words, where = nearest(report)
        lines = [proved(report), f"{words}{where if len(words + where) <= width else ''}"]
    notes = to_note(report)
    lines += [f"note: {notes[0]}"] if notes else []
    others = f" and {len(notes)} notes" if len(notes) > 1 else ""
    last = f"all numbers{others}: {more}"
    return [*(cut(line, width) for line in lines), last if len(last) <= width else last.partition("; ")[0]]
