"""Train twice, by hand and by autograd, from one start on one order of batches: where they part, and whose doing it is.

Two right runs part: their sums round differently, and every step multiplies what came before. So the distance between
them decides nothing. Each step of the hand-derived run is judged by itself, on the run's own numbers: every stage
certified (Test A), the update within its roundings. The first that fails is where it is wrong. How far rounding alone
carries a run, a third one shows: autograd's again, from a start moved by one unit in the last place.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import nan
from typing import Any, TypeAlias

import numpy as np

from handgrad.arrays.precision import dtype_name, to64
from handgrad.experiment.autograd_training import Autograd, find_difference
from handgrad.experiment.compare_training_text import Step, Trajectory
from handgrad.judge.compare import TensorReport
from handgrad.judge.isolation import duplicate
from handgrad.judge.planted_error import Control
from handgrad.judge.settings import choose_seed
from handgrad.subjects.network.network_run import Point
from handgrad.subjects.training_step import Failure, judge_pass, judge_update, misfit, run_on_copies, show_power
from manual import SGD, Grads, Loss, Network, Params, sgd
from manual.checks import check_batch, check_differentiable, check_params, check_target

__all__ = ["Trajectory", "compare_training"]

Batch: TypeAlias = tuple[Any, Any]
Update: TypeAlias = Callable[[Sequence[Params], Sequence[Grads], float], Sequence[Params]]

LOOKS = 100  # steps, about, at which the curvature is computed


@np.errstate(all="ignore")  # what overflows is reported in words
def compare_training(
    network: Network,
    params: Sequence[Params],
    batches: Sequence[Batch],
    loss: Loss,
    lr: float,
    *,
    update: Update = sgd,
    seed: int | None = None,
) -> Trajectory:
    """One step of gradient descent for each batch, by hand and update(params, dparams, lr), and by torch.optim.SGD.

        CERTIFIED   every stage and every update of the hand-derived run is right to rounding, however far they part
        REFUTED     one is not: its step, stage and tensor are told, and the mistake's name
        UNRESOLVED  a stage could not be judged, or all are right and the runs part further than rounding explains

    Shapes: each batch (x, target), x (N, n_in), target (N, n_out) or class indices (N,); any array library, float32 or
    float64. seed: of how the start is moved; a fresh one is drawn and reported if None. Errors as `manual.gradients`,
    with the batch they are about; ValueError for no batches, no parameters, a rate that is not positive, and, naming
    the step, for a loss or parameters that are no longer finite.

    >>> from manual import HalfSquaredError, mlp
    >>> net, rng = mlp([3, 2, 1]), np.random.default_rng(0)
    >>> batches = [(rng.normal(size=(4, 3)), rng.normal(size=(4, 1))) for _ in range(5)]
    >>> compare_training(net, net.init(0), batches, HalfSquaredError(), 0.1).verdict
    <Verdict.CERTIFIED: 'CERTIFIED'>
    """
    lr = SGD(lr).lr  # refuses what is no positive number
    check(network, loss, params, batches)
    seed = choose_seed(seed)
    rng = np.random.default_rng(seed)
    auto, found = Autograd(network, loss, params, lr, rng), HandRun()
    own, steps = params, list[Step]()
    every = -(-len(batches) // LOOKS)
    for k, (x, target) in enumerate(batches, 1):
        look = k % every == 1 % every or k == len(batches)
        curvature = auto.curvature(x, target) if look else nan
        E_auto = auto.step(x, target)
        point = Point(network, own, x, target, loss, (None,) * len(network.layers), 1.0)
        try:
            # Where autograd's own numbers overflow, so may those by hand, and nothing follows from it.
            check_finite(f"step {k}: the loss by autograd is {E_auto:g}", lr, E_auto)
            check_finite(f"step {k}: autograd's update gives values that are not finite", lr, *flatten(auto.run.params))
            E, own = step_by_hand(k, point, lr, update, found, seed, rng)
        except Exception as error:  # the layers, the loss and the update may be anybody's and raise anything
            if found.failure is None:
                raise
            found.stopped = f"the run ends there: {error}"
            break
        parting, shift = find_difference(own, auto.run.params, auto.names), auto.shift()
        steps.append(Step(k, E, E_auto, *parting, shift.size, shift.ulps, auto.explained, curvature))
    first = batches[0][0]
    return Trajectory(
        name=" - ".join(type(f).__name__ for f in (*network.layers, loss)),
        dtype=dtype_name(first),
        library=type(first).__module__.partition(".")[0],
        device=str(getattr(first, "device", "cpu")),
        lr=lr,
        seed=seed,
        planned=len(batches),
        nudge=auto.nudge,
        steps=tuple(steps),
        **vars(found),
    )


@dataclass
class HandRun:
    """What was found in the run by hand so far, under `Trajectory`'s names; it stays where a step then stops."""

    failure: Failure | None = None
    open: str = ""
    control: Control | None = None
    sees: tuple[TensorReport, ...] = ()
    stopped: str = ""


