"""What two trainings side by side gave, as an object, as text and as JSON, all three with the same content."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, nan
from typing import Any

import numpy as np
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from handgrad.experiment.pages import show_trajectory
from handgrad.html.page import Paged, Shown
from handgrad.judge.compare import TensorReport
from handgrad.judge.planted_error import Control
from handgrad.judge.verdict import Verdict
from handgrad.report.console import WIDTH, render
from handgrad.report.report import as_plain
from handgrad.report.stage_rows import STYLES
from handgrad.subjects.training_step import Failure

ROWS = 10  # steps shown
LEGEND = (
    "apart: the largest difference of any parameter after the step, also in ulps of the network's largest parameter; "
    "bound: what rounding can make of it; nudged: the same between two runs by autograd whose starts differ by 1 ulp; "
    "curv.: lr times the largest curvature"
)


@dataclass(frozen=True)
class Step:
    """One step of both runs. The losses and the curvature are those before its update, the rest is after it."""

    step: int  # from 1
    loss: float  # by hand
    loss_autograd: float
    parting: float  # the largest difference of a parameter between the two runs
    parameter: str  # where it is
    at: tuple[int, ...]
    ulps: float  # the parting in units in the last place of the network's largest parameter
    nudged: float  # the same distance between autograd's run and autograd's from the moved start
    nudged_ulps: float
    explained: float  # the largest parting that rounding explains
    curvature: float  # lr times the largest eigenvalue of the second derivatives; nan where it was not computed


@dataclass(frozen=True)
class Trajectory(Paged):
    """Both trainings. nudge: by how much the moved start differs; planned: the number of batches given."""

    name: str
    dtype: str
    library: str
    device: str
    lr: float
    seed: int
    planned: int
    nudge: float
    steps: tuple[Step, ...]
    failure: Failure | None
    open: str  # the first stage that could not be judged, and why
    control: Control | None  # an error planted in the first step
    sees: tuple[TensorReport, ...]  # the gradients of the first step, with what their certificates see
    stopped: str  # why a refuted run ended early

    @property
    def parted(self) -> Step | None:
        """The first step after which the runs are further apart than rounding explains."""
        return next((s for s in self.steps if not s.parting <= s.explained), None)

    @property
    def verdict(self) -> Verdict:
        if self.failure is not None:
            return Verdict.REFUTED
        blind = self.control is not None and not self.control.caught
        return Verdict.UNRESOLVED if self.open or self.parted or blind else Verdict.CERTIFIED

    @property
    def amplification(self) -> float:
        """By how much the run has multiplied, at its end, the change of its start by one unit in the last place."""
        return self.steps[-1].nudged / self.nudge if self.steps else nan

    @property
    def chaotic(self) -> bool:
        """Whether one unit in the last place of the start has ever grown to half of the digits."""
        return any(s.nudged_ulps**2 * np.finfo(self.dtype).eps > 1 for s in self.steps)

    @property
    def looked(self) -> tuple[Step, ...]:
        """The steps whose curvature was computed."""
        return tuple(s for s in self.steps if isfinite(s.curvature))

    @property
    def edge(self) -> int | None:
        """The first step looked at where lr times the largest curvature is above 2; None where there is none."""
        return next((s.step for s in self.looked if s.curvature > 2), None)

    @property
    def words(self) -> str:
        """The whole in one sentence or a few."""
        return "; ".join(sentences(self)) + "."

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries and lists; values that are not finite as the strings "nan", "inf", "-inf"."""
        plain: dict[str, Any] = as_plain(self)
        if self.failure is not None and self.failure.report is not None:
            plain["failure"]["report"] = self.failure.report.to_dict()
        parted = None if self.parted is None else self.parted.step
        more = {"amplification": self.amplification, "chaotic": self.chaotic, "edge": self.edge, "parted": parted}
        return {"verdict": self.verdict.value, "words": self.words, **as_plain(more), **plain}

    def to_json(self) -> str:
        """`to_dict` as JSON."""
        return json.dumps(self.to_dict(), indent=1)

    def shown(self) -> Shown:
        """What its page says."""
        return show_trajectory(self)

    def text(self, *, color: bool = False, width: int = WIDTH) -> str:
        """The trajectory as a terminal shows it."""
        return render(self.renderable(), color=color, width=width)

    def __str__(self) -> str:
        return self.text()

    def renderable(self, *, verbose: bool = False) -> RenderableType:
        """The trajectory for a rich console. verbose: every step."""
        where = f"{self.dtype}, {self.library} on {self.device}, lr {self.lr:g}, seed {self.seed}"
        head = Text.assemble((self.verdict.value, STYLES[self.verdict]), f"  {self.name}")
        lines = [Text(f"{line[0].upper()}{line[1:]}.") for line in sentences(self)]
        if self.sees and self.failure is None:
            floors = ", ".join(f"{t.name} {t.floor_median:.0e} / {t.floor_p90:.0e}" for t in self.sees)
            lines.append(Text(f"Smallest detectable error (median / 90 %, first step): {floors}."))
        if self.failure is not None:
            lines = [Text(line, STYLES[self.verdict]) for line in explain_failure(self.failure)] + lines[1:]
        parts: list[RenderableType] = [
            table(self, self.steps if verbose else pick_steps(self)),
            Text(LEGEND, "dim"),
            *lines,
        ]
        return Group(head, *(Padding(part, (0, 0, 0, 2)) for part in [*parts, Text(where, "dim")]))


