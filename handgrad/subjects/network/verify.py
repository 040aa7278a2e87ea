"""Judge a hand-derived network: every stage certified, the chain checked, the first wrong stage named."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from array_api_compat import array_namespace, device

from handgrad.arrays.precision import dtype_name, like, plain, to64
from handgrad.explain.notes import Explanation, explain
from handgrad.judge.compare import StageReport, rename, unmeasured
from handgrad.judge.constants import SAMPLES
from handgrad.judge.contracts import check_contracts
from handgrad.judge.isolation import attempt, duplicate
from handgrad.judge.judge import judge
from handgrad.judge.judgement import Judgement, Way
from handgrad.judge.planted_error import plant_error
from handgrad.judge.promises import OVERWRITES, Contract, Promise
from handgrad.judge.settings import check_slack, choose_seed
from handgrad.judge.stage import Stage
from handgrad.judge.trial import Trial
from handgrad.judge.verdict import Verdict
from handgrad.report.report import Report, StageContracts
from handgrad.report.stage_rows import StageRow
from handgrad.subjects.network.chain import ChainValues, noise, reference_chain
from handgrad.subjects.network.end_to_end import check_directions, compare_with_chain
from handgrad.subjects.network.entry_points import check_entry_points
from handgrad.subjects.network.network_run import Point, Run, run_by_hand
from handgrad.subjects.network.special_values import SPECIAL, Place
from handgrad.subjects.network.stages import layer_stage, list_stages, loss_stage, name_tensors
from manual import Loss, Network, Params
from manual.checks import check_batch, check_differentiable, check_params, check_target


def verify(
    network: Network,
    params: Sequence[Params],
    x: Any,
    target: Any,
    loss: Loss,
    *,
    states: Sequence[Any] | None = None,
    seed: int | None = None,
    slack: float = 1.0,
    name: str = "",
) -> Report:
    """Certify, stage by stage, the hand-derived gradients of a network and its loss on one batch.

    Shapes: x (N, n_in), target (N, n_out) or class indices (N,); any array library; float64, float32, bfloat16
    or float16.
    The upstream gradient of the loss is drawn at random (`seed`; a fresh one is drawn and reported if None). slack
    multiplies every bound, and with it the smallest detectable error. Errors as `manual.gradients`, and TypeError or
    ValueError for a slack that is no finite number of at least 1, and for a seed that is no whole number.

    >>> from manual import HalfSquaredError, mlp
    >>> net, rng = mlp([3, 2, 1]), np.random.default_rng(0)
    >>> verify(net, net.init(0), rng.normal(size=(4, 3)), rng.normal(size=(4, 1)), HalfSquaredError()).verdict
    <Verdict.CERTIFIED: 'CERTIFIED'>
    """
    check_slack(slack)
    seed = choose_seed(seed)
    if dtype_name(x) == "float16" and not isinstance(x, torch.Tensor):
        raise TypeError("x: float16 is judged on torch tensors, which sum in float32; give those, or float32")
    check_differentiable(network)
    check_params(network, params)
    check_batch(network, params, x, states)
    check_target(network, params, x, target, loss)
    given = tuple(states) if states is not None else (None,) * len(network.layers)
    rng = np.random.default_rng(seed)
    dE = float(to64(like(np.asarray(rng.choice((-1, 1)) * rng.uniform(0.5, 2)), x)))  # any scalar but one
    return judge_point(Point(network, params, x, target, loss, given, dE), rng, seed, slack, name)


def judge_point(point: Point, rng: np.random.Generator, seed: int, slack: float, name: str) -> Report:
    """The run at this point: its stages, its chain, its contracts, its directions, and a planted error."""
    x, dtype = point.x, dtype_name(point.x)
    run, reference, names = run_by_hand(point), reference_chain(point), name_tensors(point.network)
    few = point.first(SAMPLES)
    contracts = check_stage_contracts(few, rng)
    along, unchecked = check_directions(few, dtype, rng, slack)
    overwritten = any(c.name in OVERWRITES and c.held is False for stage in contracts for c in stage.contracts)
    stages = judge_stages(point, run, reference, rng, slack, name_it=not overwritten)
    return Report(
        name=name or " - ".join(type(f).__name__ for f in (*point.network.layers, point.loss)),
        dtype=dtype,
        library=type(x).__module__.partition(".")[0],
        device=str(getattr(x, "device", "cpu")),
        seed=seed,
        slack=slack,
        stages=tuple(make_rows(stages, point, run, reference, names, slack)),
        wiring=(*run.wiring, *check_entry_points(few)),
        directions=along,
        control=plant_error([s.judgement for s in stages if s.judgement], own_names(stages, names), rng),
        contracts=contracts,
        notes=tuple(list_remarks(stages, unchecked)),
    )


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
    few, found = point.first(SAMPLES), []
    for i, stage in enumerate(list_stages(point)):
        inputs = {"x": run.trace[i].x, **(point.params[i] if i < len(point.params) else {})}
        dy = like(reference.upstream(i, np.asarray(point.dE)), run.trace[i].y)
        seed = int(rng.integers(2**63))
        judged = judge_stage(Trial(stage, inputs, dy, slack, seed), run, i, name_it=name_it)
        if judged.report.verdict is Verdict.CERTIFIED:
            judged = judge_special_values(few, i, Trial(stage, inputs, dy, slack), run, rng) or judged
        found.append(judged)
    return found


def judge_stage(trial: Trial, run: Run, i: int, *, name_it: bool) -> JudgedStage:
    """Stage i from the run's own cache."""
    gave = attempt(lambda: {"y": run.trace[i].y, **run.backward(i, duplicate(trial.dy))})
    if gave.value is None:
        return JudgedStage(describe_raised(trial.stage, gave.error, Verdict.REFUTED))
    return judge_and_explain(replace(trial, given=gave.value), name_it=name_it)


