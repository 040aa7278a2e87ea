"""How lectures are shown: a line a system, every number of one lecture, the table of mistakes; and a script's main."""

import argparse
import os
import pickle
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from handgrad.arrays.precision import to64
from handgrad.course.lecture import Erratum, Number, System, half_unit, run_erratum, run_system
from handgrad.judge.verdict import Verdict, together
from handgrad.report.columns import GAP, share_width
from handgrad.report.console import report_console, show_progress
from handgrad.report.stage_rows import STYLES

Item = TypeVar("Item")

WIDE = 110  # columns for numbers side by side
NAME = 16  # columns that a name is left, at least
SHOWN, ALL = 3, 64  # entries of one quantity in the table of all systems, and of one lecture


def main(systems: Sequence[Callable[[], System]], plots: Mapping[str, Callable[[Any], None]] | None = None) -> int:
    """A lecture's script: run every system, print its numbers, draw its plots where asked; 0 if all is right."""
    top = argparse.ArgumentParser(description="Run a lecture: its numbers as printed, as ours, as autograd's.")
    if plots:
        top.add_argument("--plots", type=Path, metavar="FOLDER", help="draw into this folder: " + ", ".join(plots))
    args = top.parse_args()
    if plots and args.plots is not None:
        try:
            prepare_folder(args.plots)
        except (ModuleNotFoundError, OSError) as error:
            top.error(f"--plots: {error}")
    console = report_console()
    found = []
    for system in run_all([partial(run_system, run) for run in systems], "running"):
        found.append(system)
        console.print(show(system))
    if plots and args.plots is not None:
        draw(plots, args.plots, console)
    return together(system.verdict for system in found).exit_code


def errata_main(errata: Sequence[Callable[[], Erratum]]) -> int:
    """A script of mistakes in print: every one refuted, with the judge's whole report; 0 if all are."""
    argparse.ArgumentParser(description="A lecture's mistakes in print, each as the judge sees it.").parse_args()
    console = report_console()
    found = []
    for erratum in run_all([partial(run_erratum, run) for run in errata], "judging"):
        found.append(erratum)
        console.print(show_erratum(erratum), str(erratum.finding))
    return together(erratum.verdict for erratum in found).exit_code


def run_all(todo: Sequence[Callable[[], Any]], what: str, processes: int = 1) -> Iterator[Any]:
    """What each of `todo` gives, in their order, with a progress line on a terminal; in so many processes."""
    yield from show_progress(
        run_in_processes(todo, processes) if processes > 1 else (run() for run in todo), what, len(todo)
    )


def run_in_processes(todo: Iterable[Callable[[], Any]], processes: int) -> Iterator[Any]:
    """The same several at a time. Fresh processes: one forked from a process whose torch has threads could hang."""
    with ProcessPoolExecutor(processes, get_context("spawn"), set_up_process) as pool:
        yield from map(pickle.loads, pool.map(run_and_pickle, todo))


def set_up_process() -> None:
    """How a process begins: one thread of its own, and Ctrl-C ends it without a word."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def run_and_pickle(run: Callable[[], Any]) -> bytes:
    """Its result as bytes; tensors would else be handed over as open files, of which there may be too many."""
    return pickle.dumps(run())


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def prepare_folder(folder: Path) -> None:
    """Make the folder. ModuleNotFoundError, with what to install, where matplotlib is absent; OSError for no folder."""
    if find_spec("matplotlib") is None:
        raise ModuleNotFoundError("matplotlib is not installed: pip install 'handgrad[plot]'")
    folder.mkdir(parents=True, exist_ok=True)


def draw(plots: Mapping[str, Callable[[Any], None]], folder: Path, console: Console) -> None:
    """Every plot as folder/name.png."""
    from matplotlib.figure import Figure

    for name, plot in plots.items():
        figure = Figure(figsize=(8, 5), layout="constrained")
        plot(figure.add_subplot())
        figure.savefig(folder / f"{name}.png", dpi=150)
        console.print(f"drew {folder / name}.png")


@dataclass(frozen=True)
class SystemLines:
    """For a rich console, one line a system: with its first numbers where there is room, else whether all agree."""

    systems: Sequence[System]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield table(self.systems) if options.max_width >= WIDE else short_table(self.systems)


def short_table(systems: Sequence[System]) -> Table:
    """One line a system: whether its numbers are those in print, how far they are from autograd's, the verdict."""
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("system", "", "print", "apart", "verdict"):
        grid.add_column(title, overflow="fold", no_wrap=title != "")
    for system in systems:
        name = f"{system.title}: {system.reason}" if system.reason else system.title
        apart = max((n.difference for n in system.numbers), default=0.0)
        grid.add_row(system.id, Text(name), print_of(system), distance_word(apart), verdict_word(system.verdict))
    return grid