def table(found: Trajectory, steps: Sequence[Step]) -> Table:
    """A line for each of these steps."""
    grid = Table(box=None, pad_edge=False, header_style="bold")
    titles = ("step", "loss by hand", "autograd", "apart", "in", "ulps", "bound", "nudged", "curv.")
    for title in titles:
        grid.add_column(title, justify="left" if title == "in" else "right", overflow="fold")
    for s in steps:
        values = (f"{s.step}", f"{s.loss:.9g}", f"{s.loss_autograd:.9g}", f"{s.parting:.2g}", s.parameter)
        curvature = f"{s.curvature:.3f}" if isfinite(s.curvature) else "-"
        mark = "red" if found.failure is not None and s.step >= found.failure.step else ""
        grid.add_row(*values, f"{s.ulps:.3g}", f"{s.explained:.2g}", f"{s.nudged:.2g}", curvature, style=mark)
    return grid


def pick_steps(found: Trajectory) -> tuple[Step, ...]:
    """Evenly spread steps of those looked at, the last one, and the one that fails."""
    looked = found.looked[:: -(-len(found.looked) // ROWS)] if found.looked else ()
    fails = found.failure.step if found.failure is not None else 0
    chosen = {s.step for s in (*looked, *found.steps[-1:])} | {fails}
    return tuple(s for s in found.steps if s.step in chosen)


def explain_failure(failure: Failure) -> list[str]:
    """What is wrong, the mistake's name, and what the judge of the whole pass complains of besides."""
    lines = [f"step {failure.step}, {failure.where}: {failure.words}"]
    if failure.diagnosis is not None:
        lines.append(failure.diagnosis.words)
    return lines + list(failure.report.complaints if failure.report is not None else ())


def sentences(found: Trajectory) -> list[str]:
    """What happened, one clause each: the mistake or that there is none, the parting, the conditioning."""
    first = found.failure
    if first is not None:
        name = f" ({first.diagnosis.name})" if first.diagnosis is not None and first.diagnosis.known else ""
        lines = [f"wrong from step {first.step} on, in {first.where}{name}: {first.words}"]
    elif found.open:
        lines = [f"not every step could be judged: {found.open}"]
    else:
        lines = [f"every gradient and every update of {len(found.steps)} steps is right to rounding"]
    lines += [found.stopped] if found.stopped else []
    if not found.steps:
        return lines
    last, e = found.steps[-1], found.parted
    if found.control is not None and not found.control.caught:
        lines.append(f"but an error planted in {found.control.tensor} was not caught, so nothing here can be believed")
    lines.append(
        f"after {last.step} steps the runs differ by {last.parting:.2g} ({last.ulps:.3g} ulps) in {last.parameter}; a "
        f"start changed by one unit in the last place (ulp) leads to a difference of {last.nudged:.2g} (amplified "
        f"{found.amplification:.1g} times)"
    )
    if e is None:
        lines.append("at no step do they differ by more than the rounding bound")
    if found.chaotic:
        lines.append("so the run is chaotic: rounding decides which way it goes, not the formulas of either side")
    if e is not None and first is None:
        why = (
            "because of what could not be judged, or of errors that add up"
            if found.open
            else "every step is inside its own bounds, but their errors add up"
        )
        lines.append(
            f"after step {e.step} they differ by {e.parting:.2g} in {e.parameter}, rounding bound {e.explained:.2g}: "
            f"{why}"
        )
    return lines + edge(found)


def edge(found: Trajectory) -> list[str]:
    """lr times the largest curvature against 2, above which a step multiplies what it finds."""
    if not found.looked:
        return []
    steps = [s.step for s in found.looked]
    every = f", looked at every {steps[1] - steps[0]} steps" if len(steps) > 1 and steps[1] - steps[0] > 1 else ""
    if found.edge is None:
        most = max(s.curvature for s in found.looked)
        return [f"the rate times the largest curvature stays below 2 (at most {most:.3g}{every})"]
    before = max((s for s in steps if s < found.edge), default=None)
    since = (
        f"passed 2 between steps {before} and {found.edge}" if every and before else f"is above 2 at step {found.edge}"
    )
    return [f"the rate times the largest curvature {since}{every}"]
