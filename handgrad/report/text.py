"""A report as text. Of what is wrong: the sentence, the place, the change, the numbers. Of what is right: five lines.

The rest (how it was judged, every stage, the smallest detectable errors, what holds) is left out unless asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.padding import Padding
from rich.text import Text

from handgrad.judge.compare import ABSENT, TensorReport, index_words
from handgrad.judge.note import HowJudged
from handgrad.judge.promises import Contract
from handgrad.judge.verdict import Verdict
from handgrad.report.certified import certified_lines
from handgrad.report.code_lines import CodeLines, place_word
from handgrad.report.sentence import listed, say_what_is_wrong, what_is_judged
from handgrad.report.stage_rows import STYLES, StageRow, Stages, legend

if TYPE_CHECKING:
    from handgrad.report.report import DirectionsReport, Report

WIDEST = 100  # columns from the verdict to the place in the first line
MOST = 4  # lines of numbers
LEAST = 30  # columns of the verdict and the name
NOTHING = "backward returned nothing but None: has it no return statement?"
MORE, MORE_BY_COMMAND = "report.text(verbose=True); as a page: report.to_html()", "-v"


@dataclass(frozen=True)
class ReportText:
    """For a rich console. where: the file and line of what a command judged; of the mistake, where that is known."""

    report: Report
    verbose: bool = False
    where: str = ""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        r, brief = self.report, not self.verbose
        where = place_word(r.place, r.name) if r.place else self.where
        short = r.verdict is Verdict.CERTIFIED and brief
        yield TwoSides(first_words(r), where) if where else headline(r, options.max_width if short else 0)
        parts: list[RenderableType]
        if short:
            *lines, last = certified_lines(r, options.max_width - 2, MORE_BY_COMMAND if where else MORE)
            parts = [*lines, Text(f"{circumstances(r)}; {last}" if where else last, "dim")]
        else:
            parts = [*wrong_lines(r), *code(r), *numbers(r, brief=brief), *rest(r, brief=brief)]
            parts += [Text(circumstances(r), "dim")] if where else []
        yield from (part if part == "" else Padding(part, (0, 0, 0, 2)) for part in parts)


def headline(report: Report, width: int = 0) -> Text:
    """The verdict, what it is about, and where it was judged. width: the name is cut so that they go into it."""
    where, head = f"  ({circumstances(report)})", first_words(report)
    if width and len(head) + len(where) > width:
        head.truncate(max(width - len(where), LEAST), overflow="ellipsis")
    return head.append(where)


def first_words(report: Report) -> Text:
    verdict = two_verdicts(report.gradients, report.broken)
    return Text.assemble((verdict, STYLES[report.verdict]), f"  {what_is_judged(report)}")


def circumstances(report: Report) -> str:
    """Precision, library, device and seed."""
    words = f"{report.dtype}, {report.library} on {report.device}, seed {report.seed}"
    if report.slack != 1:
        words += f"; slack {report.slack:g}: bounds and smallest detectable errors are so many times as large"
    return words


@dataclass(frozen=True)
class TwoSides:
    """For a rich console: the second part at the right end of the last line, or below it where there is no room."""

    left: Text
    right: str

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        *lines, last = self.left.wrap(console, options.max_width)
        yield from lines
        blanks = min(options.max_width, WIDEST) - len(last) - len(self.right)
        if blanks < 2:
            yield from (last, Text(f"  {self.right}", "bold"))
        else:
            yield last.append(" " * blanks).append(self.right, "bold")


def two_verdicts(gradients: Verdict, broken: Sequence[str]) -> str:
    """Of several broken contracts the first: every one has a line of its own below.

    >>> two_verdicts(Verdict.CERTIFIED, ()), two_verdicts(Verdict.CERTIFIED, ["writes into its cache", "is random"])
    ('CERTIFIED', 'gradients CERTIFIED; contract broken: writes into its cache')
    """
    return f"gradients {gradients.value}; contract broken: {broken[0]}" if broken else gradients.value


def wrong_lines(report: Report) -> Iterator[Text]:
    """What is wrong, in words."""
    if sentence := say_what_is_wrong(report):
        yield Text(sentence, "bold")
    for problem in report.wiring:
        yield Text(f"the stages are not connected: {problem}", "bold red")
    for where, c in broken_contracts(report):
        yield Text(f"contract broken: {f'{where}: ' * report.chain}{c.name}: {c.detail}", "bold red")


def code(report: Report) -> Iterator[RenderableType]:
    """The line and the change, between empty lines."""
    if report.place is not None:
        stage = report.culprit.name if report.chain and report.culprit else ""
        yield from ("", CodeLines(report.change, report.suspect, stage), "")


def numbers(report: Report, *, brief: bool) -> Iterator[RenderableType]:
    """Every stage, then the worst entry of each result that is not certified, and the name of the mistake."""
    if shows_stages(report, brief=brief):
        yield Stages(report.stages)
    told: Callable[[StageRow], str] = partial(before, report) if brief else lambda row: f"{row.name}: "
    rows = told_rows(report) if brief else report.stages
    shown = report.suspect.breaks if report.suspect else ""  # under its line
    wrong = [(row, t) for row in rows for t in not_certified(row) if not (shown and shown in t.reason)]
    for row, t in wrong[:MOST] if brief else wrong:
        words = reason(t) if shows_stages(report, brief=brief) else worst_entry(t)
        yield Text(f"{told(row)}{words}", STYLES[t.verdict])
    if brief and len(wrong) > MOST:
        yield Text(f"and {len(wrong) - MOST} more: {', '.join(dict.fromkeys(t.name for _, t in wrong[MOST:]))}")
    if others := [row.called for row in report.stages if row not in rows and is_wrong(row)]:
        more = f" and {len(others) - MOST} more" if len(others) > MOST else ""
        yield Text(f"wrong as well at {', '.join(others[:MOST])}{more}")
    for row in rows:
        if row.diagnosis is not None and not (brief and (report.change or says_nothing_new(row))):
            yield Text(f"{told(row)}{row.diagnosis.words}", "bold")


def not_certified(row: StageRow) -> Iterator[TensorReport]:
    """The tensors; of several with one reason the first, under the names of all."""
    wrong = [t for t in row.isolated.tensors if t.verdict is not Verdict.CERTIFIED]
    for t in wrong:
        alike = [u.name for u in wrong if t.reason and u.reason == t.reason]
        if not alike or alike[0] == t.name:
            yield replace(t, name=listed(alike)) if len(alike) > 1 else t


def told_rows(report: Report) -> Sequence[StageRow]:
    """Of a function that is wrong the one set of inputs that tells most: the others say the same once more."""
    return report.stages if report.chain or report.culprit is None else [report.culprit]


def is_wrong(row: StageRow) -> bool:
    return row.isolated.verdict is Verdict.REFUTED


def shows_stages(report: Report, *, brief: bool) -> bool:
    """Whether every stage is listed: in brief of a network alone, as long as it is not known what to change."""
    return bool(report.stages) and (not brief or (report.chain and report.change is None))


def says_nothing_new(row: StageRow) -> bool:
    """Whether it is of results whose reason says it already: another shape of what has no name, or none at all."""
    wrong = [t for t in row.isolated.tensors if t.verdict is Verdict.REFUTED]
    unnamed = row.diagnosis is not None and not row.diagnosis.known
    return all(t.reason if unnamed else t.reason in (ABSENT, NOTHING) for t in wrong)


def before(report: Report, row: StageRow) -> str:
    """Which stage, or which inputs, is told of; of a function's first inputs, or where a sentence says it, no need."""
    said = not report.chain and (row is report.stages[0] or (row is report.culprit and bool(report.sentence)))
    return "" if said else f"{row.name if report.chain else row.called}: "


