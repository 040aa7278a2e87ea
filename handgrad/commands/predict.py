"""`handgrad predict`: what a trained network says of data, and how good that is where the data say it themselves."""

import argparse
import csv
from io import StringIO
from pathlib import Path
from typing import Any

from handgrad.commands.arguments import check_seed
from handgrad.experiment import plots
from handgrad.experiment.datasets import load
from handgrad.experiment.place import locate
from handgrad.experiment.plan import read_checkpoint
from handgrad.experiment.prediction import Prediction, continue_prompt, draw, predict, rest, rows, score, table
from handgrad.report.console import describe_error, print_lines, print_warnings, report_console
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
    command.add_argument("--probabilities", action="store_true", help="in --out, that of every class as well")
    command.add_argument("--plot", type=Path, metavar="FILE", help="what the labels say against what is predicted: "
                         "confusion matrix and decision boundary, or predicted against true: .png")  # fmt: skip
    command.set_defaults(run=run, parser=command)


def run(args: argparse.Namespace) -> int:
    """`handgrad predict`."""
    console = report_console()
    try:
        check_asked(args)
        trained = read_checkpoint(args.checkpoint)
        if args.prompt is not None:
            print_lines(console, continue_prompt(trained, args.prompt, args.seed))
            return 0
        with print_warnings():
            data = load(locate(args.data), trained.form)
        found = predict(trained, data)
        lines = None if args.out is None else as_csv(found, every=args.probabilities)
        drawn = () if args.plot is None else draw(found)
    except (OSError, ValueError, ModuleNotFoundError) as error:
        args.parser.error(describe_error(error))
    print_lines(console, found.data.title)
    console.print(table(found))
    print_lines(console, *([] if args.out else rest(found)), *score(found))
    try:
        if lines is not None:
            with replacing(args.out) as file:
                file.write(lines)
            print_lines(console, f"wrote {args.out}")
        if drawn:
            plots.save(args.plot, *drawn)
            print_lines(console, f"drew {args.plot}")
    except OSError as error:
        print_lines(report_console(stderr=True), describe_error(error))
        return 1
    return 0


def check_asked(args: argparse.Namespace) -> None:
    """ValueError for arguments that do not go together, OSError where nothing can be written."""
    if (args.data is None) == (args.prompt is None):
        raise ValueError("expected one of --data digits, --data PATH, --prompt TEXT (for a network trained on text)")
    for name, path in {"--out": args.out, "--plot": args.plot}.items():
        if path is not None and args.prompt is not None:
            raise ValueError(f"{name} is for the predictions of --data; a prompt's continuation is printed")
    if args.probabilities and args.out is None:
        raise ValueError("--probabilities go to --out FILE, which is missing")
    if args.out is not None:
        if args.out.suffix.lower() != ".csv":
            raise ValueError(f"--out: {args.out} ends in {args.out.suffix!r}, expected .csv, which is what is written")
        check_writable(args.out)
    if args.plot is not None:
        plots.check_path(args.plot)
        check_writable(args.plot)
    check_seed(args)


def as_csv(found: Prediction, *, every: bool) -> bytes:
    """Every row, under a header."""
    lines = StringIO()
    csv.writer(lines, lineterminator="\n").writerows(rows(found, every=every))
    return lines.getvalue().encode()
