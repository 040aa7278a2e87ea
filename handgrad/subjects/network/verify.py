"""Judge a hand-derived network: every stage certified, the chain checked, the first wrong stage named."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from handgrad.arrays.precision import dtype_name, like, to64
from handgrad.explain.recognise.failed_trial import equation
from handgrad.judge.compare import rename
from handgrad.judge.constants import SAMPLES
from handgrad.judge.isolation import attempt
from handgrad.judge.judgement import Way, say_way
from handgrad.judge.planted_error import plant_error
from handgrad.judge.promises import OVERWRITES
from handgrad.judge.settings import check_seconds, check_slack, choose_seed
from handgrad.report.entries import list_entries
from handgrad.report.report import Report
from handgrad.report.stage_rows import StageRow
from handgrad.subjects.network.chain import ChainValues, noise, reference_chain
from handgrad.subjects.network.end_to_end import check_directions, compare_with_chain
from handgrad.subjects.network.entry_points import check_entry_points
from handgrad.subjects.network.judged_stages import JudgedStage, check_stage_contracts, judge_stages
from handgrad.subjects.network.mending import with_change
from handgrad.subjects.network.network_run import Point, Run, run_by_hand
from handgrad.subjects.network.stages import name_tensors
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
    mend: float | None = None,
    name: str = "",
) -> Report:
    """Certify, stage by stage, the hand-derived gradients of a network and its loss on one batch.

    Shapes: x (N, n_in), target (N, n_out) or class indices (N,); any array library; float64, float32, bfloat16
    or float16.
    The upstream gradient of the loss is drawn at random (`seed`; a fresh one is drawn and reported if None). slack
    multiplies every bound, and with it the smallest detectable error. mend: for how many seconds of the processor a
    change of the wrong layer or loss is looked for with which its gradients are CERTIFIED (10 if None, 0 for not at
    all). It is shown in the report; nothing is written to a file. Errors as `manual.gradients`, and TypeError or
    ValueError for a slack that is no finite number of at least 1, a seed that is no whole number, and a time that is
    none.

    >>> from manual import HalfSquaredError, mlp
    >>> net, rng = mlp([3, 2, 1]), np.random.default_rng(0)
    >>> verify(net, net.init(0), rng.normal(size=(4, 3)), rng.normal(size=(4, 1)), HalfSquaredError()).verdict
    <Verdict.CERTIFIED: 'CERTIFIED'>
    """
    check_slack(slack)
    seconds = check_seconds(mend)
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
    point = Point(network, params, x, target, loss, given, dE)
    return with_change(judge_point(point, rng, seed, slack, name), point, seconds)


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
        entries = list_entries(stage.judgement.evidence, names[i]) if stage.judgement else {}
        report = rename(stage.report, names[i])
        yield StageRow(stage.report.name, report, chained, diagnosis, entries, list_tags(point, i, names[i]))


def list_tags(point: Point, i: int, names: Mapping[str, str]) -> dict[str, str]:
    """The tags of the equations of stage i, by the lectures' names of its tensors."""
    last = i == len(point.network.layers)
    subject, state = (point.loss, point.target) if last else (point.network.layers[i], point.states[i])
    tags = {name: equation(subject, state, key) for key, name in names.items()}
    return {name: tag for name, tag in tags.items() if tag is not None}


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
        yield say_way(Way.NOISE, noisy)
    if unchecked:
        yield f"the chain was not checked along directions: {unchecked}"
