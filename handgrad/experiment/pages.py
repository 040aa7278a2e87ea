"""Two sides laid beside each other as a page: one pass, a whole training; and what one training reached."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from handgrad.experiment.text import COLUMNS, cell
from handgrad.html.curves import draw_curves
from handgrad.html.element import Html, element, join, table
from handgrad.html.page import Shown
from handgrad.report.badges import badge, verdict_badge
from handgrad.report.sections import heading, sections
from manual.training.state import Record

if TYPE_CHECKING:
    from handgrad.experiment.compare_pass_text import Comparison, Line
    from handgrad.experiment.compare_training_text import Trajectory

KINDS = {"exact": "good", "rounding": "", "not judged": "open", "wrong": "bad", "inherited": "inherited"}
NUMBERS = ("by hand", "autograd", "ulps")


def show_comparison(found: Comparison) -> Shown:
    """One pass: every tensor of both passes by hand and by autograd, then the judge's report."""
    digits = 9 if found.report.dtype == "float32" else 17
    loss = next(i for i, line in enumerate(found.lines) if line.name == "loss") + 1
    body = [element("h2", "By hand and by autograd")]
    for title, lines in (("Forward", found.lines[:loss]), ("Backward", found.lines[loss:])):
        rows = [show_tensor(line, digits) for line in lines]
        titles = ("tensor", "is", "shape", "worst at", *NUMBERS, "why")
        body += [element("h3", title), table(titles, rows, numbers=NUMBERS)]
    terms = "Worst at: the largest difference. Ulps: that one, in units in the last place of autograd's value there."
    body += [element("p", terms, class_="aside"), element("h2", "As the judge sees it"), *sections(found.report)]
    return Shown(f"{found.verdict.value}: {found.report.name}", heading(found.report), body)


def show_tensor(line: Line, digits: int) -> list[str]:
    """One row: the entry at which both sides are furthest apart."""
    shape, index = "x".join(map(str, line.shape)) or "scalar", ",".join(map(str, line.index)) or "-"
    values = (f"{line.hand:.{digits}g}", f"{line.autograd:.{digits}g}", f"{line.ulps:.3g}")
    return [line.name, badge(line.status, KINDS[line.status]), shape, index, *values, line.reason]


def show_trajectory(found: Trajectory) -> Shown:
    """A training twice: both losses, how far apart the runs are beside what rounding explains, and every step."""
    steps = found.steps
    where = f"({found.dtype}, {found.library} on {found.device}, lr {found.lr:g}, seed {found.seed})"
    body = [element("p", found.words[0].upper() + found.words[1:], " ", element("span", where, class_="aside"))]
    if steps:
        k = [s.step for s in steps]
        losses = {"by hand": [s.loss for s in steps], "by autograd": [s.loss_autograd for s in steps]}
        apart = {
            "by hand and by autograd": [s.parting for s in steps],
            "rounding explains": [s.explained for s in steps],
            "autograd twice, from starts 1 ulp apart": [s.nudged for s in steps],
        }
        curves = [draw_curves("loss", k, losses, "step"), draw_curves("difference of the parameters", k, apart, "step")]
        body += [element("h2", "Both runs"), element("div", *curves, class_="pair"), step_table(found)]
    if found.sees and found.failure is None:
        rows = [(t.name, f"{t.floor_median:.0e}", f"{t.floor_p90:.0e}") for t in found.sees]
        titles = ("tensor", "of half its entries", "of nine tenths")
        body += [element("h2", "Smallest detectable error, in the first step"), table(titles, rows, numbers=titles[1:])]
    if found.failure is not None and found.failure.report is not None:
        body += [element("h2", f"Step {found.failure.step} as the judge sees it"), *sections(found.failure.report)]
    title = f"{found.verdict.value}: {found.name}, {len(steps)} steps"
    return Shown(title, join(verdict_badge(found.verdict), f" {found.name}, {len(steps)} steps"), body)


def step_table(found: Trajectory) -> Html:
    """Every step as numbers."""
    numbers = ("loss by hand", "autograd", "difference", "ulps", "rounding explains", "from 1 ulp")
    rows = []
    for s in found.steps:
        values = (f"{s.loss:.9g}", f"{s.loss_autograd:.9g}", f"{s.parting:.2g}", f"{s.ulps:.3g}")
        rows.append((str(s.step), *values, f"{s.explained:.2g}", f"{s.nudged:.2g}", s.parameter))
    titles = ("step", *numbers, "in")
    return table(titles, rows, numbers=numbers)


def show_training(title: str, options: str, reached: str, history: Sequence[Record]) -> Shown:
    """What was trained, the curves of every epoch, and every epoch as numbers."""
    body = [element("p", reached), element("p", options, class_="aside")]
    found = [key for key in COLUMNS if any(key in record for record in history)]
    if history:
        epochs = [float(record["epoch"]) for record in history]
        curves = [draw_some(name, keys, epochs, history) for name, keys in CURVES.items() if set(keys) & set(found)]
        body += [element("h2", "By epoch"), element("div", *curves, class_="pair")]
        rows = [[cell(key, record.get(key)) for key in found] for record in history]
        body.append(table([COLUMNS[key] for key in found], rows, numbers=[COLUMNS[key] for key in found]))
    return Shown(title, title, body)


CURVES = {
    "loss": ("loss", "val_loss"),
    "accuracy": ("accuracy", "val_accuracy"),
    "norm of the gradient": ("grad_norm",),
    "learning rate": ("lr",),
}  # of a history's records, those of one picture


def draw_some(name: str, keys: Sequence[str], epochs: Sequence[float], history: Sequence[Record]) -> Html:
    """The curves of some columns."""
    nan = float("nan")
    columns = {COLUMNS[key]: [float(record.get(key, nan)) for record in history] for key in keys}
    return draw_curves(name, epochs, {k: v for k, v in columns.items() if any(x == x for x in v)}, "epoch")
