"""`handgrad verify`: certify every activation, layer and loss on real handwritten digits, or a trained network."""

import argparse
import platform
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import track

import handgrad
from handgrad.experiment.plan import told
from handgrad.experiment.text import counted
from handgrad.judge.verdict import Verdict, together
from handgrad.report.console import wide_console, write_json
from handgrad.report.stage_rows import STYLES
from handgrad.suite.run import DTYPES, Case, neurons, other_layers_and_losses, problems, survey
from handgrad.suite.text import show, summary
from handgrad.suite.trained import trained_case
from manual.files.atomic_write import check_writable
from manual.layers.activations import DIFFERENTIABLE
from manual.losses import NAMED_LOSSES


def add(commands: Any) -> None:
    """Add `verify` to the command line."""
    verify = commands.add_parser(
        "verify",
        help="certify every activation, layer and loss on real handwritten digits",
        description="Certify the hand-derived gradients of every activation, layer and loss on real handwritten "
        "digits, stage by stage, at the initial weights and after training. With --checkpoint: of that network, with "
        "the weights it was trained to, on a batch of the data it was trained on.",
    )
    verify.add_argument("--activation", nargs="+", choices=DIFFERENTIABLE, metavar="NAME",
                        help=f"only these, between linear layers: {', '.join(DIFFERENTIABLE)}")  # fmt: skip
    verify.add_argument("--loss", nargs="+", choices=tuple(NAMED_LOSSES), metavar="NAME",
                        help=f"only these: {', '.join(NAMED_LOSSES)}")  # fmt: skip
    verify.add_argument("--checkpoint", type=Path, metavar="FILE", help="judge this trained network, of handgrad train")
    verify.add_argument(
        "--data", metavar="digits|PATH", help="other data for --checkpoint than those it was trained on"
    )
    verify.add_argument("--dtype", nargs="+", choices=DTYPES, default=DTYPES, metavar="NAME",
                        help=f"only these: {', '.join(DTYPES)}")  # fmt: skip
    verify.add_argument("--seed", type=int, help="of weights, batches and upstream gradients; a fresh one if not given")
    verify.add_argument("--slack", type=float, default=1.0, help="multiply every bound, and the floor, by this (1)")
    verify.add_argument("--json", type=Path, metavar="FILE", help="write everything found to FILE as well")
    verify.set_defaults(run=run, parser=verify)


def run(args: argparse.Namespace) -> int:
    """`handgrad verify`."""
    console, progress = wide_console(), wide_console(stderr=True)
    if not 1 <= args.slack < float("inf"):
        args.parser.error(f"--slack is {args.slack:g}, expected 1 (the derived bound) or more")
    if args.json is not None:
        try:
            check_writable(args.json)
        except OSError as error:
            args.parser.error(f"--json: {told(error)}")
    seed = int(np.random.SeedSequence().generate_state(1)[0]) if args.seed is None else args.seed
    if seed < 0:
        args.parser.error(f"--seed is {seed}, expected 0 or more")
    cases: list[Case] = []
    if args.checkpoint is not None:
        count, found = 1, trained(args, seed)
    else:
        if args.data is not None:
            args.parser.error("--data is for --checkpoint: which network is to be judged on these data?")
        todo = problems(args.activation or DIFFERENTIABLE, args.loss or tuple(NAMED_LOSSES))
        every = not (args.activation or args.loss)
        todo += other_layers_and_losses() if every else []
        count, found = len(todo) + every, survey(todo, args.dtype, seed=seed, slack=args.slack)
        found = chain(found, (neurons(seed, args.slack) for _ in range(every)))
    quiet = not progress.is_terminal
    for case in track(found, "verifying", count, console=progress, transient=True, disable=quiet):
        cases.append(case)
        console.print(show(case))
    for case in cases:
        if case.verdict is not Verdict.CERTIFIED:
            console.print(summary(case))
    verdict = together(case.verdict for case in cases)
    runs = sum(len(case.reports) for case in cases)
    console.print(
        f"[{STYLES[verdict]}]{verdict.value}[/]  {counted(len(cases), 'network')}, {counted(runs, 'run')}, seed {seed}"
    )
    if args.json is not None:
        write_json(args.json, as_dict(cases, seed))
    return verdict.exit_code


def trained(args: argparse.Namespace, seed: int) -> Iterator[Case]:
    """The one case of a trained network; usage errors for what cannot be read and for options that it decides."""
    if args.activation or args.loss:
        args.parser.error("--checkpoint says which network and loss; leave --activation and --loss out")
    try:
        return trained_case(args.checkpoint, args.data, args.dtype, seed=seed, slack=args.slack)
    except (OSError, ValueError) as error:
        args.parser.error(told(error))
    return iter(())


def as_dict(cases: Sequence[Case], seed: int) -> dict[str, object]:
    """Everything the survey found, for JSON."""
    return {
        "verdict": together(case.verdict for case in cases).value,
        "seed": seed,
        "versions": {
            "handgrad": handgrad.__version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "torch": torch.__version__,
        },
        "cases": [
            {
                "title": case.title,
                "verdict": case.verdict.value,
                "reports": [report.to_dict() for report in case.reports],
            }
            for case in cases
        ],
    }
