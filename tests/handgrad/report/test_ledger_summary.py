"""What is said of the lines where none of them can be named as the wrong one, and where a change names it."""

from dataclasses import replace

import pytest

from handgrad.mend.change import Place
from handgrad.report.ledger import Ledger, LedgerRow, LineVerdict


def row(line: int, variable: str, what: str, verdict: LineVerdict) -> LedgerRow:
    return LedgerRow("student.py", line, "", variable, 1, what, (), (), 0.0, 0.0, 0.0, 0.0, verdict)


DH = row(4, "dh", "gradient of h", LineVerdict.RIGHT)
Z = row(5, "z", "value of z", LineVerdict.RIGHT)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ((DH, Z), ""),
        (
            (DH, Z, row(6, "dz", "", LineVerdict.UNEXPLAINED)),
            "line by line: dh (line 4) is the gradient of h; which of the values behind it is wrong is not known",
        ),
        ((Z, row(6, "dz", "", LineVerdict.UNEXPLAINED)), ""),  # the line may be right
        (
            (Z, row(6, "dz", "gradient of z", LineVerdict.WRONG)),
            "line by line: dz (line 6) is the first value that is not what it should be",
        ),
    ],
)
def test_the_last_right_gradient_and_the_first_value_that_is_not_known_to_be_right(
    rows: tuple[LedgerRow, ...], words: str
) -> None:
    assert Ledger(rows).summary == words


def told(rows: tuple[LedgerRow, ...], line: int) -> list[tuple[int, str]]:
    found = Ledger(rows).agreeing_with(Place("student.py", line, "backward"))
    return [(r.line, r.words) for r in found]


def test_the_line_of_a_change_is_the_wrong_one() -> None:
    dz = row(6, "dz", "gradient of z", LineVerdict.WRONG)
    dw = row(7, "dW", "gradient of W", LineVerdict.UNEXPLAINED)
    dx = replace(row(8, "dx", "gradient of x", LineVerdict.INHERITED), because=6)
    after = [(7, "wrong"), (8, "wrong because of line 7")]
    assert told((DH, dz, dw, dx), 7) == [(4, "right"), (6, "unexplained"), *after]
    helper = replace(dz, times=2)  # the first time before that line
    assert told((DH, helper, dw, dx), 7) == [(4, "right"), (6, "wrong because of line 7"), *after]
    doubted = row(9, "dx", "gradient of x", LineVerdict.DOUBTED)
    assert told((DH, dw, doubted), 7) == [(4, "right"), (7, "wrong"), (9, "wrong because of line 7")]
    assert told((DH, doubted), 9) == [(4, "right"), (9, "wrong")]


def test_where_nothing_is_wrong_in_the_line_of_a_change_or_in_any_it_stays() -> None:
    dz = row(6, "dz", "gradient of z", LineVerdict.WRONG)
    for rows, line in (((DH, dz), 4), ((DH, dz), 30), ((DH, Z), 5)):
        assert told(rows, line) == [(r.line, r.words) for r in rows]
