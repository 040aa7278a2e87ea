"""One stage in a report, and how stages are shown: a table where it fits, three lines a stage where it does not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from handgrad.explain.diagnosis import Diagnosis
from handgrad.judge.compare import StageReport, TensorReport
from handgrad.judge.verdict import Verdict
from handgrad.report.entries import Entries

STYLES = {Verdict.CERTIFIED: "green", Verdict.REFUTED: "bold red", Verdict.UNRESOLVED: "yellow"}
WIDE = 129  # columns; a narrower table would cut numbers short


class Status(StrEnum):
    """What one tensor of the whole pass is, beside the verdict on its stage alone."""

    OK = "ok"
    WRONG = "WRONG"  # by its own stage
    INHERITED = "inherited"  # from a wrong stage before it in the pass
    DRIFT = "drift"  # every stage is certified, the whole pass is further off than its rounding adds up to


MEANINGS = {
    Status.INHERITED: "inherited: the error comes from another stage, which is wrong; this one is not to blame",
    Status.DRIFT: "drift: every stage alone is right, but their roundings add up to more than they usually do",
}


@dataclass(frozen=True)
class Chained:
    """One tensor of the whole pass, fed our own upstream gradients, against the reference's whole pass."""

    name: str
    status: Status
    difference: float
    sigmas: float  # difference in standard deviations of the pass's rounding

    @property
    def agrees(self) -> bool:
        return self.status is Status.OK


@dataclass(frozen=True)
class StageRow:
    """One stage: fed the reference's upstream gradient (isolated) and our own (chained).

    entries: of its tensors, for pictures; tags: of their equations in `docs/derivations.md`, where the stage has some.
    raised: which pass raised what, in a few words ("backward raises ValueError"), where that is why there is no number.
    inputs: of a function, what its inputs are called in a sentence ("inputs with ties"), where that is another name.
    """

    name: str
    isolated: StageReport
    chained: tuple[Chained, ...] = ()
    diagnosis: Diagnosis | None = None
    entries: Mapping[str, Entries] = field(default_factory=dict, repr=False, compare=False)
    tags: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    raised: str = ""
    inputs: str = ""

    @property
    def called(self) -> str:
        """The inputs in a sentence."""
        return self.inputs or self.name


@dataclass(frozen=True)
class Stages:
    """For a rich console: every stage with its worst tensor, or one that fails. runs: which run each line is from."""

    rows: Sequence[StageRow]
    runs: Sequence[str] = ()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if options.max_width >= WIDE:
            yield stage_table(self.rows, self.runs)
            return
        for i, row in enumerate(self.rows):
            yield from three_lines(row, *self.runs[i : i + 1])


def stage_table(rows: Sequence[StageRow], runs: Sequence[str]) -> Table:
    """One line a stage."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("stage", "tensor", "shape", "worst at", "hand", "autograd", "difference", "of bound", "detects from"):
        left = title in ("stage", "tensor", "shape", "worst at")
        table.add_column(title, justify="left" if left else "right", no_wrap=True)
    for title in ("isolated", "chained", *(["worst in"] if runs else [])):
        table.add_column(title, no_wrap=True, min_width=len(title) + 1)
    for i, row in enumerate(rows):
        t = row.isolated.worst
        table.add_row(
            row.name,
            t.name,
            shape_word(t),
            index_word(t),
            f"{t.hand:.8g}",
            f"{t.reference:.8g}",
            f"{t.difference:.2g}",
            f"{t.ratio:.2g}",
            f"{t.floor_median:.0e}",
            isolated_word(t),
            chained_word(row.chained),
            *runs[i : i + 1],
        )
    return table


def three_lines(row: StageRow, run: str = "") -> list[Text]:
    """The same content below each other."""
    t = row.isolated.worst
    first = Text.assemble(
        f"{row.name:<24}  {t.name} ({shape_word(t)})  ", isolated_word(t), ", chained ", chained_word(row.chained)
    )
    second = f"  at {index_word(t)}: {t.hand:.8g}, autograd {t.reference:.8g}, difference {t.difference:.2g}"
    third = f"  {t.ratio:.2g} of bound, detects from {t.floor_median:.0e}" + (f" ({run})" if run else "")
    return [first, Text(second), Text(third)]


def shape_word(t: TensorReport) -> str:
    return "x".join(map(str, t.shape)) or ("scalar" if t.entries else "-")


def index_word(t: TensorReport) -> str:
    return ",".join(map(str, t.index)) or "-"


def isolated_word(t: TensorReport) -> Text:
    """The verdict on the stage by itself."""
    return Text({"CERTIFIED": "ok", "REFUTED": "WRONG"}.get(t.verdict.value, "unresolved"), STYLES[t.verdict])


def chained_word(chained: Sequence[Chained]) -> Text:
    """The worst status of the stage's tensors in the chained pass."""
    for status, style in ((Status.WRONG, "bold red"), (Status.INHERITED, "magenta"), (Status.DRIFT, "yellow")):
        if any(t.status is status for t in chained):
            return Text(status, style)
    return Text("ok", "green") if chained else Text("-")


def legend(rows: Sequence[StageRow]) -> list[str]:
    """The terms that the stages above use, explained."""
    if not rows:
        return []
    lines = ["detects from: the smallest relative error that would surely be detected in half of the tensor's entries"]
    found = {t.status for row in rows for t in row.chained}
    if found:
        lines.append(
            "isolated: the stage alone, given autograd's upstream gradient; chained: the same stage in the whole pass, "
            "given what the hand-derived stages before it computed"
        )
    return lines + [meaning for status, meaning in MEANINGS.items() if status in found]
