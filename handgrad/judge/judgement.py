"""A judgement: a trial with the verdict on each of its tensors and the arrays behind it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Self

from handgrad.judge.compare import Evidence, StageReport, TensorReport, absent, compare
from handgrad.judge.ladder import Rung
from handgrad.judge.note import HowJudged
from handgrad.judge.trial import Trial
from handgrad.judge.verdict import Verdict


class Way(Enum):
    """How the bound was found."""

    BALLS = "by rounding bounds that ran through the code itself"
    NOISE = "by the noise of the reference"


WHY_NOISE = (
    " (the code writes into buffers, or is opaque, or has no finite rounding bound, or rounding decides which branch "
    "it takes)"
)


def say_way(way: Way, where: Sequence[str] = ()) -> HowJudged:
    """The note on it. where: what was judged so, if not all was."""
    at = f": {', '.join(where)}" if where else ""
    if way is Way.BALLS:
        return HowJudged(f"judged {way.value}{at}")
    return HowJudged(f"judged {way.value}{WHY_NOISE}{at}", brief=f"judged {way.value}{at}")


@dataclass(frozen=True, eq=False)
class Judgement:
    """The trial's report; evidence: hand, reference and bound of each tensor; way: None before there is a bound."""

    trial: Trial
    report: StageReport
    evidence: Mapping[str, Evidence]
    way: Way | None = None
    notes: tuple[str, ...] = ()
    rung: Rung | None = None  # of the precision ladder, for bfloat16 and float16

    @property
    def verdict(self) -> Verdict:
        """The verdict on the whole stage."""
        return self.report.verdict

    def failing(self) -> list[str]:
        """The names of the refuted tensors."""
        return [t.name for t in self.report.tensors if t.verdict is Verdict.REFUTED]

    def noted(self, *notes: str) -> Self:
        """With these notes, each under the stage's name."""
        return replace(self, notes=(*self.notes, *(f"{self.report.name}: {note}" for note in notes)))

    def with_tensors(self, tensors: Mapping[str, TensorReport]) -> Self:
        """With these tensor reports in place of those of the same names."""
        changed = tuple(tensors.get(t.name, t) for t in self.report.tensors)
        return replace(self, report=replace(self.report, tensors=changed))


def judgement(trial: Trial, way: Way | None, evidence: Mapping[str, Evidence]) -> Judgement:
    """Every tensor compared inside its bound; one that the code did not give is refuted."""
    tensors = tuple(
        absent(name, e.reference) if name in trial.missing else measure(trial, name, e) for name, e in evidence.items()
    )
    return Judgement(trial, StageReport(trial.stage.name, tensors), evidence, way)


def measure(trial: Trial, name: str, e: Evidence) -> TensorReport:
    """One tensor of the trial inside its bound."""
    report = compare(name, e.hand, e.reference, e.bound, trial.arithmetic.huge)
    given = trial.hand[name]
    if e.hand.shape == () != e.reference.shape and not hasattr(given, "shape"):
        kind = type(given).__name__
        return replace(report, reason=f"got a number of type {kind}, expected an array of shape {e.reference.shape}")
    return report
