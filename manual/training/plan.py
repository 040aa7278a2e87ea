"""What `fit` was asked for, checked as a whole: samples, settings and where to begin."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from array_api_compat import device, is_torch_array

from manual.checks import check_batch, check_differentiable, check_params, check_target
from manual.layers.batch_norm import BatchNorm1d
from manual.losses.reduction import sums
from manual.namespace import array_namespace
from manual.network import Network
from manual.training.batches import Samples, split
from manual.training.metrics import Metric, resolve
from manual.training.settings import Settings
from manual.training.state import Training
from manual.tree import map_arrays, shapes
from manual.types import Array, Loss, Params


class TrainingPlan(NamedTuple):
    """A training to do."""

    network: Network
    lr: float
    loss_sums: bool  # whether a batch's loss is the sum over its samples, not the mean
    settings: Settings
    metrics: dict[str, Metric]
    samples: Samples
    validation: Samples | None  # never trained on
    start: Training

    @property
    def batches(self) -> int:
        """Batches, and so steps, per epoch. The last one holds what is left."""
        return -(-len(self.samples.rows) // self.settings.batch_size)


def make_plan(
    network: Network,
    params: Sequence[Params],
    x: Array,
    target: Array,
    loss: Loss,
    optimizer: Any,
    settings: Settings,
    resume: Training | None,
) -> TrainingPlan:
    """The plan, of arrays all of one library and device. Raises ValueError and TypeError for all that does not fit."""
    check_differentiable(network)
    check_params(network, params)
    if not any(params):
        raise ValueError("params: the network has no parameters, so there is nothing to train")
    if isinstance(optimizer, type) or not all(hasattr(optimizer, name) for name in ("lr", "initial", "step")):
        raise TypeError(f"optimizer: got {optimizer!r}, expected an optimizer such as SGD(0.1)")
    start = begin(network, params, optimizer, settings.seed, resume)
    v = settings.validation
    for x_i, target_i in ((x, target), v) if isinstance(v, tuple | list) else ((x, target),):
        check_batch(network, start.params, x_i, start.running)
        check_target(network, start.params, x_i, target_i, loss)
    samples, validation = Samples(x, target, np.arange(x.shape[0])), None
    if isinstance(v, tuple | list):
        validation = Samples(*v, np.arange(v[0].shape[0]))
    elif v is not None:
        samples, validation = split(x, target, float(v), settings.seed)
    plan = TrainingPlan(
        network, optimizer.lr, sums(loss), settings, resolve(settings.metrics, loss), samples, validation, start
    )
    _check_sizes(plan)
    steps = range(start.step, settings.epochs * plan.batches)
    for step in (*steps[:1], *steps[-1:]):  # a schedule that fails should do so before the training
        settings.factor(step)
    return plan


def begin(network: Network, params: Sequence[Params], optimizer: Any, seed: int, resume: Training | None) -> Training:
    """The Training before the first step, or the one to resume, in the array library and on the device of `params`."""
    running = tuple(
        layer.initial_running(p["gamma"]) if isinstance(layer, BatchNorm1d) else None
        for layer, p in zip(network.layers, params, strict=True)
    )
    fresh = Training(tuple(params), running, optimizer.initial(params), (), 0, 0, seed)
    if resume is None:
        return fresh
    if not isinstance(resume, Training):
        raise TypeError(f"resume: got {type(resume).__name__}, expected a Training, as fit returns it")
    if resume.seed != seed:
        raise ValueError(f"resume: its seed is {resume.seed}, but seed is {seed}; pass seed={resume.seed}")
    found: Training = convert_arrays(resume, next(a for layer in params for a in layer.values()))
    for name in ("params", "running", "optimizer_state"):
        ours, theirs = (shapes(getattr(training, name)) for training in (fresh, found))
        if ours != theirs:
            what = f"{optimizer}" if name == "optimizer_state" else "this network"
            raise ValueError(f"resume: its {name} is {theirs}, expected {ours} for {what}; resume with what it began")
    check_params(network, found.params)
    return found._replace(history=tuple(r for r in found.history if r["step"] <= found.step))


def convert_arrays(tree: Any, like: Array) -> Any:
    """The same numbers in the array library and on the device of `like`; arrays that are there already stay.

    Raises ValueError where that library has not their dtype.
    """
    xp, place = array_namespace(like), device(like)

    def convert(array: Array) -> Array:
        if isinstance(array, np.integer):  # a count that a file gave back
            return int(array)
        if array_namespace(array) is xp and device(array) == place:
            return array
        host = np.asarray(array.detach().cpu() if is_torch_array(array) else array)
        there = xp.asarray(host if host.flags.writeable else host.copy(), device=place)
        if str(there.dtype).rpartition(".")[2] != host.dtype.name:
            raise ValueError(
                f"an array of {host.dtype} would become {there.dtype} in {xp.__name__}; for jax enable jax_enable_x64"
            )
        return there

    return map_arrays(convert, tree)


def _check_sizes(plan: TrainingPlan) -> None:
    n, settings, start = len(plan.samples.rows), plan.settings, plan.start
    if n == 0:
        N = plan.samples.x.shape[0]
        raise ValueError(f"validation: {settings.validation} of N = {N} leaves nothing to train on; give more samples")
    norms = any(isinstance(layer, BatchNorm1d) for layer in plan.network.layers)
    if norms and 1 in (n % settings.batch_size, min(n, settings.batch_size)):
        raise ValueError(
            f"batch_size: {settings.batch_size} leaves a batch of one of the {n} samples, and batch norm needs two; "
            "choose another one"
        )
    if start.step // plan.batches != start.epoch:
        raise ValueError(
            f"resume: {start.epoch} epochs and {start.step} steps, but here an epoch has {plan.batches}; "
            "resume with the data, validation and batch_size it began with"
        )
    if start.step % plan.batches and not (start.history and start.history[-1]["step"] == start.step):
        raise ValueError(f"resume: is in the middle of an epoch, but its history has no record of step {start.step}")
    if settings.epochs < start.epoch:
        raise ValueError(
            f"epochs: is {settings.epochs}, but {start.epoch} are done; epochs counts from the beginning, so give more"
        )
