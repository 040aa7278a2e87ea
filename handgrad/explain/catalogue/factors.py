"""The factors that slip in: each by its name, with what usually did it."""

from collections.abc import Callable
from typing import NamedTuple

import manual
from handgrad.explain.recognise.failed_trial import FailedTrial


class Factor(NamedTuple):
    """value(trial) is the factor, or None where it cannot slip in."""

    name: str
    why: str
    value: Callable[[FailedTrial], float | None]


class Named(NamedTuple):
    """A factor on the numbers of one trial."""

    name: str
    why: str
    value: float


TABLE = (
    Factor("2", "A factor 2 slipped in: the 1/2 of the loss was forgotten, or the gradient was added up twice.",
           lambda t: 2.0),
    Factor("1/2", "A factor 1/2 slipped in: the loss has none, or the 2 of a square's derivative was forgotten.",
           lambda t: 0.5),
    Factor("N, the batch size", "The sum over the batch was taken where the mean belongs.",
           lambda t: t.N),
    Factor("1/N", "The mean over the batch was taken where the sum belongs, or it was averaged twice.",
           lambda t: 1 / t.N),
    Factor("the number of outputs", "The sum over the outputs was taken where the mean belongs.",
           lambda t: t.outputs),
    Factor("1 over the number of outputs", "The mean over the outputs was taken where the sum belongs.",
           lambda t: 1 / t.outputs),
    Factor("batch size times outputs", "The sum over all entries was taken where the mean belongs.",
           lambda t: t.N * t.outputs),
    Factor("1 over batch size times outputs", "The mean over all entries was taken where the sum belongs.",
           lambda t: 1 / (t.N * t.outputs)),
    Factor("-1", "The sign is turned: the step would climb the error instead of going down.",
           lambda t: -1.0),
    Factor("N/2", "It is the gradient of 1/2 the sum; the loss is the mean over all samples.",
           lambda t: t.N / 2 if may_be(t, "mean") else None),
    Factor("2/N", "It is the gradient of the mean over all samples; the loss is 1/2 the sum.",
           lambda t: 2 / t.N if may_be(t, "sum") else None),
    Factor("half of batch size times outputs",
           "It is the gradient of 1/2 the sum; the loss is the mean over all entries.",
           lambda t: t.N * t.outputs / 2 if t.outputs > 1 and may_be(t, "mean") else None),
    Factor("2 over batch size times outputs",
           "It is the gradient of the mean over all entries; the loss is 1/2 the sum.",
           lambda t: 2 / (t.N * t.outputs) if t.outputs > 1 and may_be(t, "sum") else None),
    Factor("N/(N-1)", "The divisor is N - 1 where N belongs.",
           lambda t: t.N / (t.N - 1) if t.N > 1 else None),
    Factor("(N-1)/N", "The divisor is N where N - 1 belongs.",
           lambda t: (t.N - 1) / t.N if t.N > 1 else None),
    Factor("the number of inputs",
           "The bias was put inside the sum over the inputs, so its gradient is added up once per input.",
           lambda t: t.x.shape[-1] if t.x.ndim and set(t.failing) == {"db"} else None),
    Factor("1 - p, the share of units kept", "The scale 1 / (1 - p) of inverted dropout was forgotten.",
           lambda t: 1 - t.stage.subject.p if isinstance(t.stage.subject, manual.Dropout) else None),
    Factor("1 / (1 - p)", "The scale 1 / (1 - p) of inverted dropout was applied twice.",
           lambda t: 1 / (1 - t.stage.subject.p) if isinstance(t.stage.subject, manual.Dropout) else None),
)  # fmt: skip


def may_be(trial: FailedTrial, reduction: str) -> bool:
    """Whether the stage is a loss of several samples with this reduction, or with one that is not known."""
    known = getattr(trial.stage.subject, "reduction", None) or reduction
    return trial.y.ndim == 0 and trial.N > 1 and (known == "sum") == (reduction == "sum")


def name_factors(trial: FailedTrial) -> list[Named]:
    """Every factor of the table on these numbers, then all of them with the sign turned."""
    values = ((row, row.value(trial)) for row in TABLE)
    found = [Named(row.name, row.why, float(value)) for row, value in values if value is not None]
    turned = [Named(f"-({f.name})", f"{f.why} And the sign is turned.", -f.value) for f in found if f.name != "-1"]
    return [f for f in (*found, *turned) if f.value != 1 and (f.value != -1 or f.name == "-1")]
