"""What is asked of `handgrad train`, checked before anything is done."""

import argparse
import os
from pathlib import Path
from typing import Any

from handgrad.commands.training_arguments import read_options
from handgrad.experiment import plots
from handgrad.experiment.distributed import Ranks
from handgrad.experiment.plan import Plan
from manual.files.atomic_write import check_writable
from manual.files.checkpoint import pack
from manual.training.plan import begin


def check_options(args: argparse.Namespace, side: str, ranks: Ranks) -> dict[str, Any]:
    """The options of a plan that were given, None for the others. ValueError for what is not possible."""
    given = read_options(args)
    if args.threads is not None and args.threads < 1:
        raise ValueError(f"--threads is {args.threads}, expected 1 or more")
    if args.array is not None and side != "manual":
        raise ValueError(f"--array is {args.array}, but --side {side} runs on torch; leave --array out")
    if side == "manual" and ranks.world > 1:
        raise ValueError(
            f"{ranks.world} processes train with --side hand or --side autograd; --side manual runs in one"
        )
    if args.early_stopping is not None and ranks.world > 1:
        raise ValueError(f"--early-stopping is for one process, not for {ranks.world}; leave it out")
    if args.resume and args.checkpoint is None:
        raise ValueError("--resume needs --checkpoint FILE, the file to go on from")
    return given


def check_files(args: argparse.Namespace) -> None:
    """Whether everything can be written, before hours of work. Raises OSError and ValueError."""
    files = {f"--{name}": getattr(args, name) for name in ("checkpoint", "log", "plot", "html") if getattr(args, name)}
    if len(set(map(os.path.realpath, files.values()))) < len(files):
        raise ValueError(f"{' and '.join(files)} name the same file; give each its own")
    if args.checkpoint is not None and args.checkpoint.is_file() and not args.resume:
        raise ValueError(
            f"--checkpoint: {args.checkpoint} is there already; add --resume to go on from it, or give another name"
        )
    if args.plot is not None:
        plots.check_path(args.plot)
    for path in files.values():
        check_writable(path)


def check_room(path: Path, plan: Plan) -> None:
    """OSError unless the disk takes the checkpoints: each is written beside the one before it, and replaces it."""
    start = plan.resume or begin(plan.network, plan.params, plan.optimizer, plan.options.seed, None)
    size = len(pack(plan.network, plan.loss, plan.optimizer, start, plan.extra))
    check_writable(path, size if path.exists() else 2 * size)
