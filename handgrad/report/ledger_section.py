"""The ledger of a backward pass on a page: each of its values beside autograd's."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from handgrad.html.element import Html, element, table
from handgrad.report.badges import badge

if TYPE_CHECKING:
    from handgrad.report.ledger import Ledger, LedgerRow

NUMBERS = ("by hand", "autograd", "apart")
KINDS = {"RIGHT": "good", "WRONG": "bad", "INHERITED": "inherited"}


def show_ledger(ledger: Ledger) -> Iterator[Html]:
    """One row a value, in the order in which the lines were run; the reason where there are none."""
    if ledger.problem:
        yield element("p", f"The values of the backward pass are not shown: {ledger.problem}.", class_="aside")
        return
    titles = ("line", "verdict", "variable", "is the", *NUMBERS, "code")
    yield table(titles, [show_row(row) for row in ledger], numbers=NUMBERS)
    yield element("p", "By hand and by autograd: the entry where the two are furthest apart.", class_="aside")


def show_row(row: LedgerRow) -> list[str]:
    """One value."""
    values = [number(v, digits) for v, digits in ((row.hand, 6), (row.autograd, 6), (row.difference, 2))]
    if row.true is not None and row.true.shape != row.shape:
        values = [size(row.shape), size(row.true.shape), "shape"]
    times = f" ({row.times} times)" if row.times != 1 else ""
    what = [badge(row.words, KINDS.get(row.verdict.name, "")), row.variable + times, row.what or "-"]
    return [str(row.line), *what, *values, element("code", row.code)]


def number(value: float, digits: int) -> str:
    """With so many digits, a dash where there is none."""
    return "-" if math.isnan(value) else f"{value:.{digits}g}"


def size(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "scalar"
