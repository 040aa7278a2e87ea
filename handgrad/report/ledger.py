"""Every value of a backward pass, line by line: the gradient of which variable it is, and whether it is right.

As data, and as a table that is 80 columns wide: by hand and autograd side by side.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from handgrad.html.page import Paged, Shown
from handgrad.mend.change import Place
from handgrad.report.code_lines import shown
from handgrad.report.console import WIDTH, render
from handgrad.report.ledger_section import show_ledger


class LineVerdict(StrEnum):
    """What a value of the backward pass is."""

    RIGHT = "right"
    WRONG = "wrong"
    DOUBTED = "wrong, or what goes into it is"
    INHERITED = "wrong because of an earlier line"
    UNEXPLAINED = "unexplained"

    @property
    def is_wrong(self) -> bool:
        """Whether the line is to be looked at."""
        return self in (LineVerdict.WRONG, LineVerdict.DOUBTED)


@dataclass(frozen=True)
class LedgerRow:
    """One variable that a line sets, or an entry that it returns, at its worst entry.

    code      the line
    times     how often the line was run; of a loop the row tells of the first wrong time, else of the last one
    what      "gradient of z1", "value of h1" (of the forward pass, read again or computed again), "derivative of h1
              by z1"; "" for a value without a name
    value     what it is, and true, what it should be, None where that is not known; hand and autograd: the two at the
              worst entry
    bound     of the difference
    because   the line that made it wrong, of a value that is INHERITED
    """

    file: str
    line: int
    code: str
    variable: str
    times: int
    what: str
    shape: tuple[int, ...]
    index: tuple[int, ...]
    hand: float
    autograd: float
    difference: float
    bound: float
    verdict: LineVerdict
    because: int | None = None
    true: NDArray[np.float64] | None = field(default=None, repr=False, compare=False)
    value: NDArray[np.float64] | None = field(default=None, repr=False, compare=False)

    @property
    def words(self) -> str:
        """The verdict as it is told."""
        return self.verdict.value if self.because is None else f"wrong because of line {self.because}"


@dataclass(frozen=True)
class Ledger(Paged):
    """All rows in the order in which the lines were run.

    problem  why there are none
    case     the inputs it was kept on
    suspect  the first wrong line, if all that goes into it is right and its right value makes every gradient right
    """

    rows: tuple[LedgerRow, ...] = ()
    problem: str = ""
    case: str = ""
    suspect: Place | None = None

    def __iter__(self) -> Iterator[LedgerRow]:
        return iter(self.rows)

    @property
    def culprit(self) -> LedgerRow | None:
        """The first wrong row."""
        return next((row for row in self.rows if row.verdict.is_wrong), None)

    def agreeing_with(self, place: Place) -> "Ledger":
        """The same where it is known that the mistake is in this line: other lines are wrong because of it.

        Of a value before it, what it should be was a guess, which makes up for the mistake that comes later.
        """
        here = [i for i, row in enumerate(self.rows) if (row.file, row.line) == (place.file, place.line)]
        bad = [i for i in here if self.rows[i].verdict is not LineVerdict.RIGHT]
        if self.culprit is None or not bad:
            return self
        wrong = next((i for i in bad if self.rows[i].verdict.is_wrong), bad[0])
        rows = list(self.rows)
        for i, row in enumerate(rows):
            if i == wrong:
                rows[i] = replace(row, verdict=LineVerdict.WRONG, because=None)
            elif row.verdict.is_wrong and i not in here and i < wrong and row.times == 1:
                nan = math.nan
                row = replace(row, autograd=nan, difference=nan, bound=nan, true=None)
                rows[i] = replace(row, verdict=LineVerdict.UNEXPLAINED, what="")
            elif row.verdict is LineVerdict.INHERITED or (row.verdict.is_wrong and i not in here):
                rows[i] = replace(row, verdict=LineVerdict.INHERITED, because=place.line)
        return replace(self, rows=tuple(rows))

    @property
    def summary(self) -> str:
        """How far the lines are known to be right, and which is the first that is wrong; "" where neither is known."""
        first = next((i for i, row in enumerate(self.rows) if row.verdict is not LineVerdict.RIGHT), None)
        if first is None:
            return ""
        row, right = self.rows[first], [r for r in self.rows[:first] if r.what.startswith("gradient of")]
        so_far = f"{right[-1].variable} (line {right[-1].line}) is the {right[-1].what}" if right else ""
        wrong = f"{row.variable} (line {row.line}) is the first value that is not what it should be"
        if row.verdict.is_wrong:
            return f"line by line: {'; '.join(filter(None, [so_far, wrong]))}"
        return so_far and f"line by line: {so_far}; which of the values behind it is wrong is not known"

    def shown(self) -> Shown:
        """What its page says."""
        return Shown("ledger", "The backward pass, value by value", list(show_ledger(self)))

    def __str__(self) -> str:
        return render(Group(ledger_table(self), *quote_wrong(self)), color=False, width=WIDTH)


STYLES = {
    LineVerdict.WRONG: "bold red",
    LineVerdict.DOUBTED: "red",
    LineVerdict.INHERITED: "magenta",
    LineVerdict.UNEXPLAINED: "yellow",
}
COLUMNS = {"line": 4, "variable": 12, "is the": 20, "by hand": 9, "autograd": 9, "apart": 7, "": 13}  # widest
MEANINGS = {
    LineVerdict.RIGHT: "by hand, autograd: the entry where they are furthest apart",
    LineVerdict.INHERITED: "because of N: right as soon as line N gives its right value",
    LineVerdict.UNEXPLAINED: "unexplained: nothing of the forward pass, and not known to be wrong",
}


def ledger_table(ledger: Ledger) -> RenderableType:
    """One line a row, and the terms; the reason where there are no rows."""
    if ledger.problem:
        return Text(f"no ledger: {ledger.problem}")
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    for title, widest in COLUMNS.items():
        right = title in ("line", "by hand", "autograd", "apart")
        table.add_column(title, justify="right" if right else "left", max_width=widest, overflow="fold")
    first = ledger.rows[0].file if ledger.rows else ""
    for row in ledger:
        table.add_row(*cells(row, first))
    return Group(table, *(Text(line, "dim") for line in terms(ledger)))


def quote_wrong(ledger: Ledger) -> list[Text]:
    """The lines that are wrong, as they stand in the code."""
    wrong = {row.line: row for row in ledger if row.verdict.is_wrong}
    return [Text(f"{row.words}: {line} | {row.code}", "bold") for line, row in wrong.items()]


def cells(row: LedgerRow, file: str) -> Iterator[str | Text]:
    """What stands in each column."""
    yield str(row.line) if row.file == file else f"{shown(row.file)}:{row.line}"
    yield row.variable if row.times == 1 else f"{row.variable} ({row.times} times)"
    yield row.what
    if row.true is not None and row.true.shape != row.shape:
        yield from (shape_word(row.shape), shape_word(row.true.shape), "shape")
    else:
        yield from (number(row.hand, 4), number(row.autograd, 4), number(row.difference, 2))
    words = row.verdict.value if row.because is None else f"because of {row.because}"
    yield Text(words, STYLES.get(row.verdict, ""))


def terms(ledger: Ledger) -> Iterator[str]:
    """The words that the table uses, explained."""
    found = {row.verdict for row in ledger} | {LineVerdict.RIGHT}
    yield from (meaning for verdict, meaning in MEANINGS.items() if verdict in found)


def number(value: float, digits: int) -> str:
    """With so many digits, a dash where there is none."""
    return "-" if math.isnan(value) else f"{value:.{digits}g}"


def shape_word(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "scalar"
