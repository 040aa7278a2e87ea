"""What `check FILE` and `compare FILE` share: the file is imported, its pairs are judged and shown one by one."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console, RenderableType
from rich.text import Text

from handgrad.judge.rules import NOT_GIVEN
from handgrad.judge.verdict import Verdict
from handgrad.report.certified import first_tensors
from handgrad.report.console import print_lines, report_console, show_waiting, write_json, write_page
from handgrad.subjects.file.asked import GRAMMAR, read_inputs
from handgrad.subjects.file.inputs import argument_names
from handgrad.subjects.file.judge import Judged, Options, judge_pair
from handgrad.subjects.file.load import CannotLoad, load
from handgrad.subjects.file.page import show_file
from handgrad.subjects.file.pairs import LOOKED_FOR, Pair, caller_of, find_pairs, list_both_in_one, list_lonely
from handgrad.subjects.file.text import as_dict, conclude

Show = Callable[[Judged, Path], RenderableType]


def add_inputs(parser: argparse.ArgumentParser) -> None:
    words = f"of arguments without a type hint, those of __init__ too: {GRAMMAR}; of one function: f.x=4x3"
    parser.add_argument("--inputs", nargs="+", action="extend", default=[], metavar="NAME=SHAPE", help=words)


def check_file(args: argparse.Namespace) -> None:
    """Whether there is such a file, and what --inputs asks for, as args.asked."""
    if args.file.suffix != ".py" or not args.file.is_file():
        what = "is no Python file (.py)" if args.file.exists() else "there is no such file"
        args.parser.error(f"{args.file}: {what}; expected a file such as student.py")
    try:
        args.asked = read_inputs(args.inputs)
    except ValueError as error:
        args.parser.error(f"--inputs: {error}")


def judge_file(args: argparse.Namespace, console: Console, options: Options, show: Show) -> list[Judged] | None:
    """Every pair judged and shown, the last line, --json and --html; None for a file that cannot be imported."""
    found: list[Judged] = []
    try:
        with load(args.file) as file:
            pairs = find_pairs(file)
            if pairs:
                check_names(args, pairs)
            for name, line, expected in list_lonely(file):
                print_lines(console, describe_lonely(name, f"{args.file}:{line}", expected))
            if not pairs:
                for name, line, of in list_both_in_one(file):
                    print_lines(console, describe_both_in_one(name, f"{args.file}:{line}", of))
            for pair in pairs:
                with show_waiting(f"judging {pair.name}"):
                    judged = judge_pair(pair, options)
                if is_no_pair(judged) and (caller := caller_of(pair, pairs)) and not pair.problem:
                    print_lines(console, describe_helper(judged, f"{args.file}:{pair.line}", caller))
                    continue
                found.append(judged)
                shown = show(found[-1], args.file)
                console.print(shown, soft_wrap=isinstance(shown, Text))
            if args.json is not None:  # while the file is there: a ledger is kept when it is asked for
                write_json(args.json, as_dict(found, args.file, options.seed))
            if args.html is not None:
                write_page(args.html, show_file(found, args.file, options.seed))
    except CannotLoad as error:
        print_lines(report_console(stderr=True), f"cannot be imported: {error}")
        return None
    if found:
        print_lines(console, *conclude(found, options.seed, verbose=getattr(args, "verbose", True)))
    else:
        print_lines(console, f"{args.file}: no backward pass found; looked for {LOOKED_FOR}")
    return found


def check_names(args: argparse.Namespace, pairs: Sequence[Pair]) -> None:
    """Whether each of --inputs is an argument of some function, or of the __init__ of a class."""
    known = argument_names(pairs)
    if strange := [name for name in args.asked if name not in known]:
        plain = ", ".join(name for name in known if "." not in name) or "none that are known"
        args.parser.error(
            f"--inputs: no function in {args.file} has an argument {', '.join(strange)}; they have {plain}"
        )


def is_no_pair(judged: Judged) -> bool:
    """Whether it may be no backward pass at all: no inputs are known, or it leaves gradients out and none is wrong."""
    if judged.report is None:
        return True
    left_out = any(t.reason == NOT_GIVEN for t in first_tensors(judged.report))
    return left_out and judged.verdict is Verdict.UNRESOLVED


def describe_helper(judged: Judged, place: str, caller: str) -> str:
    """A pair that may be none, and which another one calls."""
    alone = judged.problem or "it gives no gradient of some of its arguments"
    return f"note: {judged.pair.name}  ({place})  is judged within {caller}, which calls it; alone: {alone}"


def describe_lonely(name: str, place: str, expected: Sequence[str]) -> str:
    """A backward pass without its forward pass."""
    words = f"expected {', '.join(expected)} in this file, or @handgrad.gradient_of(forward) above it"
    return f"note: {name}  ({place})  has no forward pass: {words}"


def describe_both_in_one(name: str, place: str, of: str) -> str:
    """A function that returns its gradient beside its loss: how it can be judged as it is."""
    words = f"def loss({of}): return {name}({of}, ...)[0], and def loss_grad({of}): return {name}({of}, ...)[1]"
    return (
        f"note: {name}  ({place})  returns the gradient of {of} beside its result; give each a name of its own, "
        f"{words}, with data made at the top level of the file in place of the dots"
    )
