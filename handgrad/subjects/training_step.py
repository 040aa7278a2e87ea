"""Judge one step of training on its own numbers: every stage of its pass certified, its update within its roundings."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import NamedTuple

import numpy as np

from handgrad.arrays.arithmetic import Arithmetic
from handgrad.arrays.precision import dtype_name, to64
from handgrad.explain.diagnosis import Diagnosis
from handgrad.explain.notes import explain
from handgrad.judge.ball_bound import radii
from handgrad.judge.compare import TensorReport, rename
from handgrad.judge.isolation import attempt, duplicate
from handgrad.judge.judge import judge
from handgrad.judge.planted_error import Control, plant_error
from handgrad.judge.promises import OVERWRITES
from handgrad.judge.trial import Trial
from handgrad.judge.verdict import Verdict
from handgrad.report.report import Report
from handgrad.report.stage_rows import StageRow
from handgrad.report.text import broken_contracts, reason
from handgrad.subjects.network.judged_stages import describe_raised
from handgrad.subjects.network.network_run import Point, Run, run_by_hand
from handgrad.subjects.network.stages import list_stages, name_tensors
from handgrad.subjects.network.verify import verify
from handgrad.subjects.verify_update import verify_update
from manual import Grads, Params, param_names


@dataclass(frozen=True)
class Failure:
    """The first thing that is wrong in a training run."""

    step: int
    where: str  # the stage ("h1 = Tanh"), "the update", or "the pass" where its stages do not hang together
    tensor: str
    words: str
    diagnosis: Diagnosis | None = None
    report: Report | None = None  # `verify` on this step's parameters and batch


class PassVerdict(NamedTuple):
    """One pass: what is wrong in it, or what could not be judged."""

    failure: Failure | None = None
    open: str = ""


def run_on_copies(point: Point) -> Run:
    """The pass by hand on arrays of its own: what it writes into is neither the caller's nor what it is judged by."""
    params = [duplicate(layer) for layer in point.params]
    with np.errstate(all="ignore"):
        return run_by_hand(point._replace(params=params, x=duplicate(point.x), target=duplicate(point.target)))


def judge_pass(step: int, point: Point, run: Run, seed: int) -> PassVerdict:
    """Every stage judged as it ran: its own input and upstream gradient, its own output and gradients.

    The upstream gradients are the run's, for it trains with what comes of them; each stage answers for its own alone.
    """
    if run.wiring:
        return PassVerdict(explain_failure(step, point, seed, None, "; ".join(run.wiring)))
    doubt = ""
    for i, trial in reversed(list_trials(point, run)):  # backward goes wrong first in the stage nearest the loss
        if attempt(surely_right, trial).value:
            continue
        judged = attempt(judge, trial)
        if judged.value is None:
            report, diagnosis = describe_raised(trial.stage, judged.error, Verdict.UNRESOLVED), None
        else:
            words = explain(judged.value)
            report, diagnosis = words.report, words.diagnosis
        row = StageRow(report.name, rename(report, name_tensors(point.network)[i]), (), diagnosis)
        if report.verdict is Verdict.REFUTED:
            return PassVerdict(explain_failure(step, point, seed, row), doubt)
        if report.verdict is Verdict.UNRESOLVED:
            doubt = f"step {step}, {row.name}: {worst_words(row)}"
    return PassVerdict(None, doubt)


def worst_words(row: StageRow) -> str:
    """The worst tensor of a stage that is not certified."""
    return reason(row.isolated.worst)


def list_trials(point: Point, run: Run) -> list[tuple[int, Trial]]:
    """Every stage with its number, at its inputs, upstream gradient and results in this run, the loss last."""
    back, params = run.back or (), (*point.params, {})
    return [
        (
            i,
            Trial(
                stage, {"x": run.trace[i].x if i else point.x, **params[i]}, back[i].dy, given=run.outputs(i), seed=i
            ),
        )
        for i, stage in zip(range(len(back)), list_stages(point), strict=False)
    ]


def surely_right(trial: Trial) -> bool:
    """Whether every entry is inside tau alone: the judge adds the reference's bound to it, and would certify it too."""
    tau = radii(trial, Arithmetic.of(trial.dtype, both=False))
    for name, right in trial.reference.items():
        s = trial.results[name]
        if not (s.shape == right.shape == tau[name].shape and np.isfinite(tau[name]).all()):
            return False
        if not (np.abs(s - right) <= tau[name]).all():
            return False
    return True


