"""`handgrad train`: a network on the digits or on your own data, by hand or by autograd, in one process or several."""

import argparse
import shlex
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console

from handgrad.commands.train_checks import check_files, check_room, checked
from handgrad.experiment import distributed, plots
from handgrad.experiment import log as training_log
from handgrad.experiment.backends import ARRAYS, DEVICES, SIDES, be_deterministic, device_for, fitted
from handgrad.experiment.datasets import Data
from handgrad.experiment.distributed import Ranks
from handgrad.experiment.plan import BATCH, HELD_BACK, HIDDEN, OPTIMIZERS, Plan, fresh, output, resumed
from handgrad.experiment.text import Line, heading, reached, table
from handgrad.report.console import count_of, describe_error, print_lines, wide_console
from handgrad.suite.problems import DIFFERENTIABLE, LOSSES
from handgrad.suite.run import DTYPES
from manual import NonFiniteLossError, Training, loss_and_gradients
from manual.files.checkpoint import save
from manual.training.batches import split
from manual.training.plan import converted

INTERRUPTED = 130  # the exit code of what Ctrl-C ended
LARGE = 1_024  # samples behind a plot's gradient norms


def add(commands: Any) -> None:
    """Add `train` to the command line."""
    command = commands.add_parser(
        "train",
        help="train a network on the digits or your own data, by hand or by autograd",
        description="Train a network. Without arguments: on handwritten digits, in NumPy, by hand-derived gradients, "
        "for 30 epochs, after which it reads 97 % or more of the digits held back. In several processes: torchrun "
        "--nproc-per-node 2 -m handgrad train.",
    )
    option = command.add_argument
    option("--data", metavar="digits|PATH", help="digits (bundled), an .npz, .csv, .tsv file, a text (.txt, "
           ".text, .md), or MNIST's idx")  # fmt: skip
    option(
        "--layers", metavar="N,N,...", help=f"sizes, inputs first, classes last ({'-'.join(map(str, HIDDEN))} between)"
    )
    option("--activation", choices=DIFFERENTIABLE, metavar="NAME", help=f"{', '.join(DIFFERENTIABLE)} (relu)")
    option("--loss", choices=tuple(LOSSES), metavar="NAME", help=f"{', '.join(LOSSES)} (what fits the data); mse "
           "fits a table's numbers, also whole ones, which are classes otherwise")  # fmt: skip
    option("--optimizer", choices=tuple(OPTIMIZERS), metavar="NAME", help=f"{', '.join(OPTIMIZERS)} (adamw)")
    option("--lr", type=float, help=f"learning rate ({', '.join(f'{k} {v.lr:g}' for k, v in OPTIMIZERS.items())})")
    option("--clip-norm", type=float, metavar="X", help="longer gradients are scaled down to this norm (not clipped)")
    option("--epochs", type=int, metavar="N", help="counted from the beginning, also when resumed (30)")
    option("--batch-size", type=int, metavar="N", help=f"samples in a batch, of all processes together ({BATCH})")
    option("--seed", type=int, help="of the weights, the batches and the samples held back (0)")
    option("--dtype", choices=DTYPES, metavar="NAME", help="float32 or float64 (float32)")
    each = "manual (arrays alone), hand (torch with hand-derived gradients), autograd (torch alone)"
    option("--side", choices=SIDES, metavar="NAME", help=f"{each} (manual; in several processes hand)")
    option("--array", choices=ARRAYS, metavar="NAME", help="library of the manual side: numpy, torch, jax (numpy)")
    option("--device", choices=DEVICES, default="cpu", metavar="NAME", help="cpu, cuda, or auto: cuda if there (cpu)")
    option("--deterministic", action="store_true", help="only algorithms that give the same bits again, on a GPU too")
    option("--checkpoint", type=Path, metavar="FILE", help="written after every epoch and at the end: .safetensors")
    option("--resume", action="store_true", help="go on from --checkpoint, with the options it began with")
    option("--log", type=Path, metavar="FILE", help="one JSON object per epoch: .jsonl (torchrun takes it for its own "
           "option, unless there is a -- before handgrad)")  # fmt: skip
    option("--tensorboard", type=Path, metavar="FOLDER", help="TensorBoard's files as well, if it is installed")
    option("--plot", type=Path, metavar="FILE", help="loss curves, gradient norms, confusion matrix: .png")
    command.set_defaults(run=run, parser=command)


