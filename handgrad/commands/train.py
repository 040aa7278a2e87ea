"""`handgrad train`: a network on the digits or on your own data, by hand or by autograd, in one process or several."""

import argparse
import shlex
import signal
import threading
import warnings
from argparse import BooleanOptionalAction
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from handgrad.commands.arguments import add_html
from handgrad.commands.train_checks import check_files, check_options, check_room
from handgrad.commands.training_arguments import add_training
from handgrad.experiment import distributed, plots
from handgrad.experiment import log as training_log
from handgrad.experiment.architecture import SCHEDULES, SHAPES
from handgrad.experiment.backends import ARRAYS, DEVICES, SIDES, Backend, be_deterministic, choose_backend, fit
from handgrad.experiment.datasets import Data
from handgrad.experiment.distributed import Ranks
from handgrad.experiment.keep import Keeper, TakenError
from handgrad.experiment.pages import show_training
from handgrad.experiment.place import is_found
from handgrad.experiment.plan import VALIDATION, Plan, begin, evaluate, resume_from
from handgrad.experiment.text import (
    Line,
    describe_data,
    describe_more,
    describe_options,
    describe_preset,
    describe_result,
    table,
)
from handgrad.report.console import count_of, describe_error, print_lines, print_warnings, report_console, write_page
from manual import NonFiniteLossError, Training, loss_and_gradients
from manual.training.batches import split
from manual.training.plan import convert_arrays

INTERRUPTED = 130  # the exit code of what Ctrl-C ended
LARGE = 1_024  # samples behind a plot's gradient norms


def add_parser(commands: Any) -> None:
    """Add `train` to the command line."""
    command = commands.add_parser(
        "train",
        help="train a network on the digits or your own data, by hand or by autograd",
        description="Train a network. Without arguments: on handwritten digits, in NumPy, by hand-derived gradients, "
        "for 30 epochs, to a validation accuracy of 97 % or more. In several processes: torchrun "
        "--nproc-per-node 2 -m handgrad train.",
    )
    add_training(command)
    option = command.add_argument
    option("--epochs", type=int, metavar="N", help="counted from the beginning, also when resumed (30)")
    option("--lr-schedule", choices=tuple(SCHEDULES), metavar="NAME", help="of the learning rate, over all epochs: "
           f"{', '.join(f'{name} ({words})' for name, words in SHAPES.items())} (none)")  # fmt: skip
    option("--early-stopping", type=int, metavar="N", help="end after N epochs without a lower validation loss, with "
           "the weights of the best one (never)")  # fmt: skip
    each = "manual (arrays alone), hand (torch with hand-derived gradients), autograd (torch alone)"
    option("--side", choices=SIDES, metavar="NAME", help=f"{each} (manual; in several processes hand)")
    option("--array", choices=ARRAYS, metavar="NAME", help="library of the manual side: numpy, torch, jax (numpy)")
    option("--device", choices=DEVICES, default="cpu", metavar="NAME", help="cpu, cuda, or auto: cuda if there (cpu)")
    option("--compile", action=BooleanOptionalAction, help="one program of many steps with JAX (its default), of one "
           "step with torch: the same curve, to rounding")  # fmt: skip
    option("--threads", type=int, metavar="N", help="of NumPy and torch (one for small networks, else one less than "
           "there are cores)")  # fmt: skip
    option("--deterministic", action="store_true", help="only algorithms that give the same bits again, on a GPU too")
    option("--checkpoint", type=Path, metavar="FILE", help="written as epochs end, once a second at most, and at the "
           "end: .safetensors")  # fmt: skip
    option("--resume", action="store_true", help="go on from --checkpoint, with the options it began with; "
           "where there is none yet, begin")  # fmt: skip
    option("--log", type=Path, metavar="FILE", help="one JSON object per epoch: .jsonl (torchrun takes it for its own "
           "option, unless there is a -- before handgrad)")  # fmt: skip
    option("--tensorboard", type=Path, metavar="FOLDER", help="TensorBoard's files as well, if it is installed")
    option("--plot", type=Path, metavar="FILE", help="loss curves, gradient norms, confusion matrix: .png")
    add_html(command)
    command.set_defaults(run=run, parser=command)


class Outcome(NamedTuple):
    """What came of a training."""

    latest: Training | None
    problem: str = ""
    lost: bool = False  # another process
    taken: bool = False  # the checkpoint, by another training