def show_power(point: Point, run: Run, rng: np.random.Generator) -> tuple[Control | None, tuple[TensorReport, ...]]:
    """An error planted in this pass, and the smallest error that the judge would see in each of its gradients."""
    names = name_tensors(point.network)
    found = attempt(lambda: [judge(trial) for _, trial in list_trials(point, run)]).value
    if found is None:  # judge_pass has said so
        return None, ()
    tensors = [t for own, judged in zip(names, found, strict=True) for t in rename(judged.report, own).tensors]
    gradients = {f"d{name}" for own in param_names(point.network.layers) for name in own.values()}
    return plant_error(found, names, rng), tuple(t for t in tensors if t.name in gradients)


def explain_failure(step: int, point: Point, seed: int, row: StageRow | None, wiring: str = "") -> Failure:
    """What `verify` says of the pass that failed, and of the stage that failed in it, where it is known already."""
    params = [duplicate(layer) for layer in point.params]
    report = verify(point.network, params, duplicate(point.x), duplicate(point.target), point.loss, seed=seed)
    for where, contract in broken_contracts(report):
        if contract.name in OVERWRITES:  # no number after it can be blamed on a formula
            return Failure(step, where, "", f"{contract.name}: {contract.detail}", None, report)
    if (row := row or report.culprit) is None:
        return Failure(step, "the pass", "", wiring, None, report)
    return Failure(step, row.name, row.isolated.worst.name, worst_words(row), row.diagnosis, report)


def judge_update(
    step: int, point: Point, dparams: Sequence[Grads], updated: Sequence[Params], lr: float
) -> Failure | None:
    """W - lr dW of the run's own dW, within the rounding of the product, the difference, and lr in this precision."""
    if problem := misfit(point, updated):
        return Failure(step, "the update", *problem)
    arithmetic, wide = Arithmetic.of(dtype_name(point.x)), np.longdouble
    u, names = arithmetic.u, param_names(point.network.layers)
    products = 1 if float(np.asarray(lr, dtype_name(point.x))) == lr else 2
    wrong = []
    for layer, grads, after, called in zip(point.params, dparams, updated, names, strict=True):
        for key, name in called.items():
            W, dW, new = (to64(a).astype(wide) for a in (layer[key], grads[f"d{key}"], after[key]))
            with np.errstate(all="ignore"):
                change = wide(lr) * dW
                right = W - change
                bound = u * np.abs(new) + products * u * (1 + 4 * u) * np.abs(change) + arithmetic.tiny
                bound += np.finfo(wide).eps * (np.abs(W) + 2 * np.abs(change))  # what `right` itself rounds
                difference = np.abs(new - right)
                outside = ~(difference <= bound) & (np.abs(right) <= arithmetic.huge)  # nan is outside
                share = np.where(outside, np.nan_to_num(difference / bound, nan=np.inf, posinf=np.inf), 0)
            at = tuple(int(i) for i in np.unravel_index(int(np.argmax(share)), share.shape))
            if outside.any():
                words = (
                    f"{name}[{','.join(map(str, at))}] becomes {new[at]:.9g}, {name} - lr d{name} is {right[at]:.9g}: "
                )
                wrong.append(
                    (share[at], name, f"{words}difference {difference[at]:.2g}, rounding bound {bound[at]:.2g}")
                )
    if not wrong:
        return None
    _, name, words = max(wrong)
    descent = verify_update(point.network, point.params, point.x, point.target, point.loss, updated)
    rate = f" at learning rate {descent.rate:.6g}, lr is {lr:.6g}" if isfinite(descent.rate) else ""
    return Failure(step, "the update", name, f"{words}; {descent.words}{rate}")


def misfit(point: Point, updated: Sequence[Params]) -> tuple[str, str] | None:
    """The first parameter that did not come back in its shape and precision, and what came."""
    if not isinstance(updated, list | tuple) or len(updated) != len(point.params):
        return "", f"it gives {type(updated).__name__}, expected a sequence of {len(point.params)} dictionaries"
    for layer, after, names in zip(point.params, updated, param_names(point.network.layers), strict=True):
        for key, name in names.items():
            if key not in after:
                return name, f"{name} is not there"
            (had, kind), (has, became) = ((tuple(np.shape(a)), dtype_name(a)) for a in (layer[key], after[key]))
            if (had, kind) != (has, became):
                return name, f"{name} becomes {became} of shape {has}, was {kind} of shape {had}"
    return None
