"""`handgrad show`: a small network with every number of a pass and its formula: as text, as a page, in LaTeX."""

import argparse
from pathlib import Path
from typing import Any

from handgrad.commands.arguments import add_html, check_files, read_sizes
from handgrad.report.console import describe_error, print_lines, report_console, write_json, write_page
from handgrad.worked.example import (
    ACTIVATIONS,
    LOGITS,
    LOSSES,
    MOST_LAYERS,
    MOST_UNITS,
    Example,
    draw_example,
)
from handgrad.worked.files import FORMAT, load_file
from handgrad.worked.key import grading_key
from handgrad.worked.latex import show_latex
from handgrad.worked.lectures import SOURCES, load_lecture
from handgrad.worked.page import show_page
from handgrad.worked.solution import Solution, solve
from handgrad.worked.text import show_text
from manual.files.atomic_write import replacing


def add_parser(commands: Any) -> None:
    """Add `show` to the command line."""
    command = commands.add_parser(
        "show",
        help="a small network, worked out: every number of a pass with its formula, for a lesson or as an exercise",
        description="Work out one forward and one backward pass of a small network: every value and every gradient "
        "with its formula and the numbers put in, step by step. Of a lecture's example, of a network of your own in a "
        f"file, or of one drawn at random. At most {MOST_LAYERS} layers of {MOST_UNITS} units.",
        epilog=f"{FORMAT}.",
    )
    option = command.add_argument
    option("--values", metavar="NAME|FILE", help=f"the numbers: {', '.join(SOURCES)}, or a file (drawn at random)")
    option("--layers", metavar="N,N,...", help="sizes, inputs first (2,2,2, or those of --values)")
    option("--activation", choices=ACTIVATIONS, metavar="NAME",
           help=f"after every layer, but after the last not before {' and '.join(LOGITS)}: "
           f"{', '.join(ACTIVATIONS)} (sigmoid)")  # fmt: skip
    option("--loss", choices=tuple(LOSSES), metavar="NAME",
           help=f"{', '.join(LOSSES)} (half, which is half the squared error)")  # fmt: skip
    option("--seed", type=int, help="of numbers drawn at random (0)")
    option("--blanks", action="store_true", help="the questions: a blank for every result")
    option("--key", type=Path, metavar="FILE", help="write every asked number, its value and its tolerance as JSON")
    add_html(command)
    option("--latex", type=Path, metavar="FILE", help="write it as LaTeX to FILE as well")
    command.set_defaults(run=run, parser=command)


def run(args: argparse.Namespace) -> int:
    """`handgrad show`."""
    check_files(args, ("html", "latex", "key"))
    try:
        solution = solve(choose_example(args))
    except (OSError, ValueError) as error:
        args.parser.error(describe_error(error))
    print_lines(report_console(), show_text(solution, blanks=args.blanks).rstrip("\n"))
    write_files(args, solution)
    return 0


def write_files(args: argparse.Namespace, solution: Solution) -> None:
    """What was asked for besides the text."""
    if args.html is not None:
        write_page(args.html, show_page(solution, blanks=args.blanks))
    if args.latex is not None:
        with replacing(args.latex) as file:
            file.write(show_latex(solution, blanks=args.blanks).encode())
    if args.key is not None:
        write_json(args.key, grading_key(solution))


def choose_example(args: argparse.Namespace) -> Example:
    """Of a lecture, a file, or drawn. ValueError where an option says something else than the numbers."""
    sizes = None if args.layers is None else read_sizes(args.layers, "2,2,1")
    if args.values is None:
        seed = 0 if args.seed is None else args.seed
        if seed < 0:
            raise ValueError(f"--seed is {seed}, expected a whole number, 0 or more")
        return draw_example(sizes or (2, 2, 2), args.activation or "sigmoid", args.loss or "half", seed)
    if args.seed is not None:
        raise ValueError("--seed is for numbers drawn at random; leave it or --values out")
    example = load_values(args)
    found = {"layers": example.sizes, "activation": example.activation, "loss": example.loss}
    for name, said in (("layers", sizes), ("activation", args.activation), ("loss", args.loss)):
        if said is not None and said != found[name]:
            said, has = (",".join(map(str, v)) if name == "layers" else v for v in (said, found[name]))
            raise ValueError(f"--{name} is {said}, but {args.values} has {has}; leave --{name} out")
    return example


def load_values(args: argparse.Namespace) -> Example:
    """The lecture or the file of --values."""
    if args.values in SOURCES:
        return load_lecture(args.values)
    path = Path(args.values)
    if not path.exists() and not path.suffix:
        raise ValueError(f"--values is {args.values!r}, expected one of {', '.join(SOURCES)}, or a file; {FORMAT}")
    return load_file(path, args.activation or "sigmoid", args.loss or "half")
