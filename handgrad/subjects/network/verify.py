"""Judge a hand-derived network: every stage certified, the chain checked, the first wrong stage named."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
import torch

from handgrad.arrays.precision import dtype_name, like, to64
from handgrad.explain.diagnosis import Diagnosis, diagnose
from handgrad.judge.ball_bound import Evidence, StageReport, certify, renamed, unmeasured
from handgrad.judge.contracts import CACHE_UNCHANGED, INPUTS_UNCHANGED, Contract, check_contracts, copied
from handgrad.judge.isolation import quiet
from handgrad.judge.noise_bound import certify_opaque
from handgrad.judge.planted_error import plant
from handgrad.judge.stage import Arrays, Stage, layer_stage, loss_stage
from handgrad.judge.verdict import Verdict
from handgrad.report.report import DirectionsReport, Report, StageContracts
from handgrad.report.stage_rows import Chained, StageRow, Status
from handgrad.subjects.function.case import NOISE
from handgrad.subjects.network.chain import SIGMAS, ChainValues, directions, noise, reference_chain
from handgrad.subjects.network.entry_points import doors
from handgrad.subjects.network.network_run import Point, Run, own_run
from manual import Linear, Loss, Network, Params, output_names, param_names
from manual import Stage as Trace
from manual.checks import check_batch, check_differentiable, check_params, check_target
from manual.types import Elementwise

T = TypeVar("T")

OVERWRITES = (INPUTS_UNCHANGED, CACHE_UNCHANGED)  # where code overwrites, no number after it can be blamed on a formula
SPECIAL = (0.0, 1.0, -1.0, 1e4, -1e4)  # kinks, ties, saturation; float16, which ends at 65504, takes the first three
SAMPLES = 16  # the contracts and the directions are about the code, not the batch: some of its samples do


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
    multiplies every bound, and with it the printed detection floor. Errors as `manual.gradients`, and ValueError for a
    slack below 1.

    >>> from manual import HalfSquaredError, mlp
    >>> net, rng = mlp([3, 2, 1]), np.random.default_rng(0)
    >>> verify(net, net.init(0), rng.normal(size=(4, 3)), rng.normal(size=(4, 1)), HalfSquaredError()).verdict
    <Verdict.CERTIFIED: 'CERTIFIED'>
    """
    if not slack >= 1:
        raise ValueError(f"slack: got {slack}, expected 1 (the derived bound) or more")
    if dtype_name(x) == "float16" and not isinstance(x, torch.Tensor):
        raise TypeError("x: float16 is judged on torch tensors, which sum in float32; give those, or float32")
    check_differentiable(network)
    check_params(network, params)
    check_batch(network, params, x, states)
    check_target(network, params, x, target, loss)
    given = tuple(states) if states is not None else (None,) * len(network.layers)
    seed = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else seed
    rng = np.random.default_rng(seed)
    dtype = dtype_name(x)
    dE = float(to64(like(np.asarray(rng.choice((-1, 1)) * rng.uniform(0.5, 2)), x)))  # any scalar but one

    point = Point(network, params, x, target, loss, given, dE)
    run, reference, stages, names = own_run(*point), reference_chain(*point), stages_of(point), tensor_names(network)
    few = point.first(SAMPLES)
    promises = contracts(few, rng)
    along, unchecked = along_directions(few, dtype, rng, slack)
    overwritten = any(c.name in OVERWRITES and c.held is False for stage in promises for c in stage.contracts)
    judged = []
    for i, stage in enumerate(stages):
        inputs = {"x": run.trace[i].x, **(params[i] if i < len(params) else {})}
        dy = like(reference.upstream(i, np.asarray(dE)), run.trace[i].y)
        found = judge(stage, inputs, dy, run, i, rng, slack, name_it=not overwritten)
        if isinstance(stage.subject, Elementwise) and found.report.verdict is Verdict.CERTIFIED:
            special = layer_stage(stage.name, network.layers[i], few.states[i])
            found = at_special_values(special, run.trace[i], rng, slack) or found
        judged.append(found)
    reports = [stage.report for stage in judged]
    sigma = _or_none(lambda: noise(*point, dtype))
    rows = []
    for i, (report, found) in enumerate(zip(reports, judged, strict=True)):
        chained = () if sigma is None else against_chain(i, run, reference, sigma, reports, slack)
        chained = tuple(replace(c, name=names[i].get(c.name, c.name)) for c in chained)
        rows.append(StageRow(stages[i].name, renamed(report, names[i]), chained, found.diagnosis))
    return Report(
        name=name or " - ".join(type(f).__name__ for f in (*network.layers, loss)),
        dtype=dtype,
        library=type(x).__module__.partition(".")[0],
        device=str(getattr(x, "device", "cpu")),
        seed=seed,
        slack=slack,
        stages=tuple(rows),
        wiring=(*run.wiring, *doors(few)),
        directions=along,
        control=plant([(stage.report, stage.evidence) for stage in judged], names, rng),
        contracts=promises,
        notes=tuple(remarks(judged, unchecked)),
    )


