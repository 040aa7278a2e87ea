"""`handgrad check FILE`: every backward pass that a Python file has, judged."""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from handgrad.commands.arguments import add_json, add_mend, check_json, check_mend, check_seed, check_slack
from handgrad.judge.verdict import together
from handgrad.report.console import print_lines, wide_console, write_json
from handgrad.subjects.file.asked import GRAMMAR, read_inputs
from handgrad.subjects.file.inputs import argument_names
from handgrad.subjects.file.judge import Judged, Options, judge_pair
from handgrad.subjects.file.load import CannotLoad, load
from handgrad.subjects.file.pairs import LOOKED_FOR, Pair, find_pairs, list_lonely
from handgrad.subjects.file.patch import join_changes
from handgrad.subjects.file.text import as_dict, conclude, show
from handgrad.subjects.function.arguments import DTYPES

PAUSE = 0.2  # seconds between two looks at the file


def add_parser(commands: Any) -> None:
    """Add `check` to the command line."""
    command = commands.add_parser(
        "check",
        help="find and judge every backward pass of a Python file",
        description=f"Import FILE and judge every backward pass in it: {LOOKED_FOR}. Inputs are drawn from type hints "
        "with shapes (Float[Array, 'n d'], or 'n d' alone) or from --inputs. A torch function name_reference of the "
        "file is what the forward pass should equal.",
    )
    command.add_argument("file", type=Path, metavar="FILE", help="a Python file; it is imported, so its code runs")
    command.add_argument("--inputs", nargs="+", action="extend", default=[], metavar="NAME=SHAPE",
                         help=f"of arguments without a type hint: {GRAMMAR}; of one function: f.x=4x3")  # fmt: skip
    command.add_argument("--watch", action="store_true", help="judge again whenever FILE is saved, until Ctrl-C")
    command.add_argument("--diff", action="store_true",
                         help="print the changes found as one patch for git apply, all else to stderr")  # fmt: skip
    add_mend(command)
    command.add_argument("--dtype", choices=DTYPES, metavar="NAME", help=f"{', '.join(DTYPES)} (float64)")
    command.add_argument("--seed", type=int, help="of inputs and upstream gradients; a fresh one if not given")
    command.add_argument("--slack", type=float, default=1.0, metavar="X",
                         help="multiply every bound, and so the smallest detectable error, by X (1)")  # fmt: skip
    add_json(command)
    command.set_defaults(run=run, parser=command)


def run(args: argparse.Namespace) -> int:
    """`handgrad check FILE`."""
    check_slack(args)
    check_json(args)
    check_seed(args)
    if args.file.suffix != ".py" or not args.file.is_file():
        what = "is no Python file (.py)" if args.file.exists() else "there is no such file"
        args.parser.error(f"{args.file}: {what}; expected a file such as student.py")
    check_mend(args)
    if args.watch and args.diff:
        args.parser.error("--watch goes on until Ctrl-C, so --diff never has a whole patch; leave one of them out")
    try:
        args.asked = read_inputs(args.inputs)
    except ValueError as error:
        args.parser.error(f"--inputs: {error}")
    return watch(args) if args.watch else check(args)


def check(args: argparse.Namespace) -> int:
    """Judge the file as it is now."""
    console, seed = wide_console(stderr=args.diff), check_seed(args)
    options = Options(args.asked, seed, args.dtype, args.slack, args.mend)
    found: list[Judged] = []
    try:
        with load(args.file) as file:
            pairs = find_pairs(file)
            if pairs:
                check_names(args, pairs)
            for name, line, expected in list_lonely(file):
                print_lines(console, describe_lonely(name, f"{args.file}:{line}", expected))
            for pair in pairs:
                found.append(judge_pair(pair, options))
                shown = show(found[-1], args.file)
                console.print(shown, soft_wrap=isinstance(shown, Text))
    except CannotLoad as error:
        print_lines(wide_console(stderr=True), f"cannot be imported: {error}")
        return 2
    finish(args, console, found, seed)
    return together(judged.verdict for judged in found).exit_code


def check_names(args: argparse.Namespace, pairs: Sequence[Pair]) -> None:
    """Whether each of --inputs is an argument of some function."""
    known = argument_names(pairs)
    if strange := [name for name in args.asked if name not in known]:
        plain = ", ".join(name for name in known if "." not in name) or "none that are known"
        args.parser.error(
            f"--inputs: no function in {args.file} has an argument {', '.join(strange)}; they have {plain}"
        )


def describe_lonely(name: str, place: str, expected: Sequence[str]) -> str:
    """A backward pass without its forward pass."""
    words = f"expected {', '.join(expected)} in this file, or @handgrad.gradient_of(forward) above it"
    return f"note: {name}  ({place})  has no forward pass: {words}"


def finish(args: argparse.Namespace, console: Console, found: Sequence[Judged], seed: int) -> None:
    """The last line, the patch, the JSON."""
    if found:
        print_lines(console, conclude(found, seed))
    else:
        print_lines(console, f"{args.file}: no backward pass found; looked for {LOOKED_FOR}")
    if args.diff:
        changes: dict[Path, list[str]] = {}
        for judged in found:
            if judged.change is not None:
                changes.setdefault(judged.home(args.file), []).append(judged.change.diff)
        print("".join(join_changes(path, diffs) for path, diffs in changes.items()), end="")
    if args.json is not None:
        write_json(args.json, as_dict(found, args.file, seed))


def watch(args: argparse.Namespace) -> int:
    """Judge the file now and after every change, under a rule with the time; Ctrl-C ends it with the last exit code."""
    code, seen = 2, None
    console = wide_console()
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
