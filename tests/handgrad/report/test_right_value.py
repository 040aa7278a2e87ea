"""What the wrong value of a line should be, as far as its ledger knows."""

import numpy as np
import pytest

from handgrad.report.ledger import LedgerRow, LineVerdict
from handgrad.report.right_value import say_right_value

TRUE = np.array([[1.0, 2.0], [-3.0, 0.0]])


def row(value: np.ndarray, variable: str = "dz", what: str = "gradient of z") -> LedgerRow:
    wrong = LineVerdict.WRONG
    return LedgerRow(
        "a.py", 3, "", variable, 1, what, value.shape, (1, 0), -4.0, -3.0, 1.0, 0.0, wrong, None, TRUE, value
    )


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (2.5 * TRUE, ", and is 2.5 times that"),
        (TRUE.T, ", and is that transposed"),
        (TRUE + 1, ": at [1,0] it is -4, -3 belongs"),
        (0 * TRUE, ": at [1,0] it is -4, -3 belongs"),
        (TRUE[0], ", of shape (2, 2), and has shape (2,)"),
    ],
)
def test_a_gradient(value: np.ndarray, words: str) -> None:
    assert say_right_value(row(value)) == f"dz should be the gradient of z{words}"


def test_what_has_no_name_of_its_own() -> None:
    assert say_right_value(row(-TRUE, "return[0]")).startswith("what is returned should be the gradient of z, and")
    assert say_right_value(row(-TRUE, "argument (of back)")).startswith("what back is given should be the gradient")
    assert say_right_value(row(-TRUE, what="")) == ""  # of a factor it depends on the lines that use it
