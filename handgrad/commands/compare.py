"""`handgrad compare`: by hand and by autograd side by side, a file's backward passes or one network on the digits."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from handgrad.commands.arguments import (
    add_html,
    add_json,
    add_mend,
    check_mend,
    check_seed,
    check_written,
    read_sizes,
)
from handgrad.commands.judge_file import add_inputs, check_file, judge_file
from handgrad.experiment.compare_pass import Comparison, compare_pass
from handgrad.experiment.compare_training import Trajectory, compare_training
from handgrad.experiment.datasets.digits import digits
from handgrad.judge.verdict import together
from handgrad.report.console import report_console, write_json, write_page
from handgrad.subjects.file.judge import Options
from handgrad.subjects.file.side_by_side import show_ledger
from handgrad.suite.run import DTYPES
from manual import mlp
from manual.layers.activations import DIFFERENTIABLE
from manual.losses import NAMED_LOSSES


def add_parser(commands: Any) -> None:
    """Add `compare` to the command line."""
    command = commands.add_parser(
        "compare",
        help="by hand and by autograd side by side: every value of a file's backward passes, or one network",
        description="With FILE, lay every value that a backward pass of it computes beside autograd's, line by line: "
        "the gradient of which variable it is, and whether it is right, or wrong because of an earlier line; then the "
        "wrong line with the change that makes it right. FILE is imported, and its pairs and inputs are found as "
        "`handgrad check` does. Without, lay one network's pass by hand and by autograd side by side on a batch of "
        "handwritten digits: the worst entry of every tensor, how far apart in units in the last place, and why. With "
        "--steps K, train both.",
    )
    command.add_argument("file", nargs="?", type=Path, metavar="FILE", help="a Python file with backward passes")
    add_inputs(command)
    add_mend(command)
    command.add_argument("--layers", default="64,32,10", help="sizes, the first 64, the last 10 (64,32,10)")
    command.add_argument("--activation", choices=DIFFERENTIABLE, default="tanh", metavar="NAME",
                         help=f"between the layers: {', '.join(DIFFERENTIABLE)} (tanh)")  # fmt: skip
    command.add_argument("--loss", choices=tuple(NAMED_LOSSES), default="cross_entropy", metavar="NAME",
                         help=f"{', '.join(NAMED_LOSSES)} (cross_entropy)")  # fmt: skip
    command.add_argument(
        "--dtype", choices=DTYPES, default="float32", metavar="NAME", help="float32 or float64 (float32)"
    )
    command.add_argument("--batch-size", type=int, default=32, metavar="N", help="samples in a batch (32)")
    command.add_argument("--steps", type=int, metavar="K", help="train both sides for K steps")
    command.add_argument("--lr", type=float, default=0.2, help="learning rate of --steps (0.2)")
    command.add_argument("--seed", type=int, default=0, help="of weights and batches (0)")
    command.add_argument("-v", "--verbose", action="store_true", help="also the judge's whole report, or every step")
    add_json(command)
    add_html(command)
    command.set_defaults(run=run, parser=command)


def run(args: argparse.Namespace) -> int:
    """`handgrad compare`."""
    if args.file is not None:
        return compare_file(args)
    if args.inputs:
        args.parser.error("--inputs are those of a FILE, and there is none")
    if args.mend is not None:
        args.parser.error("--mend is of the code in a FILE, and there is none")
    sizes = sizes_of(args)
    network, loss, rng = mlp(sizes, args.activation), NAMED_LOSSES[args.loss], np.random.default_rng(args.seed)
    params, data, console = network.init(rng, dtype=args.dtype), digits(), report_console()
    target = data.labels if args.loss == "cross_entropy" else data.one_hot.astype(args.dtype)
    picks = [rng.permutation(len(data.x))[: args.batch_size] for _ in range(args.steps or 1)]
    batches = [(data.x[pick].astype(args.dtype), target[pick]) for pick in picks]
    found: Comparison | Trajectory
    try:
        if args.steps is None:
            found = compare_pass(network, params, *batches[0], loss, seed=args.seed)
        else:
            found = compare_training(network, params, batches, loss, args.lr, seed=args.seed)
    except ValueError as error:  # a run that leaves the finite numbers
        args.parser.error(str(error))
    console.print(found.renderable(verbose=args.verbose))
    if args.json is not None:
        write_json(args.json, found.to_dict())
    if args.html is not None:
        write_page(args.html, found.shown())
    return found.verdict.exit_code


def compare_file(args: argparse.Namespace) -> int:
    """Every backward pass of the file, value by value, with the same report as `handgrad check`."""
    of_network = ("layers", "activation", "loss", "dtype", "batch_size", "steps", "lr")
    for name in of_network:
        if getattr(args, name) != args.parser.get_default(name):
            args.parser.error(f"--{name.replace('_', '-')} is of the network on the digits, and FILE is given")
    check_written(args)
    check_mend(args)
    check_file(args)
    found = judge_file(args, report_console(), Options(args.asked, check_seed(args), mend=args.mend), show_ledger)
    return 2 if found is None else together(judged.verdict for judged in found).exit_code


def sizes_of(args: argparse.Namespace) -> tuple[int, ...]:
    """--layers as numbers; usage errors for what fits neither the digits nor the other options."""
    try:
        sizes = read_sizes(args.layers, "64,32,10")
    except ValueError as error:
        args.parser.error(str(error))
    if sizes[0] != 64 or sizes[-1] != 10:
        args.parser.error(f"--layers is {args.layers!r}, expected 64 (pixels) first and 10 (digits) last")
    if not 1 <= args.batch_size <= len(digits().x):
        args.parser.error(f"--batch-size is {args.batch_size}, expected 1 to {len(digits().x)}")
    if args.steps is not None and args.steps < 1:
        args.parser.error(f"--steps is {args.steps}, expected 1 or more")
    if not 0 < args.lr < float("inf"):
        args.parser.error(f"--lr is {args.lr:g}, expected a positive number")
    check_seed(args)
    check_written(args)
    return sizes
