"""The ledger of a backward pass as a table: by hand and autograd side by side, 80 columns wide."""

import math
from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from handgrad.report.code_lines import shown
from handgrad.report.ledger import Ledger, LedgerRow, LineVerdict

STYLES = {LineVerdict.WRONG: "bold red", LineVerdict.INHERITED: "magenta", LineVerdict.UNEXPLAINED: "yellow"}
COLUMNS = {"line": 4, "variable": 12, "is the": 20, "by hand": 9, "autograd": 9, "apart": 7, "": 13}  # widest
MEANINGS = {
    LineVerdict.RIGHT: "by hand, autograd: the entry where they are furthest apart",
    LineVerdict.INHERITED: "because of 9: right as soon as line 9 gives its right value",
    LineVerdict.UNEXPLAINED: "unexplained: nothing of the forward pass, and not known to be wrong",
}


def ledger_table(ledger: Ledger) -> RenderableType:
    """One line a row, the lines that are wrong, and the terms; the reason where there are no rows."""
    if ledger.problem:
        return Text(f"no ledger: {ledger.problem}")
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    for title, widest in COLUMNS.items():
        right = title in ("line", "by hand", "autograd", "apart")
        table.add_column(title, justify="right" if right else "left", max_width=widest, overflow="fold")
    first = ledger.rows[0].file if ledger.rows else ""
    for row in ledger:
        table.add_row(*cells(row, first))
    wrong = {row.line: row.code for row in ledger if row.verdict is LineVerdict.WRONG}
    lines = [Text(f"wrong: {line} | {code}", "bold") for line, code in wrong.items()]
    return Group(table, *lines, *(Text(line, "dim") for line in terms(ledger)))


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
