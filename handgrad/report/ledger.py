"""Every value of a backward pass, line by line: the gradient of which variable it is, and whether it is right."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from handgrad.mend.change import Place

ARRAY = "true"  # the field of a row that is a whole array, and not written to JSON


class LineVerdict(StrEnum):
    """What a value of the backward pass is."""

    RIGHT = "right"
    WRONG = "wrong"
    INHERITED = "wrong because of an earlier line"
    UNEXPLAINED = "unexplained"


@dataclass(frozen=True)
class LedgerRow:
    """One variable that a line sets, or an entry that it returns, at its worst entry.

    code      the line
    times     how often the line was run; of a loop the row tells of the first wrong time, else of the last one
    what      "gradient of z1", "value of h1" (of the forward pass, read again or computed again), "derivative of h1
              by z1"; "" for a value without a name
    true      what it should be, None where that is not known; hand and autograd: the two at the worst entry
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

    @property
    def words(self) -> str:
        """The verdict as it is told."""
        return self.verdict.value if self.because is None else f"wrong because of line {self.because}"


@dataclass(frozen=True)
class Ledger:
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
        return next((row for row in self.rows if row.verdict is LineVerdict.WRONG), None)
