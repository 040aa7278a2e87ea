"""One quantity of a submission: right, or wrong and why."""

from dataclasses import dataclass

from handgrad.grading.right import Right
from handgrad.judge.compare import Float, TensorReport


@dataclass(frozen=True, eq=False)
class Slip:
    """Why a quantity is wrong: how far its entry of that name is off in a draw, or why that has no value.

    put: the right values that stood in the function where this was computed.
    """

    name: str
    right: Right
    report: TensorReport | None = None
    problem: str = ""
    line: int | None = None
    put: frozenset[str] = frozenset()
    value: Float | None = None


@dataclass(frozen=True, eq=False)
class Row:
    """A quantity with its points, and the hint that is shown where it is wrong."""

    name: str
    function: str
    points: float
    slip: Slip | None = None
    hint: str = ""

    @property
    def earned(self) -> float:
        return 0 if self.slip else self.points
