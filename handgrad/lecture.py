"""What a lecture's script gives: systems, whose numbers stand beside autograd's, and mistakes in print, refuted."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from handgrad.precision import to64
from handgrad.report import Report
from handgrad.verdict import Verdict, together
from torch_ref import gradients


@dataclass(frozen=True, eq=False)
class Number:
    """One quantity of a lecture: as printed, as `manual` computes it, as autograd (or torch's own function) does.

    printed: the digits exactly as in print, one string per entry of `ours` in order. erratum: the id of the entry in
    the list of mistakes that says why the print differs; it must differ then. within: the largest difference between
    ours and autograd, relative to the largest entry; 1e-12 for one pass, 1e-9 for a training run.
    """

    name: str
    ours: Any
    autograd: Any = None
    printed: Sequence[str] = ()
    erratum: str = ""
    within: float = 1e-12

    def __post_init__(self) -> None:
        if isinstance(self.printed, str):
            raise TypeError(f"{self.name}: printed is one string, expected a sequence, one per entry; put it in a list")
        if self.printed and len(self.printed) != np.size(to64(self.ours)):
            entries = np.size(to64(self.ours))
            raise ValueError(f"{self.name}: {len(self.printed)} printed numbers for {entries} entries; give one each")

    @property
    def as_printed(self) -> bool | None:
        """Whether every entry lies within half a unit of the last printed place; None where nothing is printed."""
        if not self.printed:
            return None
        pairs = zip(to64(self.ours).ravel(), self.printed, strict=True)
        return all(abs(Decimal(float(value)) - Decimal(text)) <= half_unit(text) for value, text in pairs)

    @property
    def apart(self) -> float:
        """The largest difference from autograd relative to the largest entry; 0 where there is no autograd value."""
        if self.autograd is None:
            return 0.0
        ours, auto = to64(self.ours), to64(self.autograd)
        if ours.shape != auto.shape or not np.array_equal(np.isfinite(ours), np.isfinite(auto)):
            return float("inf")
        finite = np.isfinite(ours)
        if not np.array_equal(ours[~finite], auto[~finite], equal_nan=True):
            return float("inf")
        difference, size = np.abs(ours - auto)[finite], np.abs(auto)[finite]
        return float(difference.max() / size.max()) if difference.any() else 0.0

    @property
    def verdict(self) -> Verdict:
        """REFUTED where ours and autograd part, or print and ours without an erratum that says why."""
        print_explained = self.as_printed is None or self.as_printed is not bool(self.erratum)
        return Verdict.CERTIFIED if print_explained and self.apart <= self.within else Verdict.REFUTED


def half_unit(printed: str) -> Decimal:
    """Half a unit of the last printed place.

    >>> half_unit("2.98"), half_unit("29.")
    (Decimal('0.005'), Decimal('0.5'))
    """
    exponent = Decimal(printed).as_tuple().exponent
    assert isinstance(exponent, int)
    return Decimal(5).scaleb(exponent - 1)


@dataclass(frozen=True, eq=False)
class System:
    """One system of a lecture: its numbers, the one for the table first; the judge's reports on its gradients."""

    id: str
    title: str
    numbers: Sequence[Number]
    reports: Sequence[Report] = ()
    notes: Sequence[str] = ()

    @property
    def verdict(self) -> Verdict:
        return together([*(n.verdict for n in self.numbers), *(r.verdict for r in self.reports)])


class Finding(Protocol):
    """What a judge says about something that is no gradient, such as an update."""

    @property
    def verdict(self) -> Verdict: ...
    @property
    def words(self) -> str: ...


@dataclass(frozen=True, eq=False)
class Erratum:
    """One mistake in print: the formula as printed goes to the judge, and so does the right one.

    says: where the mistake is and what it is, in the judge's words; taken from the report where it is one.
    """

    id: str
    printed: str
    right: str
    finding: Report | Finding
    right_finding: Report | Finding
    says: str = ""

    @property
    def verdict(self) -> Verdict:
        """CERTIFIED if the judge refuted what is printed and certified what is right."""
        told = (self.finding.verdict, self.right_finding.verdict)
        return Verdict.CERTIFIED if told == (Verdict.REFUTED, Verdict.CERTIFIED) else Verdict.REFUTED

    @property
    def words(self) -> str:
        """What the judge says of the formula as printed."""
        words: str = place_and_name(self.finding) if isinstance(self.finding, Report) else self.finding.words
        return self.says or words


def place_and_name(report: Report) -> str:
    """The wrong stage nearest the loss, the wrong tensors in it, and the mistake's name."""
    row = report.culprit
    if row is None:
        return "; ".join(report.complaints)
    wrong = ", ".join(t.name for t in row.isolated.tensors if t.verdict is Verdict.REFUTED)
    reason = next((t.reason for t in row.isolated.tensors if t.reason), "unknown mistake")
    name = row.diagnosis.name if row.diagnosis is not None and row.diagnosis.known else reason
    return f"{row.name}: {wrong}: {name}"


def autograd(*point: Any, states: Sequence[Any] | None = None) -> dict[str, NDArray[Any]]:
    """`torch_ref.gradients` as NumPy: a script computes with autograd's side as with ours. Arguments as there."""
    return {name: value.numpy() for name, value in gradients(*point, states=states).items()}