class Outcome(NamedTuple):
    """What came of a training."""

    latest: Training | None
    problem: str = ""
    lost: bool = False  # another process


def run(args: argparse.Namespace) -> int:
    """`handgrad train`."""
    ranks, library = Ranks.here(), args.array or "numpy"
    args.side = args.side or ("hand" if ranks.world > 1 else "manual")
    try:
        given = checked(args, ranks)
    except ValueError as error:
        if ranks.rank == 0:  # all processes were given the same, and one tells it
            args.parser.error(str(error))
        return 2
    try:
        device = device_for(args.device, args.side, library, ranks)
        if args.deterministic:
            be_deterministic()
        if ranks.rank == 0:
            check_files(args)
        with noted(ranks):
            plan = resumed(args.checkpoint, given) if args.resume else fresh(given)
        if ranks.rank == 0 and args.checkpoint is not None:
            check_room(args.checkpoint, plan)
        with ExitStack() as stack:
            if ranks.world > 1:
                stack.enter_context(distributed.connected(device))
                distributed.check_same(data=plan.digest, options=plan.options, step=plan.resume and plan.resume.step)
            return train(args, plan, library, device, ranks)
    except (OSError, ValueError, ModuleNotFoundError) as error:
        args.parser.error((f"rank {ranks.rank}: " if ranks.rank else "") + describe_error(error))
    return 2  # what error() exits with


def train(args: argparse.Namespace, plan: Plan, library: str, device: str, ranks: Ranks) -> int:
    """From the plan to the number reached; the exit code."""
    options, console = plan.options, wide_console()
    console.quiet = ranks.rank > 0  # rank 0 alone prints and writes
    samples, held_back = (part.rows for part in split(plan.x, plan.target, HELD_BACK, options.seed))
    callbacks = writers(args, plan) if ranks.rank == 0 else []
    where = f"{args.side} side, {library if args.side == 'manual' else 'torch'} on {device}"
    print_lines(console, plan.title, heading(options, where, ranks.world))
    line, start = Line(plan, len(samples), show=ranks.rank == 0), perf_counter()
    with line, terminable():
        latest, problem, lost = attempt(plan, args.side, library, device, ranks, callbacks, line)
    seconds = perf_counter() - start
    if latest and latest.history:
        console.print(table(latest.history))
    if problem:
        print_lines(
            wide_console(stderr=True, quiet=ranks.rank > 0 and not lost), f"{problem}; {kept(args, latest, ranks)}"
        )
        return 1
    assert latest is not None
    code = ended(console, args, plan, latest, ranks, len(held_back), seconds)
    if args.plot is not None and ranks.rank == 0:
        try:
            plots.save(args.plot, *pictures(plan, latest, held_back))
        except OSError as error:
            print_lines(wide_console(stderr=True), describe_error(error))
            return 1
        print_lines(console, f"drew {args.plot}")
    return code


def ended(
    console: Console,
    args: argparse.Namespace,
    plan: Plan,
    latest: Training,
    ranks: Ranks,
    held_back: int,
    seconds: float,
) -> int:
    """Says what was reached, or where it stopped; the exit code."""
    options = plan.options
    if latest.epoch < options.epochs:
        place = f"step {latest.step}, in epoch {latest.epoch + 1} of {options.epochs}"
        print_lines(console, f"stopped after {place}; {kept(args, latest, ranks)}")
        return INTERRUPTED
    word = reached(latest.history[-1], held_back, plan.form, options.data)
    if plan.resume is not None and plan.resume.step == latest.step:
        print_lines(
            console, f"{word}; nothing was left to do after {count_of(latest.epoch, 'epoch')}, give more by --epochs"
        )
    else:
        print_lines(console, f"{word}, after {count_of(latest.epoch, 'epoch')} in {seconds:.1f} s")
    return 0


