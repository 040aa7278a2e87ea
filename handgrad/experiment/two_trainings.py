"""Train twice, by hand and by autograd, from one start on one order of batches: where they part, and whose doing it is.

Two right runs part: their sums round differently, and every step multiplies what came before. So the distance between
them decides nothing. Each step of the hand-derived run is judged by itself, on the run's own numbers: every stage
certified (Test A), the update within its roundings. The first that fails is where it is wrong. How far rounding alone
carries a run, a third one shows: autograd's again, from a start moved by one unit in the last place.
"""

from collections.abc import Callable, Sequence
from math import nan
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch

from handgrad.arrays.precision import dtype_name, like, to64
from handgrad.experiment.curvature import largest_curvature
from handgrad.experiment.two_trainings_text import Step, Trajectory
from handgrad.judge.compare import TensorReport
from handgrad.judge.isolation import duplicate
from handgrad.subjects.network.network_run import Point
from handgrad.subjects.network.stages import layer_twin
from handgrad.subjects.training_step import Failure, judge_pass, judge_update, misfit, run_on_copies, show_power
from manual import SGD, Grads, Loss, Network, Params, param_names, sgd
from manual.checks import check_batch, check_differentiable, check_params, check_target
from torch_ref import Chain, from_torch, to_torch, twin

__all__ = ["Trajectory", "compare_training"]

Batch: TypeAlias = tuple[Any, Any]
Update: TypeAlias = Callable[[Sequence[Params], Sequence[Grads], float], Sequence[Params]]

BEYOND = 100  # times all roundings so far, grown as the moved start has: of 1,000 random right runs none reached 2
LOOKS = 100  # steps, about, at which the curvature is computed


