"""The hand-derived contenders: the same lines on NumPy, torch and jax, bare and compiled; and the steps of `fit`."""

from collections.abc import Callable
from typing import Any

import numpy as np
from step_cases import RATE, Case, problem

import manual
from manual.training.batches import Samples
from manual.training.compiler import compiled_side

Run = Callable[[int], float]  # so many steps; the loss that the last of them started from
Params = tuple[manual.Params, ...]
Step = Callable[[Params, Any, Any], tuple[Params, Any]]


def network_of(case: Case) -> tuple[manual.Network, manual.Loss]:
    loss = manual.MeanSquaredError() if case.loss == "mse" else manual.SoftmaxCrossEntropy()
    return manual.mlp(case.sizes, case.hidden), loss


def step_of(case: Case) -> Step:
    """Forward, loss, backward, update."""
    network, loss = network_of(case)

    def step(params: Params, x: Any, target: Any) -> tuple[Params, Any]:
        E, dparams = manual.loss_and_gradients(network, params, x, target, loss)
        return manual.sgd(params, dparams, RATE), E

    return step


def start_of(case: Case, to: Callable[[Any], Any]) -> tuple[Params, Any, Any]:
    """Parameters and batch, each array turned by `to` into that of another library."""
    weights, x, target = problem(case)
    linear = iter(weights)
    params = tuple(
        dict(zip(shapes, map(to, next(linear)), strict=True)) if shapes else {}
        for shapes in network_of(case)[0].param_shapes
    )
    return params, to(x), to(target)


def looped(step: Step, params: Params, x: Any, target: Any) -> Run:
    """The step, again and again."""

    def run(steps: int) -> float:
        nonlocal params
        for _ in range(steps):
            params, E = step(params, x, target)
        return float(E)

    return run


def on_numpy(case: Case) -> Run:
    return looped(step_of(case), *start_of(case, lambda a: a))


def on_torch(case: Case) -> Run:
    import torch

    return without_autograd(looped(step_of(case), *start_of(case, torch.from_numpy)))


def under_compile(case: Case) -> Run:
    import torch

    return without_autograd(looped(torch.compile(step_of(case), fullgraph=True), *start_of(case, torch.from_numpy)))


def without_autograd(run: Run) -> Run:
    """In torch's inference mode: nothing here asks for what autograd would write down."""
    import torch

    return torch.inference_mode()(run)


def under_jit(case: Case) -> Run:
    import jax

    return looped(jax.jit(step_of(case)), *start_of(case, jax.numpy.asarray))


def under_scan(case: Case) -> Run:
    import jax

    return scanned(step_of(case), *start_of(case, jax.numpy.asarray))


def scanned(step: Step, params: Any, x: Any, target: Any) -> Run:
    """All steps of a block in one jax.lax.scan."""
    import jax

    def block(params: Any, x: Any, target: Any, steps: int) -> Any:
        return jax.lax.scan(lambda params, _: step(params, x, target), params, None, steps)

    compiled = jax.jit(block, static_argnums=3)

    def run(steps: int) -> float:
        nonlocal params
        params, losses = compiled(params, x, target, steps)
        return float(losses[-1])

    return run


def fit_on_jax(case: Case) -> Run:
    import jax

    return fitted(case, jax.numpy.asarray)


def fit_on_torch(case: Case) -> Run:
    import torch

    return fitted(case, torch.asarray)


def fitted(case: Case, to: Callable[[Any], Any]) -> Run:
    """The steps that manual.fit makes, compiled: batches gathered from data as long as a block, here all alike."""
    (network, loss), sgd, (params, *_) = network_of(case), manual.SGD(RATE), start_of(case, to)
    x, target = (to(np.concatenate([a] * case.steps)) for a in problem(case)[1:])
    start = manual.Training(params, (None,) * len(params), sgd.initial(params), (), 0, 0, 0)
    side = compiled_side(network, loss, sgd, start, alpha=0.0, train_biases=True)
    rows = np.arange(len(x)).reshape(case.steps, case.batch)
    samples = Samples(x, target, rows.ravel())

    def run(steps: int) -> float:
        losses, _ = side.run(samples, rows[:steps], np.full(steps, RATE), None, None)
        return float(losses[-1])

    return run