def run(args: argparse.Namespace) -> int:
    """`handgrad train`."""
    ranks = Ranks.here()
    side = args.side or ("hand" if ranks.world > 1 else "manual")
    try:
        given = check_options(args, side, ranks)
    except ValueError as error:
        if ranks.rank == 0:  # all processes were given the same, and one says it
            args.parser.error(str(error))
        return 2
    try:
        backend = choose_backend(side, args.array, args.device, ranks, args.compile)
        backend = replace(backend, threads=args.threads)
        if args.deterministic:
            be_deterministic()
        if ranks.rank == 0:
            check_files(args)
        with print_warnings(quiet=ranks.rank > 0):
            plan = start(args, given)
        if ranks.rank == 0 and args.checkpoint is not None:
            check_room(args.checkpoint, plan)
        with ExitStack() as stack:
            if ranks.world > 1:
                stack.enter_context(distributed.connect(backend.device))
                distributed.check_same(data=plan.digest, options=plan.options, step=plan.resume and plan.resume.step)
            return train(args, plan, backend)
    except (OSError, ValueError, ModuleNotFoundError) as error:
        args.parser.error((f"rank {ranks.rank}: " if ranks.rank else "") + describe_error(error))
    return 2  # what error() exits with


def start(args: argparse.Namespace, given: dict[str, Any]) -> Plan:
    """The plan of a new training, or of the one to go on with, where its checkpoint has been written already."""
    if args.resume and args.checkpoint.exists():
        return resume_from(args.checkpoint, given)
    if args.resume:
        warnings.warn(f"{args.checkpoint} is not there yet: a new training begins", UserWarning, stacklevel=2)
    return begin(given)


def train(args: argparse.Namespace, plan: Plan, backend: Backend) -> int:
    """From the plan to the accuracy reached; the exit code."""
    options, console, ranks = plan.options, report_console(), backend.ranks
    console.quiet = ranks.rank > 0  # rank 0 alone prints and writes
    samples, held_back = (part.rows for part in split(plan.x, plan.target, VALIDATION, options.seed))
    title = describe_options(options, str(backend), ranks.world)
    print_lines(console, plan.title, *title)
    print_lines(console, *describe_data(plan), *describe_more(options), *describe_preset(plan))
    line, began = Line(plan, len(samples), show=ranks.rank == 0, compiled=backend.compiled), perf_counter()
    keeper = Keeper(None if ranks.rank else args.checkpoint, plan)
    with line, stop_on_sigterm():
        latest, problem, lost, taken = attempt(plan, backend, keeper, [] if ranks.rank else make_logs(args), line)
    seconds = perf_counter() - began
    if latest and latest.history:
        console.print(table(latest.history))
    if problem:
        errors = report_console(stderr=True, quiet=ranks.rank > 0 and not lost)
        print_lines(errors, *([problem] if taken else [f"{problem};", advise(args, plan, keeper.kept, backend)]))
        return 1
    assert latest is not None
    if latest.epoch < options.epochs and not ended_early(plan, latest):
        place = f"step {latest.step}, in epoch {latest.epoch + 1} of {options.epochs}"
        print_lines(console, f"stopped after {place}; {advise(args, plan, keeper.kept, backend)}")
        code = INTERRUPTED
    else:
        print_lines(console, conclude(plan, latest, len(held_back), seconds))
        code = 0
    if ranks.rank == 0:
        try:
            for path in write_pictures(args, plan, latest, held_back, seconds):
                print_lines(console, f"drew {path}")
        except OSError as error:
            print_lines(report_console(stderr=True), describe_error(error))
            return 1
    return code


def write_pictures(
    args: argparse.Namespace, plan: Plan, latest: Training, held_back: Any, seconds: float
) -> Iterator[Path]:
    """The plot and the page that were asked for, each after it was written. Raises OSError."""
    if args.plot is not None:
        plots.save(args.plot, *draw(plan, latest, held_back))
        yield args.plot
    if args.html is not None:
        options = "; ".join(describe_options(plan.options, args.side or "manual", 1))
        reached = conclude(plan, latest, len(held_back), seconds) if latest.history else "no epoch was finished"
        write_page(args.html, show_training(plan.title, options, reached, latest.history))
        yield args.html