def step_by_hand(
    k: int, point: Point, lr: float, update: Update, found: HandRun, seed: int, rng: np.random.Generator
) -> tuple[float, Sequence[Params]]:
    """One judged step: its loss and the parameters after it. ValueError where it cannot go on."""
    run = run_on_copies(point)
    if found.failure is None:
        found.failure, doubt = judge_pass(k, point, run, seed)
        found.open = found.open or doubt
    if k == 1 and found.failure is None:
        found.control, found.sees = show_power(point, run, rng)
    if run.back is None:
        raise ValueError(f"step {k}: {run.stopped}")
    E = to_number(run.trace[-1].y)
    check_finite(f"step {k}: the loss by hand is {E:g}", lr, E)
    dparams = [stage.dparams for stage in run.back[:-1]]
    updated = update([duplicate(p) for p in point.params], [duplicate(d) for d in dparams], lr)
    if found.failure is None:
        found.failure = judge_update(k, point, dparams, updated, lr)
    if problem := misfit(point, updated):
        raise ValueError(f"step {k}: {problem[1]}")
    check_finite(f"step {k}: the update gives values that are not finite", lr, *flatten(updated))
    return E, updated


def to_number(E: Any) -> float:
    """A loss as a number; nan where a wrong forward pass gives no scalar."""
    value = to64(E)
    return float(value) if value.shape == () else nan


def flatten(params: Sequence[Params]) -> list[Any]:
    """Every parameter in float64."""
    return [to64(p) for layer in params for p in layer.values()]


def check_finite(words: str, lr: float, *values: Any) -> None:
    if not all(np.isfinite(value).all() for value in values):
        raise ValueError(f"{words}; lr is {lr:g}, try a smaller one")


def check(network: Network, loss: Loss, params: Sequence[Params], batches: Sequence[Batch]) -> None:
    """Everything that can be said before the first step."""
    check_differentiable(network)
    check_params(network, params)
    if not any(params):
        raise ValueError("params: the network has no parameters, so there is nothing to train")
    if not isinstance(batches, list | tuple) or not batches:
        raise ValueError(f"batches: got {describe(batches)}, expected a list of at least one pair (x, target)")
    for k, batch in enumerate(batches):
        if not isinstance(batch, list | tuple) or len(batch) != 2:
            raise ValueError(f"batches[{k}]: got {describe(batch)}, expected a pair (x, target)")
        try:
            check_batch(network, params, batch[0])
            check_target(network, params, batch[0], batch[1], loss)
        except (TypeError, ValueError) as error:
            raise type(error)(f"batches[{k}]: {error}") from None
    if (kind := dtype_name(batches[0][0])) not in ("float32", "float64"):
        raise TypeError(f"batches[0]: x is {kind}, expected float32 or float64")


def describe(value: Any) -> str:
    return type(value).__name__ + (f" of length {len(value)}" if hasattr(value, "__len__") else "")
