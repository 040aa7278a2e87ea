"""`handgrad predict`: what a trained network says of data, and how good that is where the data say it themselves."""

import argparse
import csv
from io import StringIO
from pathlib import Path
from typing import Any

from handgrad.commands.arguments import check_seed
from handgrad.experiment.datasets import load
from handgrad.experiment.place import locate
from handgrad.experiment.plan import read_checkpoint
from handgrad.experiment.prediction import Prediction, continue_prompt, predict, rows, score, table
from handgrad.report.console import describe_error, print_lines, wide_console
from manual.files.atomic_write import check_writable, replacing


def add_parser(commands: Any) -> None:
    """Add `predict` to the command line."""
    command = commands.add_parser(
        "predict",
        help="what a trained network says of data",
        description="Predict with a network that handgrad train --checkpoint FILE trained: classes with their "
        "probabilities, or numbers; and how good they are where the data have labels. A network trained on text "
        "guesses the next letters, or continues a prompt.",
    )
    command.add_argument("--checkpoint", type=Path, required=True, metavar="FILE", help="of handgrad train")
    command.add_argument(
        "--data", metavar="digits|PATH", help="data like those of its training, with or without labels"
    )
    command.add_argument("--prompt", metavar="TEXT", help="letters to be continued, for a network trained on text")
    command.add_argument("--seed", type=int, default=0, help="of the letters drawn after a prompt (0)")
    command.add_argument("--out", type=Path, metavar="FILE", help="write every prediction of --data to FILE: .csv")
    command.set_defaults(run=run, parser=command)


def run(args: argparse.Namespace) -> int:
    """`handgrad predict`."""
    console = wide_console()
    try:
        if (args.data is None) == (args.prompt is None):
            raise ValueError("expected one of --data PATH and --prompt TEXT (for a network trained on text)")
        if args.out is not None:
            if args.prompt is not None:
                raise ValueError("--out is for the predictions of --data; a prompt's continuation is printed")
            check_writable(args.out)
        check_seed(args)
        trained = read_checkpoint(args.checkpoint)
        if args.prompt is not None:
            print_lines(console, continue_prompt(trained, args.prompt, args.seed))
            return 0
        found = predict(trained, load(locate(args.data), trained.form))
    except (OSError, ValueError) as error:
        args.parser.error(describe_error(error))
    print_lines(console, found.data.title)
    console.print(table(found))
    print_lines(console, *score(found))
    if args.out is not None:
        try:
            write(args.out, found)
        except OSError as error:
            print_lines(wide_console(stderr=True), describe_error(error))
            return 1
        print_lines(console, f"wrote {args.out}")
    return 0


def write(path: Path, found: Prediction) -> None:
    """Every row as .csv, under a header."""
    lines = StringIO()
    csv.writer(lines, lineterminator="\n").writerows(rows(found))
    with replacing(path) as file:
        file.write(lines.getvalue().encode())
