"""What a lecture's script gives: systems, whose numbers stand beside autograd's, and mistakes in print, refuted."""

import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from decimal import Decimal
from io import StringIO
from pathlib import Path
from traceback import extract_tb
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from handgrad.arrays.precision import to64
from handgrad.experiment.compare_training_text import Trajectory
from handgrad.judge.verdict import Verdict, together
from handgrad.report.report import Report, as_plain
from manual import Network, Params
from torch_ref import gradients, to_torch, twin

Result = TypeVar("Result")


@dataclass(frozen=True, eq=False)
class Number:
    """One quantity of a lecture: as printed, as `manual` computes it, as autograd (or torch's own function) does.

    printed: the digits exactly as in print, one string per entry of `ours` in order. erratum: the id of the entry in
    the list of mistakes that says why the print differs; it must differ then.

    within: the largest difference between ours and autograd, 1e-12 for one pass, 1e-9 for a training run. It is
    relative to the largest entry, as the rounding of one tensor is. separate: the entries are quantities of their own
    (losses after 1, 10, 100 steps), each measured by its own size; within may then be one number for each.
    """

    name: str
    ours: Any
    autograd: Any = None
    printed: Sequence[str] = ()
    erratum: str = ""
    within: float | Sequence[float] = 1e-12
    separate: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.printed, str):
            raise TypeError(f"{self.name}: printed is one string, expected a sequence, one per entry; put it in a list")
        entries = np.size(to64(self.ours))
        if self.printed and len(self.printed) != entries:
            raise ValueError(f"{self.name}: {len(self.printed)} printed numbers for {entries} entries; give one each")
        if np.ndim(self.within) and not (self.separate and np.size(self.within) == entries):
            raise ValueError(
                f"{self.name}: within has {np.size(self.within)} numbers, expected one, or with separate=True one for "
                f"each of {entries} entries"
            )

    @property
    def as_printed(self) -> bool | None:
        """Whether every entry lies within half a unit of the last printed place; None where nothing is printed."""
        if not self.printed:
            return None
        pairs = zip(to64(self.ours).ravel(), self.printed, strict=True)
        return all(abs(Decimal(float(value)) - Decimal(text)) <= half_unit(text) for value, text in pairs)

    @property
    def distances(self) -> NDArray[np.float64]:
        """How far each entry is from autograd's, relative to the largest one or, where separate, to its own size.

        inf where one side is not finite and the other is another, and where autograd's is 0 and ours is not.
        """
        ours, auto = to64(self.ours), to64(self.ours if self.autograd is None else self.autograd)
        if ours.shape != auto.shape:
            return np.array([np.inf])
        finite = np.isfinite(ours) & np.isfinite(auto)
        size = np.abs(auto) if self.separate else np.max(np.abs(auto), where=finite, initial=0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            relative = np.abs(ours - auto) / size
        same = (ours == auto) | (np.isnan(ours) & np.isnan(auto))
        return np.where(same, 0.0, np.where(finite, relative, np.inf)).ravel()

    @property
    def difference(self) -> float:
        """The largest of the distances; 0 where there is no autograd value."""
        return float(self.distances.max(initial=0.0))

    @property
    def agrees(self) -> bool:
        """Whether every entry is as near to autograd's as it must be."""
        return bool((self.distances <= np.asarray(self.within)).all())

    @property
    def wrong(self) -> str:
        """What refutes it, in words: ours and autograd differ, or print and ours without an erratum that says why."""
        if not self.agrees:
            return f"ours and autograd's differ by {self.difference:.1g}"
        if self.as_printed is False and not self.erratum:
            return "print differs"
        if self.as_printed and self.erratum:
            return f"print agrees, where {self.erratum} says it differs"
        return ""

    @property
    def verdict(self) -> Verdict:
        return Verdict.REFUTED if self.wrong else Verdict.CERTIFIED

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries and lists; values that are not finite as the strings "nan", "inf", "-inf"."""
        return {
            "name": self.name,
            "verdict": self.verdict.value,
            "wrong": self.wrong,
            "printed": list(self.printed),
            "as_printed": self.as_printed,
            "erratum": self.erratum,
            "ours": as_plain(to64(self.ours).tolist()),
            "autograd": None if self.autograd is None else as_plain(to64(self.autograd).tolist()),
            "apart": as_plain(self.difference),
            "within": np.asarray(self.within).tolist(),
            "separate": self.separate,
        }


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
    """One system of a lecture: its numbers, the one for the table first; the judge's reports on its gradients.

    raised: the error that came instead of numbers.
    """

    id: str
    title: str
    numbers: Sequence[Number]
    reports: Sequence[Report | Trajectory] = ()
    notes: Sequence[str] = ()
    raised: str = ""

    @property
    def verdict(self) -> Verdict:
        raised = [Verdict.REFUTED] if self.raised else []
        return together([*raised, *(n.verdict for n in self.numbers), *(r.verdict for r in self.reports)])

    @property
    def shown(self) -> Number | None:
        """The number for the table: the first that is wrong, else the first; None where there is none."""
        return next((n for n in self.numbers if n.wrong), next(iter(self.numbers), None))

    @property
    def reason(self) -> str:
        """Why it is not certified, the first of the reasons; empty where it is."""
        wrong = [f"{n.name}: {n.wrong}" for n in self.numbers if n.wrong]
        judged = [f"the judge: {r.name}: {r.verdict.value}" for r in self.reports if r.verdict is not Verdict.CERTIFIED]
        return next(iter([self.raised] if self.raised else wrong + judged), "")

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries and lists, for JSON."""
        return {
            "id": self.id,
            "title": self.title,
            "verdict": self.verdict.value,
            "reason": self.reason,
            "numbers": [n.to_dict() for n in self.numbers],
            "reports": [r.to_dict() for r in self.reports],
            "notes": list(self.notes),
        }


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
        verdicts = (self.finding.verdict, self.right_finding.verdict)
        return Verdict.CERTIFIED if verdicts == (Verdict.REFUTED, Verdict.CERTIFIED) else Verdict.REFUTED

    @property
    def words(self) -> str:
        """What the judge says of the formula as printed."""
        words: str = place_and_name(self.finding) if isinstance(self.finding, Report) else self.finding.words
        return self.says or words

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries and lists, for JSON."""
        return {
            "id": self.id,
            "verdict": self.verdict.value,
            "printed": self.printed,
            "says": self.words,
            "right": self.right,
            "finding": finding_to_dict(self.finding),
            "right_finding": finding_to_dict(self.right_finding),
        }


def finding_to_dict(finding: Report | Finding) -> Any:
    """A report, or another finding, for JSON."""
    if isinstance(finding, Report | Trajectory):
        return finding.to_dict()
    return {"verdict": finding.verdict.value, "words": finding.words, **as_plain(finding)}


def place_and_name(report: Report) -> str:
    """The wrong stage nearest the loss, the wrong tensors in it, and the mistake's name."""
    row = report.culprit
    if row is None:
        return "; ".join(report.complaints)
    wrong = ", ".join(t.name for t in row.isolated.tensors if t.verdict is Verdict.REFUTED)
    reason = next((t.reason for t in row.isolated.tensors if t.reason), row.isolated.worst.why)
    name = row.diagnosis.name if row.diagnosis is not None and row.diagnosis.known else reason
    return f"{row.name}: {wrong}: {name}"


@dataclass(frozen=True)
class Raised:
    """An error in place of a finding."""

    words: str
    verdict: Verdict = Verdict.REFUTED


def run_system(run: Callable[[], System]) -> System:
    """What `run` gives; where it raises, a refuted system under the name of the function."""
    try:
        return run_quietly(run)
    except Exception as error:
        return System(*name_and_title(run), (), raised=locate_error(error))


def run_erratum(run: Callable[[], Erratum]) -> Erratum:
    """The same for a mistake in print."""
    try:
        return run_quietly(run)
    except Exception as error:
        raised = Raised(locate_error(error))
        return Erratum(*name_and_title(run), "", raised, raised)


def run_quietly(run: Callable[[], Result]) -> Result:
    """What `run` gives; what it writes to stderr comes after it, for a progress line of its caller is there."""
    said = StringIO()
    try:
        with redirect_stderr(said):
            return run()
    finally:
        sys.stderr.write(said.getvalue())


def name_and_title(run: Callable[[], Any]) -> tuple[str, str]:
    """The function with its file, and what its docstring begins with."""
    return f"{Path(run.__code__.co_filename).stem}.{run.__name__}", (run.__doc__ or "").partition("\n")[0]


def locate_error(error: Exception) -> str:
    """The error, and the line it comes from."""
    at = extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({Path(at.filename).name}, line {at.lineno})"


def autograd(*point: Any, states: Sequence[Any] | None = None) -> dict[str, NDArray[Any]]:
    """`torch_ref.gradients` as NumPy: a script computes with autograd's side as with ours. Arguments as there."""
    return {name: value.numpy() for name, value in gradients(*point, states=states).items()}


def torch_twin(network: Network, params: Sequence[Params]) -> Any:
    """The twin in float64 with these parameters."""
    module = twin(network).double()
    module.load_state_dict(to_torch(network, params))
    return module