@dataclass(frozen=True, eq=False)
class Judged:
    """A stage's certificate, the arrays behind it, the mistake's name; whether the noise of the reference decided."""

    report: StageReport
    evidence: Mapping[str, Evidence] = field(default_factory=dict)
    diagnosis: Diagnosis | None = None
    by_noise: bool = False
    where: str = ""  # at which numbers, if not at the run's own


def judge(
    stage: Stage, inputs: Arrays, dy: Any, run: Run, i: int, rng: np.random.Generator, slack: float, *, name_it: bool
) -> Judged:
    """Stage i, fed the reference's upstream gradient."""
    try:
        hand = {"y": run.trace[i].y, **run.backward(i, copied(dy))}
    except Exception as error:
        return Judged(raised(stage, error, Verdict.REFUTED))
    return judge_outputs(stage, inputs, dy, hand, rng, slack, name_it=name_it)


def at_special_values(stage: Stage, trace: Trace, rng: np.random.Generator, slack: float) -> Judged | None:
    """An elementwise stage at kinks, ties and saturated, as a run's own numbers seldom are; None if it is not wrong."""
    shape, values = trace.x[:SAMPLES].shape, SPECIAL[:3] if dtype_name(trace.x) == "float16" else SPECIAL
    x = like(rng.permutation(np.resize(values, int(np.prod(shape)))).reshape(shape), trace.x)
    dy = like(rng.normal(size=shape), trace.y)
    try:
        with quiet():
            hand = stage.hand({"x": copied(x)}, copied(dy))
            found = judge_outputs(stage, {"x": x}, dy, hand, rng, slack, name_it=True)
    except Exception:  # the contracts say so
        return None
    told = f"right at the run's own numbers, wrong where its input is one of {', '.join(f'{v:g}' for v in values)}"
    return replace(found, where=told) if found.report.verdict is Verdict.REFUTED else None


def judge_outputs(
    stage: Stage,
    inputs: Arrays,
    dy: Any,
    hand: Mapping[str, Any],
    rng: np.random.Generator,
    slack: float,
    *,
    name_it: bool,
) -> Judged:
    """What a stage gave, by balls where they enter, else by the reference's noise."""
    try:
        report, evidence = certify(stage, inputs, dy, hand=hand, slack=slack)
        by_noise = report.verdict is Verdict.UNRESOLVED
    except Exception:  # it ran on its own arrays, but not on balls
        by_noise = True
    try:
        if by_noise:
            report, evidence = certify_opaque(stage, inputs, dy, hand, rng, slack)
    except Exception as error:
        return Judged(raised(stage, error, Verdict.UNRESOLVED))
    wrong = report.verdict is Verdict.REFUTED and name_it
    return Judged(report, evidence, diagnose(stage, inputs, dy, evidence) if wrong else None, by_noise)


def remarks(judged: Sequence[Judged], unchecked: str) -> Iterator[str]:
    """Which stages the noise of the reference decided, and why the chain was not checked along directions."""
    yield from (f"{stage.report.name}: {stage.where}" for stage in judged if stage.where)
    opaque = [stage.report.name for stage in judged if stage.by_noise]
    if opaque:
        yield f"judged {NOISE}: {', '.join(opaque)}"
    if unchecked:
        yield f"the chain was not checked along directions: {unchecked}"


def raised(stage: Stage, error: Exception, verdict: Verdict) -> StageReport:
    """A stage whose backward pass could not be run, or not on balls."""
    reason = f"{type(error).__name__}: {error}"
    return StageReport(stage.name, (unmeasured("dx", (), verdict, 0, reason),))


