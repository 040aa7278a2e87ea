"""What the judge found, as an object, as text and as JSON, all three with the same content."""

import dataclasses
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from handgrad.html.page import Paged, Shown
from handgrad.judge.compare import StageReport, TensorReport
from handgrad.judge.planted_error import Control
from handgrad.judge.promises import Contract
from handgrad.judge.verdict import Verdict, together
from handgrad.mend.change import Change, Place
from handgrad.report.code_lines import code_lines
from handgrad.report.console import render
from handgrad.report.ledger import Ledger, LedgerRow
from handgrad.report.listing import Listing
from handgrad.report.sections import heading, sections
from handgrad.report.stage_rows import STYLES, StageRow, Stages, legend


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
        return self.keep_ledger() if self.keep_ledger else Ledger(problem="a ledger is kept of functions alone")

    def __getstate__(self) -> dict[str, Any]:
        """What another process is given: all but the ledger, for which the functions themselves would have to go."""
        return {**self.__dict__, "keep_ledger": None}

    @property
    def place(self) -> Place | None:
        """The line of the code that is wrong; None where it is not known."""
        return self.change.place if self.change else self.suspect

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

        Of a chain the one nearest the loss, where the backward pass goes wrong first; else the first whose mistake has
        a name, or the first.
        """
        wrong = [row for row in self.stages if row.isolated.verdict is Verdict.REFUTED]
        if self.chain:
            return wrong[-1] if wrong else None
        return min(
            wrong, key=lambda row: (row.diagnosis is None, not (row.diagnosis and row.diagnosis.known)), default=None
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries and lists; values that are not finite as the strings "nan", "inf", "-inf"."""
        plain: dict[str, Any] = as_plain(self)
        two = {"gradients": self.gradients.value, "broken": list(self.broken)}
        ledger = {"ledger": as_plain(self.ledger)} if self.keep_ledger else {}
        return {"verdict": self.verdict.value, **two, **plain, **ledger}

    def to_json(self) -> str:
        """`to_dict` as JSON."""
        return json.dumps(self.to_dict(), indent=1)

    def shown(self) -> Shown:
        """What its page says."""
        return Shown(f"{self.verdict.value}: {self.name}", heading(self), sections(self, level=2))

    def text(self, *, color: bool = False, width: int = 140) -> str:
        """The report as a terminal shows it."""
        return render(self.renderable(), color=color, width=width)

    def __str__(self) -> str:
        return self.text()

    def renderable(self) -> RenderableType:
        """The report for a rich console."""
        stage = self.culprit.name if self.chain and self.culprit else ""
        parts: list[RenderableType] = [headline(self)]
        parts += [Padding(line, (0, 0, 0, 2)) for line in code_lines(self.change, self.suspect, stage)]
        parts += [Padding(Stages(self.stages), (0, 0, 0, 2))] if self.stages else []
        parts += [Padding(line, (0, 0, 0, 2)) for line in remarks(self)]
        return Group(*parts)


def headline(report: Report) -> Text:
    """The verdict and what it is about."""
    where = f"{report.dtype}, {report.library} on {report.device}, seed {report.seed}"
    verdict = two_verdicts(report.gradients, report.broken)
    text = Text.assemble((verdict, STYLES[report.verdict]), f"  {report.name}  ({where})")
    if report.slack != 1:
        text.append(f"  slack {report.slack:g}: bounds and smallest detectable errors are so many times as large")
    return text


def two_verdicts(gradients: Verdict, broken: Sequence[str]) -> str:
    """
    >>> two_verdicts(Verdict.CERTIFIED, ()), two_verdicts(Verdict.CERTIFIED, ["writes into its cache"])
    ('CERTIFIED', 'gradients CERTIFIED; contract broken: writes into its cache')
    """
    return f"gradients {gradients.value}; contract broken: {', '.join(broken)}" if broken else gradients.value


def remarks(report: Report) -> list[Text]:
    """Everything below the table: reasons, the mistake's name, connections, directions, control, notes, the terms."""
    lines = [Text(f"the stages are not connected: {problem}", "bold red") for problem in report.wiring]
    for where, c in broken_contracts(report):
        lines.append(Text(f"contract broken: {where}: {c.name}: {c.detail}", "bold red"))
    for row in report.stages:
        for t in row.isolated.tensors:
            if t.verdict is not Verdict.CERTIFIED:
                lines.append(reason(row, t))
        if row.diagnosis is not None and (row.diagnosis.known or not report.change):
            lines.append(Text(f"{row.name}: {row.diagnosis.words}", "bold"))
    for row in report.stages:
        lines.append(Text(f"{row.name}: smallest detectable error (median / 90 %): {smallest_errors(row)}"))
    if report.contracts:
        checked = [c for stage in report.contracts for c in stage.contracts if c.held is not None]
        lines.append(Text(f"contracts: {sum(c.held is True for c in checked)} of {len(checked)} kept"))
    if report.directions is not None:
        lines.append(directions_line(report.directions))
    if report.control is not None:
        k = report.control
        word = "caught" if k.caught else "NOT CAUGHT, so nothing here can be believed"
        at = f"[{','.join(map(str, k.index))}]" if k.index else ""
        lines.append(Text(f"control: an error of {k.relative:.1e} planted in {k.tensor}{at} of {k.stage} was {word}"))
    lines += [Text(f"note: {note}") for note in report.notes]
    return lines + [Text(line, "dim") for line in legend(report.stages)]


def smallest_errors(row: StageRow) -> str:
    """Every tensor's smallest detectable error, relative to the entry: of half and of nine tenths of its entries."""
    return ", ".join(f"{t.name} {t.floor_median:.0e} / {t.floor_p90:.0e}" for t in row.isolated.tensors)


def directions_line(c: DirectionsReport) -> Text:
    """Test C in one line."""
    if c.verdict is Verdict.UNRESOLVED:
        return Text("directions: inconclusive, there is no finite bound", STYLES[c.verdict])
    text = f"directions: {c.directions - c.outside} of {c.directions} random directions agree with dual numbers, "
    text += f"worst {c.worst_ratio:.2g} of bound; an error beyond the bound is missed with p = {c.miss_probability:.0e}"
    return Text(text, "" if c.verdict is Verdict.CERTIFIED else STYLES[c.verdict])


def broken_contracts(report: Report) -> list[tuple[str, Contract]]:
    """Every contract that was not kept, with its stage."""
    return [(stage.stage, c) for stage in report.contracts for c in stage.contracts if c.held is False]


def reason(row: StageRow, t: TensorReport) -> Text:
    """Why a tensor is not certified, in one line."""
    at = f"[{','.join(map(str, t.index))}]" if t.index else ""
    text = f"{row.name}: {t.name}{at} is {t.hand:.9g}, autograd {t.reference:.9g}: "
    text += f"difference {t.difference:.2g}, rounding bound {t.bound:.2g}"
    text += f"; {t.outside} of {t.entries} entries outside the bound" if t.outside else ""
    return Text(text if not t.reason else f"{row.name}: {t.name}: {t.reason}", STYLES[t.verdict])


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
