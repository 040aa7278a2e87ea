"""What the judge found, as an object and as JSON; text.py shows it."""

import dataclasses
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from rich.console import RenderableType

from handgrad.html.page import Paged, Shown
from handgrad.judge.compare import StageReport
from handgrad.judge.planted_error import Control
from handgrad.judge.promises import Contract
from handgrad.judge.verdict import Verdict, together
from handgrad.mend.change import Change, Place
from handgrad.report.console import WIDTH, render
from handgrad.report.ledger import Ledger, LedgerRow
from handgrad.report.listing import Listing
from handgrad.report.sections import heading, sections
from handgrad.report.sentence import say_what_is_wrong
from handgrad.report.stage_rows import StageRow
from handgrad.report.text import ReportText, broken_contracts


@dataclass(frozen=True)
class StageContracts:
    """What one stage's backward pass must keep besides being right."""

    stage: str
    contracts: tuple[Contract, ...]


@dataclass(frozen=True)
class DirectionsReport:
    """Test C: v . g against the derivative of the whole forward pass along v, for random v of +1 and -1."""

    directions: int
    outside: int
    worst_ratio: float  # |v.g - D| over its bound
    miss_probability: float
    entries: int
    verdict: Verdict


@dataclass(frozen=True)
class Report(Paged):
    """The judgement of one run: `gradients` and `broken` contracts are its two verdicts, `verdict` both together.

    notes: what else a reader must know.

    chain: the stages are one after the other; else they are one and the same at other inputs.

    change: of the code judged, with which every gradient is CERTIFIED; None where none is needed, or none was found.
    suspect: without a change, the one line of which another value would make every gradient right.

    keep_ledger: gives the ledger of a function's backward pass, None of anything else.

    listings: the functions judged, as they stand in their files.
    """

    name: str
    dtype: str
    library: str
    device: str
    seed: int
    stages: tuple[StageRow, ...]
    slack: float = 1.0
    wiring: tuple[str, ...] = ()
    directions: DirectionsReport | None = None
    control: Control | None = None
    contracts: tuple[StageContracts, ...] = ()
    notes: tuple[str, ...] = field(default=())
    chain: bool = True
    change: Change | None = None
    suspect: Place | None = None
    keep_ledger: Callable[[], Ledger] | None = field(default=None, repr=False, compare=False)
    listings: tuple[Listing, ...] = field(default=(), repr=False, compare=False)

    @property
    def ledger(self) -> Ledger:
        """Every value of the backward pass, line by line, beside what it should be; kept when it is first asked for."""
        if self.keep_ledger is None:
            return Ledger(problem="a ledger is kept of functions alone")
        one_place = self.change is not None and len(self.change.replacements) == 1
        ledger = self.keep_ledger()
        return ledger.agreeing_with(self.change.place) if one_place and self.change else ledger

    def __getstate__(self) -> dict[str, Any]:
        """What another process is given: all but the ledger, for which the functions themselves would have to go."""
        return {**self.__dict__, "keep_ledger": None}

    @property
    def place(self) -> Place | None:
        """The line of the code that is wrong; None where it is not known."""
        return self.change.place if self.change else self.suspect

    @property
    def sentence(self) -> str:
        """What is wrong, and what is right, in words; empty where no value is wrong."""
        return say_what_is_wrong(self)

    @property
    def gradients(self) -> Verdict:
        """The verdict on the numbers: stages, connections, directions; certified only with a planted error caught."""
        parts = [row.isolated.verdict for row in self.stages]
        parts += [Verdict.REFUTED] if self.wiring else []
        parts += [self.directions.verdict] if self.directions else []
        parts += [Verdict.UNRESOLVED] if self.control and not self.control.caught else []
        return together(parts)

    @property
    def broken(self) -> tuple[str, ...]:
        """The verdict on the contracts: what breaks each, in a few words; empty if all that were checked are kept."""
        found = broken_contracts(self)
        return tuple(dict.fromkeys(f"{where}: {c.breach}" if self.chain else c.breach for where, c in found))

    @property
    def verdict(self) -> Verdict:
        """Both together, as the exit code has it: a broken contract refutes as well."""
        return together([self.gradients, *([Verdict.REFUTED] if self.broken else [])])

    @property
    def complaints(self) -> tuple[str, ...]:
        """What refutes the run besides a stage: connections, contracts, directions."""
        contracts = [f"{where}: {c.name}: {c.detail}" for where, c in broken_contracts(self)]
        along = self.directions is not None and self.directions.verdict is Verdict.REFUTED
        return (*self.wiring, *contracts, *(["the directions disagree"] if along else []))

    @property
    def culprit(self) -> StageRow | None:
        """The wrong stage to look at; None if all are right.

        Of a chain the one nearest the loss, where the backward pass goes wrong first; else the one whose mistake has a
        name, the first of all, or the one with the fewest numbers.
        """
        wrong = [row for row in self.stages if row.isolated.verdict is Verdict.REFUTED]
        if self.chain:
            return wrong[-1] if wrong else None

        def rank(row: StageRow) -> tuple[bool, bool, bool, int]:
            named = row.diagnosis is not None and row.diagnosis.known
            size = sum(t.entries for t in row.isolated.tensors)
            return not named, row.diagnosis is None, row is not self.stages[0], size

        return min(wrong, key=rank, default=None)

    @property
    def raised(self) -> str:
        """Which pass raised what, where that is what is wrong: of the culprit, else of the first that raised."""
        rows = self.stages if self.culprit is None else (self.culprit,)
        return next((row.raised for row in rows if row.raised), "")

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries and lists; values that are not finite as the strings "nan", "inf", "-inf"."""
        plain: dict[str, Any] = as_plain(self)
        two = {"gradients": self.gradients.value, "broken": list(self.broken)}
        found = {"sentence": self.sentence, "place": as_plain(self.place)}
        ledger = {"ledger": as_plain(self.ledger)} if self.keep_ledger else {}
        return {"verdict": self.verdict.value, **two, **found, **plain, **ledger}

    def to_json(self) -> str:
        """`to_dict` as JSON."""
        return json.dumps(self.to_dict(), indent=1)

    def shown(self) -> Shown:
        """What its page says."""
        return Shown(f"{self.verdict.value}: {self.name}", heading(self), sections(self, level=2))

    def text(self, *, color: bool = False, width: int = WIDTH, verbose: bool = False) -> str:
        """The report as a terminal shows it. verbose: every stage, how it was judged, and what holds."""
        return render(self.renderable(verbose=verbose), color=color, width=width)

    def __str__(self) -> str:
        return self.text().removesuffix("\n")  # print ends the last line

    def renderable(self, *, verbose: bool = False) -> RenderableType:
        """The report for a rich console."""
        return ReportText(self, verbose)


def as_plain(value: Any) -> Any:
    """Dataclasses, enums and tuples as dictionaries, strings and lists; what is not finite as a string.

    What a dataclass does not print (arrays, functions) is left out.
    """
    if isinstance(value, Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        extra = {"verdict": value.verdict.value} if isinstance(value, StageReport) else {}
        extra |= {"words": value.words} if isinstance(value, LedgerRow) else {}
        kept = [f.name for f in dataclasses.fields(value) if f.repr]
        return {**extra, **{name: as_plain(getattr(value, name)) for name in kept}}
    if isinstance(value, tuple | list):
        return [as_plain(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
