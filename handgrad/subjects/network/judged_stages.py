"""Every stage of a network judged by itself, and what else its backward pass promises."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from array_api_compat import array_namespace, device

from handgrad.arrays.precision import like, plain, to64
from handgrad.explain.notes import Explanation, explain
from handgrad.judge.compare import StageReport, unmeasured
from handgrad.judge.constants import SAMPLES
from handgrad.judge.contracts import check_contracts
from handgrad.judge.isolation import attempt, duplicate, raised_at
from handgrad.judge.judge import judge
from handgrad.judge.judgement import Judgement
from handgrad.judge.promises import Contract, Promise
from handgrad.judge.stage import Stage
from handgrad.judge.trial import Trial
from handgrad.judge.verdict import Verdict
from handgrad.report.report import StageContracts
from handgrad.subjects.network.chain import ChainValues
from handgrad.subjects.network.network_run import Point, Run, run_by_hand
from handgrad.subjects.network.special_values import SPECIAL, OwnNumbers
from handgrad.subjects.network.stages import layer_stage, list_stages, loss_stage


@dataclass(frozen=True, eq=False)
class JudgedStage:
    """A stage's report; the judgement behind it, None where the code raised; its words; at which special numbers."""

    report: StageReport
    judgement: Judgement | None = None
    words: Explanation | None = None
    where: str = ""


def judge_stages(
    point: Point, run: Run, reference: ChainValues, rng: np.random.Generator, slack: float, *, name_it: bool
) -> list[JudgedStage]:
    """Every stage at the run's own numbers, fed the reference's upstream gradient; a right one at special values too.

    name_it: whether a mistake may get its name.
    """
    return [
        judge_stage(stage, point, i, run, reference, rng, slack, name_it=name_it)
        for i, stage in enumerate(list_stages(point))
    ]


def judge_stage(
    stage: Stage, point: Point, i: int, run: Run, reference: ChainValues, rng: np.random.Generator, slack: float,
    *, name_it: bool,
) -> JudgedStage:  # fmt: skip
    """Stage i at the run's own numbers; where it is right there, at special values too."""
    inputs = {"x": run.trace[i].x, **(point.params[i] if i < len(point.params) else {})}
    dy = like(reference.upstream(i, np.asarray(point.dE)), run.trace[i].y)
    trial = Trial(stage, inputs, dy, slack, int(rng.integers(2**63)))
    judged = judge_own_values(trial, run, i, name_it=name_it)
    if judged.report.verdict is not Verdict.CERTIFIED:
        return judged
    return judge_special_values(point.first(SAMPLES), i, replace(trial, seed=0), run, rng) or judged


def judge_own_values(trial: Trial, run: Run, i: int, *, name_it: bool) -> JudgedStage:
    """Stage i from the run's own cache."""
    gave = attempt(lambda: {"y": run.trace[i].y, **run.backward(i, duplicate(trial.dy))})
    if gave.value is None:
        return JudgedStage(describe_raised(trial.stage, gave.error, Verdict.REFUTED))
    return judge_and_explain(replace(trial, given=gave.value), name_it=name_it)


def judge_special_values(few: Point, i: int, trial: Trial, run: Run, rng: np.random.Generator) -> JudgedStage | None:
    """Stage i at every special draw that it takes; None if it is wrong at none of them."""
    subject, target = trial.stage.subject, plain(few.target) if i == len(few.params) else None
    own = OwnNumbers(subject, to64(run.trace[i].x)[:SAMPLES], target, trial.dtype, rng)
    for draw in SPECIAL:
        if not isinstance(subject, draw.stages) or (numbers := draw.put(own)) is None:
            continue
        trial_there = move_to(few, i, trial, numbers, rng)
        found = attempt(judge_and_explain, trial_there, name_it=True).value  # what it raises the contracts say
        if found is not None and found.report.verdict is Verdict.REFUTED:
            return replace(found, where=f"right at the run's own numbers, wrong at {draw.name}: {draw.what}")
    return None


def move_to(few: Point, i: int, trial: Trial, numbers: tuple[Any, Any], rng: np.random.Generator) -> Trial:
    """The trial of stage i with another x, another target, and an upstream gradient drawn for them."""
    x, target = numbers
    if i == len(few.params):
        stage = loss_stage(trial.stage.name, few.loss, take_in(target, few.target))
        dy = like(rng.normal(size=()), trial.dy)
    else:
        stage = layer_stage(trial.stage.name, few.network.layers[i], few.states[i])
        dy = like(rng.normal(size=x.shape), trial.dy)
    return trial.at(stage=stage, inputs={**trial.inputs, "x": like(x, few.x)}, dy=dy, seed=int(rng.integers(2**63)))


def take_in(target: Any, model: Any) -> Any:
    """A plain target in the library, on the device and in the precision of the run's own."""
    if target.dtype.kind == "f":
        return like(target, model)
    xp = array_namespace(model)
    return xp.asarray(target, dtype=model.dtype, device=device(model))


def judge_and_explain(trial: Trial, *, name_it: bool) -> JudgedStage:
    """The judgement of one stage, and its words where they may be said."""
    judged = attempt(judge, trial)
    if judged.value is None:
        return JudgedStage(describe_raised(trial.stage, judged.error, Verdict.UNRESOLVED))
    words = explain(judged.value) if name_it else None
    return JudgedStage(words.report if words else judged.value.report, judged.value, words)


def describe_raised(stage: Stage, error: Exception | None, verdict: Verdict) -> StageReport:
    """A stage whose backward pass, or whose judgement, stopped with an error, and at which line."""
    words = f"{type(error).__name__}: {error}{raised_at(error)}"
    return StageReport(stage.name, (unmeasured("dx", (), verdict, 0, words),))


def check_stage_contracts(point: Point, rng: np.random.Generator) -> tuple[StageContracts, ...]:
    """The contracts of every stage, on its own input and a random upstream gradient."""
    found = []
    for stage, own, params in zip(list_stages(point), run_by_hand(point).trace, (*point.params, {}), strict=True):
        dy = like(rng.normal(size=tuple(getattr(own.y, "shape", ()))), own.y)  # of a number: the wiring says so
        trial = Trial(stage, {"x": own.x, **params}, dy)
        found.append(StageContracts(stage.name, contracts_of(trial, rng)))
    return tuple(found)


def contracts_of(trial: Trial, rng: np.random.Generator) -> tuple[Contract, ...]:
    """The stage's contracts; what it raises on its own numbers its row in the report says already."""
    kept = attempt(check_contracts, trial, rng)
    return kept.value or (Contract(Promise.RUNS, None, f"{type(kept.error).__name__}: {kept.error}"),)