def print_of(system: System) -> str:
    """Of all its numbers together: where they differ from the print, which mistake in print that is."""
    known = dict.fromkeys(n.erratum for n in system.numbers if n.erratum)
    return f"see {', '.join(known)}" if known else "agrees" if any(n.printed for n in system.numbers) else "-"


def distance_word(distance: float) -> str:
    return f"{distance:.0e}" if distance else "0"


def table(systems: Sequence[System]) -> Table:
    """One line a system: its first number (the first wrong one) as printed, ours, autograd's; the verdict on all."""
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("system", "", "printed", "ours", "autograd"):
        grid.add_column(title, overflow="fold")
    grid.add_column("verdict", no_wrap=True)
    for system in systems:
        n = system.shown
        shown = (Text(system.raised), Text("-"), Text("-")) if n is None else cells(n)
        name = f"{system.title}: {n.name}" if n is not None and n.wrong else system.title
        grid.add_row(system.id, name, *shown, verdict_word(system.verdict))
    return grid


def summarise(systems: Sequence[System]) -> list[str]:
    """What has been laid beside what, in words."""
    numbers = [n for system in systems for n in system.numbers]
    beside = [n for n in numbers if n.autograd is not None]
    printed = [n for n in numbers if n.printed]
    known = sum(bool(n.erratum) for n in printed)
    agree = sum(bool(n.as_printed) for n in printed)
    reports = [report for system in systems for report in system.reports]
    right = sum(report.verdict is Verdict.CERTIFIED for report in reports)
    lines = [
        f"{sum(n.agrees for n in beside)} of {len(beside)} quantities by hand agree with autograd's, "
        "each within its own limit."
    ]
    if printed:
        other = f"; {known} are known mistakes in print" if known else ""
        lines.append(f"{agree} of {len(printed)} printed ones agree to their last digit{other}.")
    if reports:
        lines.append(f"{right} of {len(reports)} networks and functions that were judged are CERTIFIED.")
    return lines


def systems_line(systems: Sequence[System], what: str) -> Text:
    """The verdict on all of them, and which are not certified, each with its reason."""
    verdict = together(system.verdict for system in systems)
    bad = [system for system in systems if system.verdict is not Verdict.CERTIFIED]
    if not bad:
        return Text.assemble(verdict_word(verdict), f"  {what}")
    reasons = "; ".join(f"{system.id} ({system.reason})" for system in bad)
    return Text.assemble(f"{len(bad)} of {len(systems)} ", verdict_word(verdict), f": {reasons}")


def show(system: System) -> RenderableType:
    """One system with all its numbers, what the judge says of its gradients, and notes."""
    head = Text.assemble(verdict_word(system.verdict), f"  {system.id}  {system.title}")
    if system.raised:
        return Group(head, Padding(Text(system.raised, "bold red"), (0, 0, 0, 2)), "")
    below: list[RenderableType] = [
        Text.assemble(verdict_word(r.verdict), f"  the judge on {r.name or 'the gradients'} ({r.dtype})")
        if r.verdict is Verdict.CERTIFIED
        else r.renderable()
        for r in system.reports
    ]
    below += [Text(f"note: {note}") for note in system.notes]
    return Group(head, *(Padding(part, (0, 0, 0, 2)) for part in (Numbers(system.numbers), *below)), "")


