"""The stages of a report on a page: one table of all, then each with its equations, its tensors and their pictures."""

from collections.abc import Iterator, Sequence

from handgrad.html.element import Html, element, fold, join, table
from handgrad.html.equations import find_equation
from handgrad.judge.compare import TensorReport
from handgrad.judge.verdict import Verdict
from handgrad.report.badges import badge, verdict_badge
from handgrad.report.heat_map import LEGEND, show_entries
from handgrad.report.stage_rows import MEANINGS, StageRow, Status, index_word, shape_word

STATUS_KINDS = {Status.OK: "good", Status.WRONG: "bad", Status.INHERITED: "inherited", Status.DRIFT: "open"}
NUMBERS = ("by hand", "autograd", "difference", "of bound", "detects from")


def show_stages(rows: Sequence[StageRow], *, chain: bool, pictures: bool) -> Iterator[Html]:
    """A table with the worst tensor of each stage, from the loss back, then each, unfolded where it is wrong.

    Where the stages are no chain but the same code at several inputs, the first and the wrong ones are enough.
    """
    chained = any(row.chained for row in rows)
    last = ["isolated", "chained"] if chained else ["verdict"]
    titles = ["stage" if chain else "inputs", *last, "tensor", "shape", "worst at", *NUMBERS]
    ordered = rows[::-1] if chain else rows
    yield table(titles, [summary_row(row, chained=chained) for row in ordered], numbers=NUMBERS)
    yield from terms(rows)
    bad = [row for row in ordered if row.isolated.verdict is not Verdict.CERTIFIED]
    if any(row.entries for row in (ordered if pictures else bad)):
        yield element("p", LEGEND, class_="aside")
    for row in ordered:
        if chain or row in bad or row is rows[0]:
            words = join(verdict_badge(row.isolated.verdict), f" {row.name}")
            yield fold(words, *show_stage(row, pictures=pictures or row in bad), open=row in bad)


def summary_row(row: StageRow, *, chained: bool) -> list[str]:
    """Its name, its verdicts, where a telephone shows them too, and its worst tensor."""
    t = row.isolated.worst
    found = {c.status for c in row.chained}
    word = next((status for status in (Status.WRONG, Status.INHERITED, Status.DRIFT) if status in found), Status.OK)
    last = [badge(word, STATUS_KINDS[word])] if chained else []
    return [row.name, verdict_badge(t.verdict), *last, t.name, shape_word(t), index_word(t), *values(t)]


def values(t: TensorReport) -> list[str]:
    """The numbers at the worst entry, in the order of NUMBERS."""
    return [f"{t.hand:.8g}", f"{t.reference:.8g}", f"{t.difference:.2g}", f"{t.ratio:.2g}", f"{t.floor_median:.0e}"]


def terms(rows: Sequence[StageRow]) -> Iterator[Html]:
    """The two columns of verdicts explained, where there are two."""
    found = {t.status for row in rows for t in row.chained}
    words = ["isolated: the stage alone, given autograd's upstream gradient; chained: within the whole pass by hand"]
    lines = words * bool(found) + [meaning for status, meaning in MEANINGS.items() if status in found]
    yield from (element("p", line, class_="aside") for line in lines)


def show_stage(row: StageRow, *, pictures: bool) -> Iterator[Html]:
    """Its equations, every tensor at its worst entry, and all entries of each."""
    yield from stage_equations(row)
    statuses = {c.name: c for c in row.chained}
    last = ["chained"] if statuses else []
    titles = ["tensor", "verdict", *last, "shape", "worst at", *NUMBERS, "outside"]
    rows = []
    for t in row.isolated.tensors:
        status = statuses[t.name].status if t.name in statuses else None
        outside = t.reason or f"{t.outside} of {t.entries}"
        word = [badge(status, STATUS_KINDS[status]) if status else "-"] * bool(statuses)
        rows.append([t.name, verdict_badge(t.verdict), *word, shape_word(t), index_word(t), *values(t), outside])
    yield table(titles, rows, numbers=NUMBERS)
    shown = [t.name for t in row.isolated.tensors if pictures or t.verdict is not Verdict.CERTIFIED]
    maps = [show_entries(name, row.entries[name]) for name in shown if name in row.entries]
    if maps:
        yield element("div", *maps, class_="pair")


def stage_equations(row: StageRow) -> list[Html]:
    """The equations of its forward and backward pass side by side; none where none is known."""
    names = [t.name for t in row.isolated.tensors]  # y first
    passes = ["forward", *["backward"] * len(names)]
    known = [(name, which) for name, which in zip(names, passes, strict=False) if name in row.tags]
    equations = [show_equation(name, which, row.tags[name]) for name, which in known]
    return [element("div", *equations, class_="pair")] if any(equations) else []


def show_equation(name: str, which: str, tag: str) -> Html:
    """The equation of a tensor of the forward or backward pass, and the line of `manual` that computes it."""
    found = find_equation(tag)
    if found is None:
        return Html("")
    code = element("p", element("code", found.code), " ", element("span", f"{found.file}, eq. {tag}", class_="aside"))
    return element("div", element("p", element("strong", name), f", {which}"), found.math, code)
