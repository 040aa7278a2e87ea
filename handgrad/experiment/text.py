"""How a training is shown: one line that moves while it runs, then a table of its epochs and the accuracy reached."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import reduce
from time import perf_counter
from types import TracebackType
from typing import Any, Self

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from handgrad.experiment.architecture import SHAPES, make_optimizer
from handgrad.experiment.datasets import Form
from handgrad.experiment.datasets.layout import has_names, is_numbered
from handgrad.experiment.datasets.text import spell
from handgrad.experiment.plan import Options, Plan, trained_on
from handgrad.report.console import count_of, print_lines, report_console
from manual import preset
from manual.optimizers.schedules import constant
from manual.training.state import Record

ROWS = 12  # epochs in the table
SECONDS = 10  # at least, between two lines where there is no terminal
NAMED = 8  # columns in one line
BEGINNING = 60  # letters of a text that are shown
SMOOTH = 0.98  # of the loss shown stays from one step to the next
COLUMNS = {
    "epoch": "epoch",
    "loss": "loss",
    "val_loss": "validation loss",
    "accuracy": "accuracy",
    "val_accuracy": "validation accuracy",
    "lr": "learning rate",
    "grad_norm": "gradient norm",
}  # of a history's records, and their titles
SHORT = {"validation": "val.", "learning ": "", " norm": ""}  # words of the titles, where 80 columns must do


class Line:
    """Loss, learning rate, speed and remaining time while the block runs. To be called after each step.

    On a terminal one line that moves; elsewhere a line after an epoch, if none came in the last seconds. Where steps
    are compiled, how long the first of them took is told once, and the first epoch is no part of the speed.
    """

    def __init__(self, plan: Plan, samples: int, *, show: bool, compiled: bool = False) -> None:
        self.show, self.last = show, perf_counter()
        self.compiled, self.skipped, self.began = compiled, 0, 0.0  # steps and seconds that are no part of the speed
        self.samples, self.batches = samples, -(-samples // plan.options.batch_size)
        self.start, self.loss = plan.resume.step if plan.resume else 0, 0.0
        self.epochs, self.schedule = plan.options.epochs, plan.schedule or constant(1)
        self.base = plan.options.lr
        self.console = report_console(stderr=True, quiet=not show)
        self.progress = Progress(
            TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
            BarColumn(),
            TextColumn("{task.fields[numbers]}  "),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=self.console,
            transient=True,
            disable=not (show and self.console.is_terminal),
        )
        fields: dict[str, Any] = {
            "epoch": 0,
            "epochs": self.epochs,
            "numbers": "compiling" if compiled else "first step",
        }
        self.task = self.progress.add_task("", total=self.epochs * self.batches, completed=self.start, **fields)

    def __call__(self, E: float, step: int) -> None:
        """The loss of a step, and how many are made."""
        done = step - self.start
        keep = SMOOTH * (1 - SMOOTH ** (done - 1)) / (1 - SMOOTH**done)  # a mean of all, the late ones weighing more
        self.loss = keep * self.loss + (1 - keep) * E
        elapsed = self.progress.tasks[0].elapsed or 0.0
        seconds, steps = max(elapsed - self.began, 1e-9), done - self.skipped
        speed = steps * self.samples / self.batches / seconds
        known = self.skipped > 0 or not self.compiled
        if self.compiled and done == 1:
            print_lines(self.console, f"first steps compiled in {elapsed:.1f} s")
        if not known and step % self.batches == 0:
            self.skipped, self.began = done, elapsed
        epoch, lr = -(-step // self.batches), self.base * self.schedule(step - 1)
        numbers = f"loss {self.loss:.4g}  learning rate {lr:.4g}" + f"  {speed:,.0f} samples/s" * known
        if self.progress.disable:
            if self.show and step % self.batches == 0 and perf_counter() >= self.last + SECONDS:
                self.last = perf_counter()
                left = timedelta(seconds=round(seconds / steps * (self.epochs * self.batches - step)))
                print(f"epoch {epoch}/{self.epochs}  {numbers}  {left} left", file=sys.stderr, flush=True)
            return
        self.progress.update(self.task, completed=step, epoch=epoch, numbers=numbers)

    def __enter__(self) -> Self:
        self.progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.progress.stop()


def describe_options(options: Options, where: str, processes: int) -> list[str]:
    """What is trained, and where: a line each."""
    net = "-".join(map(str, options.layers))
    many = f" in {processes} processes" if processes > 1 else ""
    batches = f"batches of {options.batch_size}, seed {options.seed}"
    return [
        f"{net} {options.activation}, {options.loss}, {options.optimizer} at {options.lr:g}, {batches}",
        f"{where}, {options.dtype}{many}",
    ]


def describe_data(plan: Plan) -> list[str]:
    """What is learned from what, and how the inputs were brought to the network's numbers, where that is a choice."""
    form, lines = plan.form, list[str]()
    if form.columns:
        names = [f"{name} ({count_of(len(own), 'word')})" if own else name
                 for name, own in zip(form.columns, form.words or [()] * form.n_columns, strict=True)]  # fmt: skip
        shown = ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
        bare = "" if has_names(form) else "no header (numbers in the first row): "
        lines.append(f"{bare}learns {form.target_name} from {shown}")
    scaled = len(form.scaling.shift) > 1 or form.scaling.shift != (0.0,)
    if scaled:
        rows = len(trained_on(len(plan.x), plan.options.seed))
        lines.append(f"inputs: mean 0 and variance 1 over the {count_of(rows, 'row')} trained on")
    elif form.context:
        begins = "".join(spell(x) for x in plan.x[: BEGINNING : form.context])
        lines.append("letters: a to z, no capitals, no accents; white space one space, all else one _")
        lines.append(f"begins {begins!r}")
    else:
        (divisor,) = form.scaling.scale
        lines.append("inputs: as they stand in the file" if divisor == 1 else f"inputs: divided by {divisor:g}")
    return lines


