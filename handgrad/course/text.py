"""How lectures are shown: a line a system, every number of one lecture, the table of mistakes; and a script's main."""

import argparse
import os
import pickle
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from handgrad.arrays.precision import to64
from handgrad.course.lecture import Erratum, Number, System, half_unit, run_erratum, run_system
from handgrad.judge.verdict import Verdict, together
from handgrad.report.console import show_progress, wide_console
from handgrad.report.stage_rows import STYLES

Item = TypeVar("Item")

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
    console = wide_console()
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
    console = wide_console()
    found = []
    for erratum in run_all([partial(run_erratum, run) for run in errata], "judging"):
        found.append(erratum)
        console.print(errata_table([erratum]), str(erratum.finding))
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
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("", "printed", "ours", "autograd", "print", "difference"):
        grid.add_column(title, overflow="fold")
    for n in system.numbers:
        difference = "-" if n.autograd is None else f"{n.difference:.0e}" if n.difference else "0"
        grid.add_row(n.name, *cells(n, ALL), print_word(n), Text(difference, "" if n.agrees else "bold red"))
    below: list[RenderableType] = [
        Text.assemble(verdict_word(r.verdict), f"  the judge on {r.name or 'the gradients'} ({r.dtype})")
        if r.verdict is Verdict.CERTIFIED
        else r.renderable()
        for r in system.reports
    ]
    below += [Text(f"note: {note}") for note in system.notes]
    return Group(head, *(Padding(part, (0, 0, 0, 2)) for part in (grid, *below)), "")


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


def print_word(n: Number) -> Text:
    """Whether print and ours agree; in capitals where that is not as it should be."""
    if n.as_printed is None:
        return Text("-")
    if n.as_printed is bool(n.erratum):
        return Text("AGREES" if n.as_printed else "DIFFERS", "bold red")
    return Text("agrees" if n.as_printed else f"differs, see {n.erratum}")


def errata_table(errata: Sequence[Erratum]) -> Table:
    """One line a mistake: as printed, what the judge says, what is right."""
    grid = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 1, 0))
    for title in ("lecture", "as printed", "the judge", "says", "what is right"):
        grid.add_column(title, overflow="fold", no_wrap=title == "lecture")
    for e in errata:
        refuted = Text(e.finding.verdict.value, "green" if e.verdict is Verdict.CERTIFIED else "bold red")
        grid.add_row(e.id, Text(e.printed), refuted, Text(e.words), Text(e.right))
    return grid


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
