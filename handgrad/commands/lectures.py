"""`handgrad lectures`: the systems of the five lectures with their numbers, and their mistakes in print refuted."""

import argparse
from collections.abc import Callable
from importlib import import_module
from typing import Any

from handgrad.console import wide_console
from handgrad.lecture import Erratum, System
from handgrad.lecture_text import errata_table, run_all, show, table, verdict_word
from handgrad.verdict import together

LECTURES = ("lee", "ando_ki", "banerjee", "eum", "selker")
WORKED = ("mazur", "scikit_learn")  # hand-worked examples published with wrong digits
NAMES = (*LECTURES, *WORKED)


def add(commands: Any) -> None:
    """Add `lectures` to the command line."""
    lectures = commands.add_parser(
        "lectures",
        help="run the five lectures: numbers as printed, ours, autograd's; their mistakes refuted",
        description="Run the systems of five lectures on backpropagation and lay their printed numbers beside ours and "
        "autograd's. With a name: every number of that lecture alone.",
    )
    lectures.add_argument("name", nargs="?", choices=NAMES, metavar="NAME", help=f"one of {', '.join(NAMES)}")
    lectures.add_argument("--errata", action="store_true", help="the formulas that are wrong in print, as judged")
    lectures.set_defaults(run=run, parser=lectures)


def run(args: argparse.Namespace) -> int:
    """`handgrad lectures [NAME] [--errata]`."""
    console = wide_console()
    names = NAMES if args.name is None else (args.name,)
    if args.errata and args.name in WORKED:
        args.parser.error(
            f"--errata: {args.name} has no list of mistakes; its wrong digits: handgrad lectures {args.name}"
        )
    if args.errata:
        mistakes: list[Erratum] = run_all([run for name in names for run in errata(name)], "judging")
        console.print(errata_table(mistakes))
        verdict = together(e.verdict for e in mistakes)
        refuted = sum(e.finding.verdict.value == "REFUTED" for e in mistakes)
        console.print(f"{refuted} of {len(mistakes)} mistakes in print refuted")
        return verdict.exit_code
    todo = {name: script(name).SYSTEMS for name in names}
    systems: list[System] = run_all([run for name in names for run in todo[name]], "running")
    count = sum(len(todo[name]) for name in names if name in LECTURES)  # the worked examples come after them
    if args.name is not None:
        console.print(*(show(system) for system in systems))
    else:
        console.print(table(systems[:count]), "\nworked by hand elsewhere", table(systems[count:]), "")
    verdict = together(system.verdict for system in systems)
    console.print(verdict_word(verdict), f"{count} systems of the lectures, {len(systems) - count} worked examples")
    return verdict.exit_code


def script(name: str) -> Any:
    """The lecture's script as a module."""
    return import_module(f"handgrad.lectures.{name}")


def errata(name: str) -> tuple[Callable[[], Erratum], ...]:
    """The lecture's mistakes in print; a worked example has none but its digits."""
    if name in WORKED:
        return ()
    found: tuple[Callable[[], Erratum], ...] = import_module(f"handgrad.lectures.{name}_errata").ERRATA
    return found