def judge_special_values(few: Point, i: int, trial: Trial, run: Run, rng: np.random.Generator) -> JudgedStage | None:
    """Stage i at every special draw that it takes; None if it is wrong at none of them."""
    subject, target = trial.stage.subject, plain(few.target) if i == len(few.params) else None
    place = Place(subject, to64(run.trace[i].x)[:SAMPLES], target, trial.dtype, rng)
    for draw in SPECIAL:
        if not isinstance(subject, draw.stages) or (numbers := draw.put(place)) is None:
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
    """A stage whose backward pass, or whose judgement, stopped with an error."""
    return StageReport(stage.name, (unmeasured("dx", (), verdict, 0, f"{type(error).__name__}: {error}"),))


def make_rows(
    stages: Sequence[JudgedStage], point: Point, run: Run, reference: ChainValues,
    names: Sequence[Mapping[str, str]], slack: float,
) -> Iterator[StageRow]:  # fmt: skip
    """Every stage by itself and in the chained pass, its tensors under the lectures' names."""
    reports = [stage.report for stage in stages]
    sigma = attempt(noise, point, dtype_name(point.x)).value  # None: it does not run on the judge's arrays
    for i, stage in enumerate(stages):
        chained = () if sigma is None else compare_with_chain(i, run, reference, sigma, reports, slack)
        chained = tuple(replace(c, name=names[i].get(c.name, c.name)) for c in chained)
        diagnosis = stage.words.diagnosis if stage.words else None
        yield StageRow(stage.report.name, rename(stage.report, names[i]), chained, diagnosis)


def own_names(stages: Sequence[JudgedStage], names: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """The names of those stages that were judged."""
    return [own for stage, own in zip(stages, names, strict=True) if stage.judgement]


def list_remarks(stages: Sequence[JudgedStage], unchecked: str) -> Iterator[str]:
    """What else a reader must know; unchecked: why the chain was not checked along directions."""
    yield from (f"{stage.report.name}: {stage.where}" for stage in stages if stage.where)
    for stage in stages:
        yield from stage.words.notes if stage.words else stage.judgement.notes if stage.judgement else ()
    noisy = [s.report.name for s in stages if s.judgement and s.judgement.way is Way.NOISE]
    if noisy:
        yield f"judged {Way.NOISE.value}: {', '.join(noisy)}"
    if unchecked:
        yield f"the chain was not checked along directions: {unchecked}"


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
