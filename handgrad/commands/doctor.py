"""`handgrad doctor`: a network and its data examined before it is trained for long."""

import argparse
from pathlib import Path
from typing import Any

from handgrad.checkup.checkup import Checkup, examine
from handgrad.commands.arguments import add_html, add_json, check_written
from handgrad.commands.training_arguments import add_training, read_options
from handgrad.experiment.plan import Plan, begin, resume_from
from handgrad.experiment.text import describe_options, describe_preset
from handgrad.report.console import (
    describe_error,
    print_lines,
    print_warnings,
    report_console,
    show_waiting,
    write_json,
    write_page,
)


def add_parser(commands: Any) -> None:
    """Add `doctor` to the command line."""
    command = commands.add_parser(
        "doctor",
        help="examine a network and its data before training: initial weights, learning rate, units, gradients",
        description="Examine the training that handgrad train would make of the same arguments, in seconds: the loss "
        "at the start against chance, one batch learned by heart, the first steps, the size of the updates, gradients "
        "layer by layer, units that are dead, saturated or alike. Each check says what was measured, what is normal "
        "and what to do. Exit code 0: nothing is wrong; 1: something is; 2: wrong usage.",
    )
    add_training(command)
    command.add_argument("--checkpoint", type=Path, metavar="FILE", help="examine this training, of handgrad train, "
                         "where it stands")  # fmt: skip
    add_json(command)
    add_html(command)
    command.set_defaults(run=run, parser=command)


def run(args: argparse.Namespace) -> int:
    """`handgrad doctor`."""
    check_written(args)
    try:
        given = read_options(args)
        with print_warnings():
            plan = begin(given) if args.checkpoint is None else resume_from(args.checkpoint, given)
        with show_waiting("examining"):
            found = examine_plan(plan)
    except (OSError, ValueError) as error:
        args.parser.error(describe_error(error))
    console = report_console()
    print_lines(console, *describe_preset(plan))
    console.print(found.renderable())
    if args.json is not None:
        write_json(args.json, found.to_dict())
    if args.html is not None:
        write_page(args.html, found.shown())
    return found.exit_code


def examine_plan(plan: Plan) -> Checkup:
    """The training of the plan, before its first step or where it stands."""
    options = plan.options
    settings = {
        **options.conventions,
        "batch_size": options.batch_size,
        "clip_norm": options.clip_norm,
        "seed": options.seed,
    }
    data = plan.network, plan.params, plan.x, plan.target, plan.loss, plan.optimizer
    name = "; ".join(describe_options(options, Path(options.data).name, 1))
    return examine(*data, name=name, resume=plan.resume, **settings)