@dataclass(frozen=True)
class Numbers:
    """For a rich console: every number of a system, in a table, or below each other where no number fits."""

    numbers: Sequence[Number]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        titles = ("", "printed", "ours", "autograd", "print", "apart")
        rows = [(n.name, *cells(n, ALL), print_word(n), apart_word(n)) for n in self.numbers]
        columns = [[title, *map(str, texts)] for title, *texts in zip(titles, *rows, strict=True)]
        words = [max(len(word) for text in column for word in ["", *text.split()]) for column in columns]
        least = [min(words[0], NAME), *words[1:]]
        if sum(least) + GAP * (len(least) - 1) > options.max_width:
            for name, *found in rows:
                block = Table.grid(padding=(0, GAP))
                for title, text in zip(titles[1:], found, strict=True):
                    block.add_row(title, text)
                yield from (Text(name), Padding(block, (0, 0, 0, 2)))
            return
        grid = Table(box=None, pad_edge=False, header_style="bold")
        widths = share_width(options.max_width, least, [max(map(len, column)) for column in columns])
        for title, width in zip(titles, widths, strict=True):
            grid.add_column(title, overflow="fold", width=width)
        for name, *found in rows:
            grid.add_row(Text(name), *found)
        yield grid


def errata_line(errata: Sequence[Erratum]) -> str:
    """How many are refuted, and which are not, or are not certified when right."""
    refuted = sum(e.finding.verdict is Verdict.REFUTED for e in errata)
    bad = [
        f"{e.id} (as printed {e.finding.verdict.value}, right {e.right_finding.verdict.value})"
        for e in errata
        if e.verdict is not Verdict.CERTIFIED
    ]
    line = f"{refuted} of {len(errata)} mistakes in print refuted"
    return line + ("; not as it should be: " + ", ".join(bad) if bad else "")


def apart_word(n: Number) -> Text:
    """How far ours is from autograd's; in red where that is too far."""
    return Text("-" if n.autograd is None else distance_word(n.difference), "" if n.agrees else "bold red")


def print_word(n: Number) -> Text:
    """Whether print and ours agree; in capitals where that is not as it should be."""
    if n.as_printed is None:
        return Text("-")
    if n.as_printed is bool(n.erratum):
        return Text("AGREES" if n.as_printed else "DIFFERS", "bold red")
    return Text("agrees" if n.as_printed else f"differs, see {n.erratum}")


def show_erratum(e: Erratum) -> RenderableType:
    """A mistake as printed, what the judge says of it, what is right."""
    says = Text.assemble(refuted_word(e), f": {e.words}")
    below = (Padding(part, (0, 0, 0, 6)) for part in (says, Text(f"right: {e.right}")))
    return Group(Text(f"{e.id}  {e.printed}", "bold"), *below, "")


def refuted_word(e: Erratum) -> Text:
    return Text(e.finding.verdict.value, "green" if e.verdict is Verdict.CERTIFIED else "bold red")


def cells(n: Number, most: int = SHOWN) -> tuple[Text, Text, Text]:
    """Printed, ours, autograd: at most so many entries, ours with as many digits as are printed, else 8."""
    why = f" (see {n.erratum})" if n.erratum else ""
    printed = Text(", ".join(n.printed[:most]) + more(len(n.printed), most) + why if n.printed else "-")
    places = [-half_unit(text).as_tuple().exponent - 1 for text in n.printed]  # type: ignore[operator]
    auto = Text("-") if n.autograd is None else Text(digits(n.autograd, places, most))
    return printed, Text(digits(n.ours, places, most)), auto


def digits(value: Any, places: Sequence[int], most: int) -> str:
    """The first entries of a quantity, each with its number of decimal places (or 8 significant digits)."""
    entries = np.asarray(to64(value)).ravel()
    shown = [f"{v:.{places[i]}f}" if places else f"{v:.8g}" for i, v in enumerate(entries[:most])]
    return ", ".join(shown) + more(entries.size, most)


def more(size: int, most: int) -> str:
    return f", ... ({size})" if size > most else ""


def verdict_word(verdict: Verdict) -> Text:
    return Text(verdict.value, STYLES[verdict])