def describe_more(options: Options) -> list[str]:
    """What is asked for beyond the usual, in one line."""
    asked = []
    if options.norm:
        asked.append(f"{options.norm} norm")
    if options.dropout:
        asked.append(f"dropout {options.dropout:g}")
    if options.weight_decay is not None:
        asked.append(f"weight decay {options.weight_decay:g}")
    if options.lr_schedule:
        asked.append(f"learning rate {SHAPES[options.lr_schedule]}")
    if options.early_stopping:
        asked.append(f"ends after {count_of(options.early_stopping, 'epoch')} without a lower validation loss")
    return [", ".join(asked)] if asked else []


def describe_preset(plan: Plan) -> list[str]:
    """What the preset stands for, a line each; of what options say besides, what is done."""
    name, options = plan.options.preset, plan.options
    if name is None:
        return []
    steps = make_optimizer(options.optimizer, options.lr, options.weight_decay)
    own = replace(preset(name), hidden=options.activation, optimizer=steps, batch_size=options.batch_size)
    lines = own.lines(classes=plan.form.classes is not None)
    return [f"--preset {name} stands for", *(f"  {line}" for line in lines)]


def table(history: Sequence[Record]) -> Table:
    """A line an epoch; of many epochs some, the first and the last among them."""
    found = [key for key in COLUMNS if any(key in record for record in history)]
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for key in found:
        grid.add_column(
            reduce(lambda title, word: title.replace(word, SHORT[word]), SHORT, COLUMNS[key]), justify="right"
        )
    for record in pick_epochs(history):
        grid.add_row(*(cell(key, record.get(key)) for key in found))
    return grid


def pick_epochs(history: Sequence[Record]) -> list[Record]:
    """At most ROWS of them, evenly spread."""
    last, count = len(history) - 1, min(ROWS, len(history))
    return [history[round(i * last / max(1, count - 1))] for i in range(count)]


def cell(key: str, value: Any) -> str:
    if value is None:
        return "-"
    if key.endswith("accuracy"):
        return f"{value:.2%}"
    return f"{value}" if key == "epoch" else f"{value:.4g}"


def describe_result(record: Record, held_back: int, form: Form, options: Options) -> str:
    """The number reached on the validation samples, in words.

    >>> from handgrad.experiment.datasets import load
    >>> form, options = load("digits").form, Options("digits", (64, 10), "relu", "mse", "sgd", 0.1, 1, 16, 0, "float32")
    >>> describe_result({"val_accuracy": 0.975, "val_loss": 0.1}, 200, form, options)
    'validation accuracy 97.50 % (195 of 200 digits)'
    """
    things = "digits" if options.data == "digits" else "next letters" if form.context else "samples"
    if "val_accuracy" in record:
        right = round(record["val_accuracy"] * held_back)
        return f"validation accuracy {100 * record['val_accuracy']:.2f} % ({right} of {held_back} {things})"
    if options.preset is not None:  # which may not have the mean for its loss
        return f"validation loss {record['val_loss']:.4g} on {held_back} {things}"
    scaling = form.target_scaling
    root = f"{record['val_loss'] ** 0.5:.4g} standard deviations"
    if scaling is not None and len(scaling.scale) == 1:
        name = "" if is_numbered(form.target_name) else form.target_name
        root = f"{record['val_loss'] ** 0.5 * scaling.scale[0]:.4g} {name}".rstrip()
    return f"off by {root} (root mean square) on {held_back} validation {things}"