def against_chain(
    i: int, run: Run, reference: ChainValues, sigma: ChainValues, reports: Sequence[StageReport], slack: float
) -> tuple[Chained, ...]:
    """Stage i of the whole pass against the reference's whole pass, in standard deviations of its rounding (Test B)."""
    refuted = [{t.name for t in report.tensors if t.verdict is Verdict.REFUTED} for report in reports]
    forward = any("y" in names for names in refuted[:i])
    found = []
    for name, own in run.outputs(i).items():
        s, S = to64(own), reference.stages[i].get(name)
        if S is None or s.shape != S.shape:
            found.append(Chained(name, Status.WRONG, float("nan"), float("inf")))
            continue
        before = forward if name == "y" else forward or any(refuted[i:])
        with np.errstate(all="ignore"):
            difference = np.abs(s - S)
            z = np.where(difference == 0, 0, difference / (slack * (sigma.stages[i][name] + 2.0**-53 * np.abs(S))))
        worst = float(np.max(np.nan_to_num(z, nan=np.inf, posinf=np.inf), initial=0))
        wrong = Status.WRONG if name in refuted[i] else Status.INHERITED if before else Status.DRIFT
        status = Status.OK if worst <= SIGMAS else wrong
        found.append(Chained(name, status, float(np.max(difference, initial=0)), worst))
    return tuple(found)


def titles(network: Network) -> tuple[str, ...]:
    """Each stage as its output's name and what makes it: "z1 = Linear 64-32"."""
    return tuple(
        f"{name} = {type(f).__name__}" + (f" {f.n_in}-{f.n_out}" if isinstance(f, Linear) else "")
        for name, f in zip(output_names(network.layers), network.layers, strict=True)
    )


def tensor_names(network: Network) -> tuple[dict[str, str], ...]:
    """Per stage, the lectures' names of "y", "dx" and the parameters' gradients; the loss is the last stage."""
    outputs, params = output_names(network.layers), param_names(network.layers)
    stages = [
        {"y": y, "dx": f"d{x}", **{f"d{short}": f"d{name}" for short, name in own.items()}}
        for x, y, own in zip(("x", *outputs), outputs, params, strict=False)
    ]
    return (*stages, {"y": "E", "dx": f"d{outputs[-1]}"})


def stages_of(point: Point) -> tuple[Stage, ...]:
    """Every layer and then the loss, each beside its reference."""
    layers = zip(titles(point.network), point.network.layers, point.states, strict=True)
    loss = loss_stage(f"E = {type(point.loss).__name__}", point.loss, point.target)
    return (*(layer_stage(title, layer, state) for title, layer, state in layers), loss)


def along_directions(
    point: Point, dtype: str, rng: np.random.Generator, slack: float
) -> tuple[DirectionsReport | None, str]:
    """Test C on a run of its own; None, and why, where nothing follows from it.

    Rounding only: a jump at a kink would make room for a wrong gradient in every other entry. Where the two sides of a
    kink are all that is between the gradient and the directions, the directions say nothing.
    """
    try:
        run = own_run(*point)
        grads = [{k: to64(v) for k, v in run.outputs(i).items()} for i in range(len(point.params))]

        def judged(both: bool) -> DirectionsReport:
            return directions(*point, grads, noise(*point, dtype, both=both).stages[:-1], rng, slack)

        found = judged(both=False)
        if found.verdict is Verdict.REFUTED and judged(both=True).verdict is not Verdict.REFUTED:
            return None, "rounding decides on which side of a kink some units lie"
        return found, ""
    except Exception as error:
        first, _, _advice = str(error).partition(". ")
        return None, f"the code does not run on the judge's arrays ({type(error).__name__}: {first})"


def contracts(point: Point, rng: np.random.Generator) -> tuple[StageContracts, ...]:
    """The contracts of every stage, on its own input and a random upstream gradient."""
    found = []
    for stage, own, params in zip(stages_of(point), own_run(*point).trace, (*point.params, {}), strict=True):
        dy = like(rng.normal(size=tuple(getattr(own.y, "shape", ()))), own.y)  # of a number: the wiring says so
        try:
            kept = check_contracts(stage, {"x": own.x, **params}, dy, rng=rng)
        except Exception as error:  # what it raises on its own numbers the certificate has said already
            kept = (Contract("can be run on other numbers", None, f"{type(error).__name__}: {error}"),)
        found.append(StageContracts(stage.name, kept))
    return tuple(found)


def _or_none(compute: Callable[[], T]) -> T | None:
    """None where a broken backward pass cannot even be run on the judge's arrays."""
    try:
        return compute()
    except Exception:
        return None