def conclude(plan: Plan, latest: Training, held_back: int, seconds: float) -> str:
    """What a whole training reached."""
    reached = describe_result(latest.history[latest.epoch - 1], held_back, plan.form, plan.options)
    epochs = count_of(len(latest.history), "epoch")
    if ended_early(plan, latest):
        return f"{reached} in epoch {latest.epoch}, the best of {epochs} in {seconds:.1f} s; its weights are kept"
    if plan.resume is not None and plan.resume.step == latest.step:
        return f"{reached}; nothing was left to do after {epochs}, give more by --epochs"
    return f"{reached}, after {epochs} in {seconds:.1f} s"


def ended_early(plan: Plan, latest: Training) -> bool:
    """Whether patience has ended the training, or gone back from its last epoch: later ones are in the history."""
    whole = latest.step == latest.epoch * plan.batches
    return plan.options.early_stopping is not None and whole and len(latest.history) > latest.epoch


def attempt(plan: Plan, backend: Backend, keeper: Keeper, logs: list[Callable[[Training], Any]], line: Line) -> Outcome:
    """The training, or the last whole epoch of it and what went wrong."""
    latest = plan.resume

    def remember(training: Training) -> None:
        nonlocal latest
        latest = training

    try:
        with keeper:
            training = fit(plan, backend, (remember, keeper, *logs), line)
        return Outcome(training)
    except NonFiniteLossError as error:
        return Outcome(latest, str(error))
    except OSError as error:
        return Outcome(latest, describe_error(error), taken=isinstance(error, TakenError))
    except RuntimeError as error:  # torch raises no other where a process is gone
        if backend.ranks.world == 1:
            raise
        first = str(error).partition("\n")[0]
        return Outcome(latest, f"rank {backend.ranks.rank}: lost another process, or failed ({first})", True)


@contextmanager
def stop_on_sigterm() -> Iterator[None]:
    """Take SIGTERM, by which a launcher or a batch system ends a process, for Ctrl-C until the block ends."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda number, frame: signal.raise_signal(signal.SIGINT))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def make_logs(args: argparse.Namespace) -> list[Callable[[Training], Any]]:
    """What is written of every epoch, as callbacks of the training."""
    found: list[Callable[[Training], Any]] = []
    if args.log is not None:
        found.append(training_log.json_lines(args.log))
    if args.tensorboard is not None:
        found.append(training_log.tensorboard(args.tensorboard))
    return found


def advise(args: argparse.Namespace, plan: Plan, kept: Training | None, backend: Backend) -> str:
    """Where a training that ended early can be taken up again, and how. Of what is kept, rank 0 alone knows."""
    if args.checkpoint is None:
        return "nothing is kept; with --checkpoint FILE it could be resumed"
    if kept is None and backend.ranks.rank == 0:
        return f"{args.checkpoint} was not written yet"
    world = backend.ranks.world
    command = f"torchrun --nproc-per-node {world} -m handgrad" if world > 1 else "handgrad"
    words = ["train", "--resume", "--checkpoint", str(args.checkpoint)]
    words += ["--side", backend.side] if backend.side != "manual" else []
    words += ["--array", args.array] if args.array is not None else []
    words += ["--device", args.device] if args.device != "cpu" else []
    words += ["--data", args.data] if not is_found(plan.options.data, args.checkpoint) else []
    holds = "" if kept is None else f"{args.checkpoint} holds step {kept.step}; "
    return f"{holds}go on with: {command} {shlex.join(words)}"


def draw(plan: Plan, latest: Training, rows: Any) -> tuple[plots.Plot, ...]:
    """The history's curves, the norms of the gradients before and after, and the validation samples."""
    params, running = convert_arrays((latest.params, latest.running), np.empty(0))
    begin = "before" if plan.resume is None else f"at step {plan.resume.step}"
    grads = {
        name: loss_and_gradients(plan.network, p, plan.x[:LARGE], plan.target[:LARGE], plan.loss)[1]
        for name, p in {begin: plan.params, "after": params}.items()
    }
    labels = plan.target[rows]
    if plan.form.classes is not None and labels.ndim == 2:
        labels = labels.argmax(1)
    data = Data(plan.x[rows].astype(np.float64), labels, plan.form, plan.title)
    return plots.of_training(latest.history, data, lambda x: evaluate(plan.network, params, running, x), grads)
