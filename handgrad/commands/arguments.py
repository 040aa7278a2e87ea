"""Arguments that several commands have, and how they are checked: what is wrong ends the command with exit code 2."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from handgrad.judge import settings
from handgrad.judge.constants import MEND_SECONDS
from handgrad.report.console import describe_error
from manual.files.atomic_write import check_writable


def add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything found to FILE as well")


def add_html(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page for a browser to FILE as well")


def check_written(args: argparse.Namespace) -> None:
    """Whether the files that a command writes can be written, asked before the work."""
    check_files(args, ("json", "html", "gradescope"))


def check_files(args: argparse.Namespace, options: Sequence[str]) -> None:
    """Whether the files of these options can be written, each under its own name."""
    files: dict[str, Path] = {name: path for name in options if (path := getattr(args, name, None)) is not None}
    taken: dict[Path, str] = {}
    for name, path in files.items():
        try:
            check_writable(path)
        except OSError as error:
            args.parser.error(f"--{name}: {describe_error(error)}")
        other = taken.setdefault(Path(os.path.realpath(path)), name)
        if other != name:
            args.parser.error(f"--{other} and --{name} are both {path}; give each its own file")


def add_mend(parser: argparse.ArgumentParser) -> None:
    words = f"search so long for a change that makes wrong code right ({MEND_SECONDS:g})"
    parser.add_argument("--mend", type=float, metavar="SECONDS", help=words)


def check_mend(args: argparse.Namespace) -> None:
    """Whether --mend is a time."""
    if args.mend is not None and not 0 <= args.mend < float("inf"):
        args.parser.error(f"--mend is {args.mend:g}, expected a number of seconds")


def read_sizes(text: str, such_as: str) -> tuple[int, ...]:
    """(64, 32, 10) of "64,32,10", as --layers has them. ValueError unless there are two or more, each above 0."""
    try:
        sizes = tuple(map(int, text.split(",")))
    except ValueError:
        sizes = ()
    if len(sizes) < 2 or min(sizes) < 1:
        raise ValueError(f"--layers is {text!r}, expected sizes such as {such_as}")
    return sizes


def check_seed(args: argparse.Namespace) -> int:
    """--seed, or a fresh seed where it is not given."""
    parser: argparse.ArgumentParser = args.parser
    try:
        return settings.choose_seed(args.seed, "--seed")
    except ValueError as error:
        parser.error(str(error))


def check_slack(args: argparse.Namespace) -> None:
    """Whether --slack is one that the judge takes."""
    try:
        settings.check_slack(args.slack, "--slack")
    except ValueError as error:
        args.parser.error(str(error))
