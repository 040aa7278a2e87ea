"""`handgrad check FILE`: every backward pass that a Python file has, judged."""

import argparse
import time
from functools import partial
from pathlib import Path
from typing import Any

from handgrad.commands.arguments import add_html, add_json, add_mend, check_mend, check_seed, check_slack, check_written
from handgrad.commands.judge_file import add_inputs, check_file, judge_file
from handgrad.judge.verdict import together
from handgrad.report.console import print_lines, report_console
from handgrad.subjects.file.judge import Options
from handgrad.subjects.file.pairs import LOOKED_FOR
from handgrad.subjects.file.patch import write_patch
from handgrad.subjects.file.text import show
from handgrad.subjects.function.arguments import DTYPES

PAUSE = 0.2  # seconds between two looks at the file


def add_parser(commands: Any) -> None:
    """Add `check` to the command line."""
    command = commands.add_parser(
        "check",
        help="find and judge every backward pass of a Python file",
        description=f"Import FILE and judge every backward pass in it: {LOOKED_FOR}. Inputs are drawn from type hints "
        "with shapes (Float[Array, 'n d'], or 'n d' alone), from words such as x: (N, D) in docstrings and comments, "
        "or from --inputs. A torch function name_reference of the file is what the forward pass should equal.",
    )
    command.add_argument("file", type=Path, metavar="FILE", help="a Python file; it is imported, so its code runs")
    add_inputs(command)
    command.add_argument("--watch", action="store_true", help="judge again whenever FILE is saved, until Ctrl-C")
    command.add_argument("--diff", action="store_true",
                         help="print the changes found as one patch for git apply, all else to stderr")  # fmt: skip
    command.add_argument("-v", "--verbose", action="store_true", help="of every function all that was found")
    add_mend(command)
    command.add_argument("--dtype", choices=DTYPES, metavar="NAME", help=f"{', '.join(DTYPES)} (float64)")
    command.add_argument("--seed", type=int, help="of inputs and upstream gradients; a fresh one if not given")
    command.add_argument("--slack", type=float, default=1.0, metavar="X",
                         help="multiply every bound, and so the smallest detectable error, by X (1)")  # fmt: skip
    add_json(command)
    add_html(command)
    command.set_defaults(run=run, parser=command)


def run(args: argparse.Namespace) -> int:
    """`handgrad check FILE`."""
    check_slack(args)
    check_written(args)
    check_seed(args)
    check_file(args)
    check_mend(args)
    if args.watch and args.diff:
        args.parser.error("--watch goes on until Ctrl-C, so --diff never has a whole patch; leave one of them out")
    return watch(args) if args.watch else check(args)


def check(args: argparse.Namespace) -> int:
    """Judge the file as it is now."""
    options = Options(args.asked, check_seed(args), args.dtype, args.slack, args.mend)
    found = judge_file(args, report_console(stderr=args.diff), options, partial(show, verbose=args.verbose))
    if found is None:
        return 2
    if args.diff:
        print(write_patch(judged.change for judged in found if judged.change is not None), end="")
    return together(judged.verdict for judged in found).exit_code


def watch(args: argparse.Namespace) -> int:
    """Judge the file now and after every change, under a rule with the time; Ctrl-C ends it with the last exit code."""
    code, seen = 2, None
    console = report_console()
    try:
        while True:
            now = modified(args.file)
            if now is not None and now != seen:
                console.rule(time.strftime("%H:%M:%S"), align="left", characters="-")
                code, seen = check_again(args), now
                print_lines(console, f"watching {args.file}; Ctrl-C ends it")
                console.file.flush()
            time.sleep(PAUSE)
    except KeyboardInterrupt:
        return code


def check_again(args: argparse.Namespace) -> int:
    """An argument that fits no longer is told as any other time, and does not end the watch."""
    try:
        return check(args)
    except SystemExit:
        return 2


def modified(path: Path) -> tuple[int, int] | None:
    """When the file was saved last, and its size, for two saves can be one tick of the clock; None while it is away."""
    try:
        now = path.stat()
    except OSError:  # an editor replaces it
        return None
    return now.st_mtime_ns, now.st_size
