"""What the wrong value of a line should be, in words, as far as its ledger knows."""

import numpy as np

from handgrad.judge.compare import index_words
from handgrad.mend.suspect import near
from handgrad.report.ledger import LedgerRow
from handgrad.report.sentence import GRADIENT, name_of


def say_right_value(row: LedgerRow) -> str:
    """A multiple of the gradient that belongs there, or that transposed; else the two numbers at the worst entry.

    >>> dz = np.arange(6.0).reshape(2, 3)
    >>> row = LedgerRow("a.py", 3, "", "dz", 1, "gradient of z", (2, 3), (1, 2), -5, 5, 10, 0, "wrong", None, dz, -dz)
    >>> say_right_value(row)
    'dz should be the gradient of z, and is -1 times that'
    """
    if row.true is None or row.value is None or not row.what.startswith(GRADIENT):
        return ""
    words, value, true = f"{name_of(row)} should be the {row.what}", row.value, row.true
    if near(value.T, true):
        return f"{words}, and is that transposed"
    if value.shape != true.shape:
        return f"{words}, of shape {true.shape}, and has shape {value.shape}"
    with np.errstate(all="ignore"):
        times = float(np.sum(value * true) / np.sum(true * true))
    if times and near(value, times * true):
        return f"{words}, and is {times:.4g} times that"
    hand, right = f"{row.hand:.4g}", f"{row.autograd:.4g}"
    return f"{words}: at {index_words(row.index)} it is {hand}, {right} belongs" if row.index else words