def attempt(
    plan: Plan,
    side: str,
    library: str,
    device: str,
    ranks: Ranks,
    callbacks: list[Callable[[Training], Any]],
    line: Line,
) -> Outcome:
    """The training, or the last whole epoch of it and what went wrong."""
    latest = plan.resume

    def keep(training: Training) -> None:
        nonlocal latest
        latest = training

    try:
        return Outcome(fitted(plan, side, library, device, ranks, (*callbacks, keep), line))
    except NonFiniteLossError as error:
        return Outcome(latest, str(error))
    except OSError as error:
        return Outcome(latest, describe_error(error))
    except RuntimeError as error:
        if ranks.world == 1:
            raise
        return Outcome(
            latest, f"rank {ranks.rank}: lost another process, or failed ({str(error).splitlines()[0]})", True
        )


@contextmanager
def terminable() -> Iterator[None]:
    """SIGTERM, by which a launcher or a batch system ends a process, as Ctrl-C until the block ends."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda number, frame: signal.raise_signal(signal.SIGINT))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def writers(args: argparse.Namespace, plan: Plan) -> list[Callable[[Training], Any]]:
    """What is written after every epoch and at the end, as callbacks of the training."""
    found: list[Callable[[Training], Any]] = []
    if path := args.checkpoint:
        found.append(lambda t: save(path, plan.network, plan.loss, plan.optimizer, t, plan.extra))
    if args.log is not None:
        found.append(training_log.json_lines(args.log))
    if args.tensorboard is not None:
        found.append(training_log.tensorboard(args.tensorboard))
    return found


def kept(args: argparse.Namespace, latest: Training | None, ranks: Ranks) -> str:
    """Where a training that ended early can be taken up again, and how."""
    if args.checkpoint is None:
        return "nothing is kept; with --checkpoint FILE it could be resumed"
    if latest is None:
        return f"{args.checkpoint} was not written yet"
    command = f"torchrun --nproc-per-node {ranks.world} -m handgrad" if ranks.world > 1 else "handgrad"
    words = ["train", "--resume", "--checkpoint", str(args.checkpoint)]
    words += [w for name in ("side", "array", "device") if (value := getattr(args, name)) != DEFAULTS[name]
              for w in (f"--{name}", value)]  # fmt: skip
    return f"{args.checkpoint} holds step {latest.step}; go on with: {command} {shlex.join(words)}"


DEFAULTS = {"side": "manual", "array": None, "device": "cpu"}


def pictures(plan: Plan, latest: Training, rows: Any) -> tuple[plots.Plot, ...]:
    """The history's curves, the norms of the gradients before and after, and what came of the samples held back."""
    params, running = converted((latest.params, latest.running), np.empty(0))
    begin = "before" if plan.resume is None else f"at step {plan.resume.step}"
    grads = {
        name: loss_and_gradients(plan.network, p, plan.x[:LARGE], plan.target[:LARGE], plan.loss)[1]
        for name, p in {begin: plan.params, "after": params}.items()
    }
    labels = plan.target[rows]
    if plan.form.classes is not None and labels.ndim == 2:
        labels = labels.argmax(1)
    data = Data(plan.x[rows].astype(np.float64), labels, plan.form, plan.title)
    return plots.of_training(latest.history, data, lambda x: output(plan.network, params, running, x), grads)


@contextmanager
def noted(ranks: Ranks) -> Iterator[None]:
    """What the data are warned of, as a line of rank 0."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always", UserWarning)
        yield
    print_lines(wide_console(stderr=True, quiet=ranks.rank > 0), *(f"note: {warning.message}" for warning in found))
