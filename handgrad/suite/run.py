"""The main job: every activation, layer and loss certified on real handwritten digits, at the start and trained."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from handgrad.experiment.datasets.digits import Digits, digits
from handgrad.judge.verdict import Verdict, together
from handgrad.report.report import Report
from handgrad.subjects.network.verify import verify
from handgrad.subjects.neurons import judge_neurons
from manual import (
    BatchNorm1d,
    BinaryCrossEntropy,
    Dropout,
    HalfSquaredError,
    LayerNorm,
    Linear,
    Loss,
    Network,
    Params,
    ReLU,
    Running,
    Softmax,
    SoftmaxCrossEntropy,
    SquaredError,
    Tanh,
    mlp,
    sgd,
)
from manual.losses import NAMED_LOSSES

DTYPES = ("float64", "float32")
SIZES, BATCH, STEPS, RATE = (64, 32, 10), 32, 100, 0.2


@dataclass(frozen=True, eq=False)
class Problem:
    """A network and a loss for the digits. labels: class indices as target, not one-hot. running: batch norm frozen."""

    title: str
    network: Network
    loss: Loss
    labels: bool = False
    running: bool = False


@dataclass(frozen=True)
class Case:
    """One problem and what was found, per dtype at the start and trained."""

    title: str
    reports: tuple[Report, ...]
    batch: int = BATCH

    @property
    def verdict(self) -> Verdict:
        return together(report.verdict for report in self.reports)


def problems(activations: Sequence[str], losses: Sequence[str]) -> list[Problem]:
    """One problem per activation and loss."""
    return [
        Problem(f"{activation}, {loss}", mlp(SIZES, activation), NAMED_LOSSES[loss], labels=loss == "cross_entropy")
        for activation in activations
        for loss in losses
    ]


def other_layers_and_losses() -> list[Problem]:
    """What an activation between linear layers does not reach: every other layer, loss, reduction and option."""
    connected = np.random.default_rng(0).integers(0, 2, (32, 64))
    first = (Linear(64, 32, mask=connected), BatchNorm1d(32), Tanh(), Dropout(0.2))
    every = Network((*first, Linear(32, 16, bias=False), LayerNorm(16), ReLU(), Linear(16, 10), Softmax()))
    net, weights = mlp(SIZES, "tanh"), tuple(0.3 + 0.1 * k for k in range(10))
    return [
        Problem("every layer, half squared error", every, HalfSquaredError()),
        Problem("every layer frozen, squared error", every, SquaredError("batch mean"), running=True),
        Problem("tanh, squared error as torch's mean", net, SquaredError("mean")),
        Problem("tanh, binary cross-entropy", net, BinaryCrossEntropy()),
        Problem("tanh, binary cross-entropy batch mean", net, BinaryCrossEntropy("batch mean")),
        Problem(
            "tanh, cross_entropy weighted and smoothed", net, SoftmaxCrossEntropy("mean", 0.1, weights), labels=True
        ),
        Problem("tanh, cross_entropy sum of probabilities", net, SoftmaxCrossEntropy("sum", 0.1, weights)),
        Problem("tanh, cross_entropy batch mean", net, SoftmaxCrossEntropy("batch mean"), labels=True),
    ]


def survey(todo: Sequence[Problem], dtypes: Sequence[str] = DTYPES, *, seed: int, slack: float = 1.0) -> Iterator[Case]:
    """One case per problem. Gradients shrink while a network trains, so what is right at the start is judged again."""
    data = digits()
    for problem in todo:
        reports = [r for dtype in dtypes for r in judge(problem, data, dtype, seed, slack)]
        yield Case(problem.title, tuple(reports))


def judge(problem: Problem, data: Digits, dtype: str, seed: int, slack: float) -> Iterator[Report]:
    """The problem at its initial weights and, where that is right, after training. What raises is reported."""
    network, loss, rng = problem.network, problem.loss, np.random.default_rng(seed)
    x = data.x.astype(dtype)
    target = data.labels if problem.labels else data.one_hot.astype(dtype)
    params = network.init(rng, dtype=dtype)
    batch = rng.permutation(len(x))[:BATCH]
    for when in ("start", "trained"):
        name = f"{problem.title}, {when}"
        try:
            if when == "trained":
                params = train(problem, params, x, target, rng)
            states = draw_states(problem, params, x[batch], rng)
            report = verify(
                network, params, x[batch], target[batch], loss, states=states, seed=seed, slack=slack, name=name
            )
        except Exception as error:  # code under judgement may raise anything
            note = f"it stopped with {type(error).__name__}: {error}"
            report = Report(name, dtype, "numpy", "cpu", seed, (), slack, notes=(note,))
        yield report
        if report.verdict is not Verdict.CERTIFIED:
            return


def neurons(seed: int, slack: float = 1.0) -> Case:
    """The scalar reference, one sample at a time."""
    return Case("neuron by neuron, every activation", (judge_neurons(seed, slack),), batch=1)


def train(problem: Problem, params: tuple[Params, ...], x: Any, target: Any, rng: np.random.Generator) -> Any:
    """A few steps of stochastic gradient descent with the hand-derived gradients."""
    network, loss = problem.network, problem.loss
    averaged = "mean" in getattr(loss, "reduction", "mean")
    for _ in range(STEPS):
        batch = rng.permutation(len(x))[:BATCH]
        y, trace = network.forward(params, x[batch], draw_states(problem, params, x[batch], rng))
        _, cache = loss.forward(y, target[batch])
        _, dparams = network.backward(params, trace, loss.backward(cache, 1.0))
        params = sgd(params, dparams, RATE if averaged else RATE / BATCH)
    return params


def draw_states(problem: Problem, params: Sequence[Params], x: Any, rng: np.random.Generator) -> tuple[Any, ...]:
    """Per layer: a mask for dropout in training; running statistics for batch norm where the problem freezes it."""
    states: list[Any] = []
    width = x.shape[1]
    for layer, own in zip(problem.network.layers, params, strict=True):
        width = getattr(layer, "n_out", width)
        state = None
        if isinstance(layer, Dropout) and not problem.running:
            state = layer.draw(rng, np.empty((len(x), width), x.dtype))
        if isinstance(layer, BatchNorm1d) and problem.running:
            gamma = own["gamma"]
            state = Running(np.full_like(gamma, 0.1), np.full_like(gamma, 0.7))
        states.append(state)
    return tuple(states)