@np.errstate(all="ignore")  # what overflows is told in words
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
    seed = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else seed
    rng = np.random.default_rng(seed)
    names = param_names(network.layers)
    own, auto = params, Twin(network, loss, params, lr)
    moved = Twin(network, loss, nudged(params, rng), lr)
    nudge = apart(auto.params, moved.params, names).distance
    guess = rng.normal(size=sum(p.numel() for p in auto.module.parameters()))
    look = -(-len(batches) // LOOKS)
    steps, growth, roundings = list[Step](), 1.0, largest_unit(auto.params)
    failure: Failure | None = None
    control, sees, open, stopped = None, tuple[TensorReport, ...](), "", ""
    for k, (x, target) in enumerate(batches, 1):
        point = Point(network, own, x, target, loss, (None,) * len(network.layers), 1.0)
        sharp = nan
        if k % look == 1 % look or k == len(batches):
            curvature, guess = largest_curvature(network, loss, auto.params, x, target, guess, rng)
            sharp = lr * curvature
        E_auto, _ = auto.step(x, target), moved.step(x, target)
        try:
            # Where autograd's own numbers overflow, so may those by hand, and nothing follows from it.
            check_finite(f"step {k}: the loss by autograd is {E_auto:g}", lr, E_auto)
            check_finite(f"step {k}: autograd's update gives values that are not finite", lr, *flat(auto.params))
            run = run_on_copies(point)
            if failure is None:
                failure, doubt = judge_pass(k, point, run, seed)
                open = open or doubt
            if k == 1 and failure is None:
                control, sees = show_power(point, run, rng)
            if run.back is None:
                raise ValueError(f"step {k}: {run.stopped}")
            E = number(run.trace[-1].y)
            check_finite(f"step {k}: the loss by hand is {E:g}", lr, E)
            dparams = [stage.dparams for stage in run.back[:-1]]
            own = update([duplicate(p) for p in own], [duplicate(d) for d in dparams], lr)
            if failure is None:
                failure = judge_update(k, point, dparams, own, lr)
            if problem := misfit(point, own):
                raise ValueError(f"step {k}: {problem[1]}")
            check_finite(f"step {k}: the update gives values that are not finite", lr, *flat(own))
        except Exception as error:
            if failure is None:
                raise
            stopped = f"the run ends there: {error}"
            break
        parted, shown = apart(own, auto.params, names), apart(moved.params, auto.params, names)
        if shown.distance == 0:  # both the same again: unless a bit differs, it shows no rounding from here on
            moved = Twin(network, loss, nudged(auto.params, rng), lr)
        growth, roundings = max(growth, shown.distance / nudge), roundings + largest_unit(auto.params)
        steps.append(Step(k, E, E_auto, *parted, shown.distance, shown.ulps, BEYOND * growth * roundings, sharp))
    first = batches[0][0]
    return Trajectory(
        name=" - ".join(type(f).__name__ for f in (*network.layers, loss)),
        dtype=dtype_name(first),
        library=type(first).__module__.partition(".")[0],
        device=str(getattr(first, "device", "cpu")),
        lr=lr,
        seed=seed,
        planned=len(batches),
        nudge=nudge,
        steps=tuple(steps),
        failure=failure,
        open=open,
        control=control,
        sees=sees,
        stopped=stopped,
    )


class Twin:
    """The network's twin in training by torch.optim.SGD, in the precision and on the device of its parameters."""

    def __init__(self, network: Network, loss: Loss, params: Sequence[Params], lr: float) -> None:
        state = to_torch(network, params)
        like = next(iter(state.values()))
        self.module = Chain(*(layer_twin(layer) for layer in network.layers)).to(like)
        self.module.load_state_dict(state)
        self.network, self.loss = network, twin(loss)
        self.optimizer = torch.optim.SGD(self.module.parameters(), lr)

    def step(self, x: Any, target: Any) -> float:
        """The loss before the step."""
        self.optimizer.zero_grad()
        E = self.loss(self.module(tensor(x)), tensor(target))
        E.backward()
        self.optimizer.step()
        return float(E.detach())

    @property
    def params(self) -> tuple[Params, ...]:
        """The parameters as they are now."""
        return from_torch(self.network, self.module.state_dict(), xp=torch)


class Apart(NamedTuple):
    """The entry of a parameter where two runs are furthest apart."""

    distance: float
    parameter: str
    at: tuple[int, ...]
    ulps: float  # the distance in units in the last place of the largest parameter of all


def apart(one: Sequence[Params], other: Sequence[Params], names: Sequence[dict[str, str]]) -> Apart:
    """Where and how far; the units are those of `other`.

    One unit for the whole network: a bias before batch norm has no gradient but rounding's, and its own units, far
    below those that its stage computes in, would call any run chaotic.
    """
    found, one_unit = [], largest_unit(other)
    for a, b, called in zip(one, other, names, strict=True):
        for key, name in called.items():
            difference = np.abs(to64(a[key]) - to64(b[key]))
            at = tuple(int(i) for i in np.unravel_index(int(np.argmax(difference)), difference.shape))
            distance = float(difference[at])
            found.append(Apart(distance, name, at, distance / one_unit))
    return max(found)


def unit(p: Any) -> float:
    """The unit in the last place of the largest entry."""
    return float(np.spacing(np.max(np.abs(to64(p))).astype(dtype_name(p))))


def largest_unit(params: Sequence[Params]) -> float:
    """That of the largest parameter."""
    return max(unit(p) for layer in params for p in layer.values())


def nudged(params: Sequence[Params], rng: np.random.Generator) -> list[dict[str, Any]]:
    """Every entry moved by one unit in its last place, up or down; a zero, which has none, by the largest entry's."""
    largest = max(float(np.max(np.abs(p), initial=0)) for p in flat(params)) or 1.0

    def move(p: Any) -> Any:
        own = to64(p).astype(dtype_name(p))
        step = np.spacing(np.where(own == 0, own.dtype.type(largest), np.abs(own)))
        return like((own + rng.choice((-1, 1), size=own.shape) * step).astype(own.dtype), p)

    return [{key: move(p) for key, p in layer.items()} for layer in params]


def tensor(array: Any) -> torch.Tensor:
    """On the device it is on; other libraries' arrays by way of NumPy."""
    return array.detach() if isinstance(array, torch.Tensor) else torch.as_tensor(np.array(array))


def number(E: Any) -> float:
    """A loss as a number; nan where a wrong forward pass gives no scalar."""
    value = to64(E)
    return float(value) if value.shape == () else nan


def flat(params: Sequence[Params]) -> list[Any]:
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
