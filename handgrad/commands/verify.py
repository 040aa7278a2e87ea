"""`handgrad verify`: certify every activation, layer and loss on real handwritten digits, or a trained network."""

import argparse
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from handgrad.commands.arguments import add_html, add_json, add_mend, check_mend, check_seed, check_slack, check_written
from handgrad.judge.verdict import Verdict, together
from handgrad.report.console import (
    describe_error,
    print_warnings,
    report_console,
    show_progress,
    write_json,
    write_page,
)
from handgrad.report.versions import list_versions
from handgrad.suite.page import show_suite
from handgrad.suite.problems import combine, other_layers_and_losses
from handgrad.suite.run import DTYPES, SuiteResult, judge_scalar_neurons, run_suite
from handgrad.suite.text import conclude, heading, show, summarise
from handgrad.suite.trained import judge_checkpoint
from manual.layers.activations import DIFFERENTIABLE
from manual.losses import NAMED_LOSSES


def add_parser(commands: Any) -> None:
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
    verify.add_argument("--slack", type=float, default=1.0, metavar="X",
                        help="multiply every bound, and so the smallest detectable error, by X (1)")  # fmt: skip
    verify.add_argument("-v", "--verbose", action="count", default=0,
                        help="show every stage; twice: every run in full")  # fmt: skip
    add_mend(verify)
    add_json(verify)
    add_html(verify)
    verify.set_defaults(run=run, parser=verify)


def run(args: argparse.Namespace) -> int:
    """`handgrad verify`."""
    console = report_console()
    check_slack(args)
    check_mend(args)
    check_written(args)
    seed = check_seed(args)
    count, found = (1, judge_trained(args, seed)) if args.checkpoint is not None else judge_suite(args, seed)
    results: list[SuiteResult] = []
    detail = min(args.verbose, 2)
    if detail == 0:
        console.print(heading(args.dtype))
    for result in show_progress(found, "verifying", count):
        results.append(result)
        console.print(show(result, detail, args.dtype))
    for result in results:
        if result.verdict is not Verdict.CERTIFIED:
            console.print(summarise(result))
    verdict = together(result.verdict for result in results)
    console.print(conclude(results, verdict, seed, detail))
    if args.json is not None:
        write_json(args.json, as_dict(results, verdict, seed))
    if args.html is not None:
        write_page(args.html, show_suite(results, verdict, seed))
    return verdict.exit_code


def judge_suite(args: argparse.Namespace, seed: int) -> tuple[int, Iterator[SuiteResult]]:
    """How many results there will be, and each as it is asked for; all layers unless some were chosen."""
    if args.data is not None:
        args.parser.error("--data is for --checkpoint: which network is to be judged on these data?")
    todo = combine(args.activation or DIFFERENTIABLE, args.loss or tuple(NAMED_LOSSES))
    if args.activation or args.loss:
        return len(todo), run_suite(todo, args.dtype, seed=seed, slack=args.slack, mend=args.mend)
    todo += other_layers_and_losses()
    neurons = (judge_scalar_neurons(seed, args.slack) for _ in range(1))  # judged when its turn comes
    return len(todo) + 1, chain(run_suite(todo, args.dtype, seed=seed, slack=args.slack, mend=args.mend), neurons)


def judge_trained(args: argparse.Namespace, seed: int) -> Iterator[SuiteResult]:
    """The one result of a trained network; usage errors for what cannot be read and for options that it decides."""
    if args.activation or args.loss:
        args.parser.error("--checkpoint says which network and loss; leave --activation and --loss out")
    try:
        with print_warnings():
            return judge_checkpoint(args.checkpoint, args.data, args.dtype, seed=seed, slack=args.slack, mend=args.mend)
    except (OSError, ValueError) as error:
        args.parser.error(describe_error(error))
    return iter(())


def as_dict(results: Sequence[SuiteResult], verdict: Verdict, seed: int) -> dict[str, object]:
    """Everything that was found, for JSON."""
    return {
        "verdict": verdict.value,
        "seed": seed,
        "versions": list_versions(),
        "cases": [
            {
                "title": result.title,
                "verdict": result.verdict.value,
                "gradients": result.gradients.value,
                "broken": list(result.broken),
                "reports": [report.to_dict() for report in result.reports],
            }
            for result in results
        ],
    }
