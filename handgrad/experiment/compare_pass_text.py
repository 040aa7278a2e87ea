"""One pass twice, as an object, as text and as JSON: where the two sides differ, by how much, and why."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from handgrad.experiment.pages import show_comparison
from handgrad.html.page import Paged, Shown
from handgrad.judge.compare import index_words
from handgrad.judge.verdict import Verdict
from handgrad.report.certified import proved
from handgrad.report.console import WIDTH, render
from handgrad.report.report import Report
from handgrad.report.sentence import listed
from handgrad.report.text import circumstances, first_words

WIDE = 100  # columns for all numbers of a pass in float64


class Status(StrEnum):
    """What the difference between the two sides is, of one tensor."""

    EXACT = "exact"  # none: every bit of every entry is the same
    ROUNDING = "rounding"
    NOT_JUDGED = "not judged"
    WRONG = "wrong"
    INHERITED = "inherited"


STYLES = {Status.EXACT: "green", Status.NOT_JUDGED: "yellow", Status.WRONG: "bold red", Status.INHERITED: "magenta"}
MEANINGS = {
    Status.INHERITED: "inherited: computed from a tensor that is wrong.",
    Status.NOT_JUDGED: "not judged: the judge could not certify it, so the difference may be more than rounding.",
}
LEGEND = "worst at: the entry furthest apart; ulps: its difference in units in the last place of autograd's value"
OF_SUMS = {
    "lanes": "lanes: every k-th product first, then the lanes",
    "fused": "fused: a b + c rounded once",
}


@dataclass(frozen=True)
class Line:
    """One tensor of the pass, at the entry where both sides are furthest apart."""

    name: str
    shape: tuple[int, ...]
    index: tuple[int, ...]
    hand: float
    autograd: float
    ulps: float  # their distance in units in the last place of autograd's value
    status: Status
    why: tuple[str, ...] = ()  # the reasons for rounding, at that entry

    @property
    def reason(self) -> str:
        """All of them, in words."""
        return "; and ".join(self.why)


@dataclass(frozen=True)
class Comparison(Paged):
    """Every tensor of a pass, forward and then backward, and the judge's report on it."""

    lines: tuple[Line, ...]
    report: Report

    @property
    def verdict(self) -> Verdict:
        return self.report.verdict

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries and lists, the whole report among them."""
        lines = [asdict(line) | {"why": line.reason} for line in self.lines]
        return {"verdict": self.verdict.value, "lines": lines, "report": self.report.to_dict()}

    def shown(self) -> Shown:
        """What its page says."""
        return show_comparison(self)

    def renderable(self, *, verbose: bool = False) -> RenderableType:
        """For a rich console: what was found in words, one line a tensor, why they differ; the judge's report if
        something is wrong, or verbose."""
        asked = verbose or self.verdict is not Verdict.CERTIFIED
        judged = [self.report.renderable(verbose=verbose)] if asked else []
        words = [Text(line) for line in summarise(self)]
        below = [Text(line, "dim") for line in terms(self)]
        where = Text(circumstances(self.report), "dim")
        return Group(first_words(self.report), *words, "", Tensors(self), "", *reasons(self), *below, where, *judged)

    def __str__(self) -> str:
        return render(self.renderable(), color=False, width=WIDTH)


def summarise(found: Comparison) -> Iterator[str]:
    """In words: how many tensors are the same, where the others are furthest apart, how small an error is seen."""
    same = sum(line.status is Status.EXACT for line in found.lines)
    rest = "; rounding explains the others" if found.verdict is Verdict.CERTIFIED else ""
    yield f"Equal to the last bit: {same} of {len(found.lines)} tensors{rest}."
    if same < len(found.lines):
        far = max((line for line in found.lines if line.status is not Status.EXACT), key=lambda line: line.ulps)
        ulps = f"{far.ulps:.3g} units in the last place (ulps)"
        yield f"Furthest apart: {far.name}{index_words(far.index)}, by {ulps}."
    if found.verdict is Verdict.CERTIFIED:
        yield proved(found.report)


@dataclass(frozen=True)
class Tensors:
    """For a rich console: one line a tensor; autograd's value where there is room, else the difference alone."""

    found: Comparison

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        digits = 9 if self.found.report.dtype == "float32" else 17
        wide = options.max_width >= WIDE
        columns = {"by hand": True, "autograd": wide or digits == 9, "difference": wide or digits > 9}
        shown = [title for title, room in columns.items() if room]
        grid = Table(box=None, pad_edge=False, header_style="bold")
        for title in ("tensor", "shape", "worst at", *shown, "ulps"):
            left = title in ("tensor", "shape", "worst at")
            grid.add_column(title, justify="left" if left else "right", overflow="fold")
        grid.add_column("")
        for line in self.found.lines:
            shape, index = "x".join(map(str, line.shape)) or "scalar", ",".join(map(str, line.index)) or "-"
            values = {
                "by hand": f"{line.hand:.{digits}g}",
                "autograd": f"{line.autograd:.{digits}g}",
                "difference": f"{abs(line.hand - line.autograd):.1g}",
            }
            word = Text(line.status, STYLES.get(line.status, ""))
            grid.add_row(line.name, shape, index, *(values[title] for title in shown), f"{line.ulps:.3g}", word)
        yield grid


def reasons(found: Comparison) -> Iterator[str]:
    """Each reason why last digits differ, with the tensors at whose worst entry it is found."""
    names: dict[str, list[str]] = {}
    for line in found.lines:
        for reason in line.why:
            names.setdefault(reason, []).append(line.name)
    yield from (f"{listed(some)}: {reason}" for reason, some in names.items())


def terms(found: Comparison) -> Iterator[str]:
    """The words that the table and the reasons use, explained."""
    statuses, why = {line.status for line in found.lines}, " ".join(line.reason for line in found.lines)
    yield LEGEND
    yield from (meaning for word, meaning in OF_SUMS.items() if word in why)
    yield from (meaning for status, meaning in MEANINGS.items() if status in statuses)
