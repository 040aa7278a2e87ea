"""`handgrad lectures`: the systems of the five lectures with their numbers, and their mistakes in print refuted."""

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from itertools import accumulate
from typing import Any

from rich.console import Console
from rich.text import Text

from handgrad.commands.arguments import add_html, add_json, check_written
from handgrad.course.lecture import Erratum, System, run_erratum, run_system
from handgrad.course.page import show_errata, show_systems
from handgrad.course.text import SystemLines, cores, errata_line, run_all, show, show_erratum, summarise, systems_line
from handgrad.html.page import Shown
from handgrad.judge.verdict import together
from handgrad.report.console import report_console, write_json, write_page
from handgrad.report.versions import list_versions

LECTURES = ("lee", "ando_ki", "banerjee", "eum", "selker")
WORKED = ("mazur", "scikit_learn")  # hand-worked examples published with wrong digits
NAMES = (*LECTURES, *WORKED)
MOST = 4  # processes, which all load torch


def add_parser(commands: Any) -> None:
    """Add `lectures` to the command line."""
    lectures = commands.add_parser(
        "lectures",
        help="run the five lectures: numbers as printed, ours, autograd's; their mistakes refuted",
        description="Run the systems of five lectures on backpropagation and lay their printed numbers beside ours and "
        "autograd's. With a name: every number of that lecture alone.",
    )
    lectures.add_argument("name", nargs="?", choices=NAMES, metavar="NAME", help=f"one of {', '.join(NAMES)}")
    lectures.add_argument("--errata", action="store_true", help="the formulas that are wrong in print, as judged")
    add_json(lectures)
    add_html(lectures)
    lectures.set_defaults(run=run, parser=lectures)


def run(args: argparse.Namespace) -> int:
    """`handgrad lectures [NAME] [--errata] [--json FILE] [--html FILE]`."""
    console = report_console()
    names = NAMES if args.name is None else (args.name,)
    if args.errata and args.name in WORKED:
        args.parser.error(
            f"--errata: {args.name} has no list of mistakes; its wrong digits: handgrad lectures {args.name}"
        )
    check_written(args)
    if args.errata:
        errata_found = mistakes(names, console)
        return write(args, "mistakes", errata_found, lambda: show_errata(errata_found))
    found = systems(names, console)
    return write(args, "systems", found, lambda: show_systems(found))


def write(args: argparse.Namespace, key: str, found: Sequence[Any], show_page: Callable[[], Shown]) -> int:
    """The files that were asked for; the exit code."""
    verdict = together(one.verdict for one in found)
    if args.json is not None:
        whole = {"verdict": verdict.value, "versions": list_versions(), key: [one.to_dict() for one in found]}
        write_json(args.json, whole)
    if args.html is not None:
        write_page(args.html, show_page())
    return verdict.exit_code


def systems(names: Sequence[str], console: Console) -> list[System]:
    """Run and print them as they come: of several lectures a line each, a lecture at a time; of one every number."""
    todo = {name: script(name).SYSTEMS for name in names}
    runs = [partial(run_system, run) for name in names for run in todo[name]]
    # Of one lecture in this process, which begins at once; loading torch in each other takes seconds.
    found: list[System] = []
    ends = dict(zip(accumulate(len(todo[name]) for name in names), names, strict=True))
    for system in run_all(runs, "running", 1 if len(names) == 1 else min(cores(), MOST)):
        found.append(system)
        if len(names) == 1:
            console.print(show(system))
        elif name := ends.get(len(found)):
            title = f"{name}, worked by hand elsewhere" if name in WORKED else name
            console.print(Text(title, "bold"), SystemLines(found[-len(todo[name]) :]), "", sep="\n")
    worked = sum(len(todo[name]) for name in names if name in WORKED)
    count = len(found) - worked
    parts = [f"{count} systems of the lectures"] * (count > 0) + [f"{worked} worked examples"] * (worked > 0)
    console.print(*summarise(found), systems_line(found, ", ".join(parts)), sep="\n")
    return found


def mistakes(names: Sequence[str], console: Console) -> list[Erratum]:
    """Judge and print them, each when it is judged."""
    todo = [partial(run_erratum, run) for name in names for run in errata(name)]
    found: list[Erratum] = []
    for erratum in run_all(todo, "judging"):
        found.append(erratum)
        console.print(show_erratum(erratum))
    console.print(errata_line(found))
    return found


def script(name: str) -> Any:
    """The lecture's script as a module."""
    return import_module(f"handgrad.lectures.{name}")


def errata(name: str) -> tuple[Callable[[], Erratum], ...]:
    """The lecture's mistakes in print; a worked example has none but its digits."""
    if name in WORKED:
        return ()
    found: tuple[Callable[[], Erratum], ...] = import_module(f"handgrad.lectures.{name}_errata").ERRATA
    return found
