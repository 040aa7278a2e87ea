"""What is said of the lines where none of them can be named as the wrong one."""

import pytest

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