def rest(report: Report, *, brief: bool) -> Iterator[Text]:
    """How small an error would have been seen, contracts, directions, the planted error, notes, the terms."""
    along, control = report.directions, report.control
    if not brief:
        for row in report.stages:
            yield Text(f"{row.name}: smallest detectable error (median / 90 %): {smallest_errors(row)}")
        if report.contracts:
            checked = [c for stage in report.contracts for c in stage.contracts if c.held is not None]
            yield Text(f"contracts: {sum(c.held is True for c in checked)} of {len(checked)} kept")
    if along is not None and not (brief and (report.change or along.verdict is Verdict.CERTIFIED)):
        yield directions_line(along)
    if control is not None and not (brief and control.caught):
        word = "caught" if control.caught else "NOT CAUGHT, so nothing here can be believed"
        at = f"{control.tensor}{index_words(control.index)} of {control.stage}"
        yield Text(f"control: an error of {control.relative:.1e} planted in {at} was {word}")
    for note in report.notes:
        if not (brief and isinstance(note, HowJudged)):
            yield Text(f"note: {note}")
    if shows_stages(report, brief=brief):
        yield from (Text(line, "dim") for line in legend(report.stages))


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


def reason(t: TensorReport) -> str:
    """Why a tensor is not certified, in one line."""
    text = "{}{} is {}, autograd {}: ".format(t.name, index_words(t.index), *told_apart(t.hand, t.reference, 9))
    text += f"difference {t.difference:.2g}, rounding bound {t.bound:.2g}"
    text += f"; {t.outside} of {t.entries} entries outside the bound" if t.outside else ""
    return text if not t.reason else f"{t.name}: {t.reason}"


def worst_entry(t: TensorReport) -> str:
    """The same in few words; behind the reference's value what rounding can do to it."""
    if t.reason:
        return t.reason if t.reason.startswith(t.name) else f"{t.name}: {t.reason}"
    hand, autograd = told_apart(t.hand, t.reference, 7)
    text = f"{t.name}{index_words(t.index)} is {hand}, autograd {autograd} ± {t.bound:.0e}"
    return f"{text}; {t.outside} of {t.entries} entries are wrong" if t.outside else text


def told_apart(one: float, other: float, digits: int) -> tuple[str, str]:
    """Two numbers with so many digits, or with as many as show that they are not the same.

    >>> told_apart(0.2160513999, 0.2160514, 4), told_apart(1.5, 2.5, 4)
    (('0.2160513999', '0.2160514'), ('1.5', '2.5'))
    """
    words = [(f"{one:.{n}g}", f"{other:.{n}g}") for n in range(digits, 18)]  # with 17, no two numbers read alike
    return next((pair for pair in words if pair[0] != pair[1]), words[0])
