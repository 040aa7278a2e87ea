"""Every problem of the list certified on real handwritten digits, at its initial weights and after training."""

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from handgrad.experiment.datasets.digits import Digits, digits
from handgrad.judge.isolation import raised_at
from handgrad.judge.verdict import Verdict, together
from handgrad.report.report import Report
from handgrad.subjects.network.verify import verify
from handgrad.subjects.neurons import judge_neurons
from handgrad.suite.problems import Problem
from manual import BatchNorm1d, Dropout, Params, Running, sgd

DTYPES = ("float64", "float32")
BATCH, STEPS, RATE = 32, 100, 0.2


@dataclass(frozen=True)
class SuiteResult:
    """What was found on one problem: a report per dtype, at the start and trained.

    as_in: the title of the first problem in which the same layer or loss was wrong; empty if there is none before.
    """

    title: str
    reports: tuple[Report, ...]
    batch: int = BATCH
    as_in: str = ""

    @property
    def verdict(self) -> Verdict:
        return together(report.verdict for report in self.reports)

    @property
    def gradients(self) -> Verdict:
        """The verdict on the numbers alone."""
        return together(report.gradients for report in self.reports)

    @property
    def broken(self) -> tuple[str, ...]:
        """What breaks a contract in any of the runs."""
        return tuple(dict.fromkeys(words for report in self.reports for words in report.broken))


def run_suite(
    todo: Sequence[Problem], dtypes: Sequence[str] = DTYPES, *, seed: int, slack: float = 1.0, mend: float | None = None
) -> Iterator[SuiteResult]:
    """One result per problem. Gradients shrink in training, so what is right at the start is judged again after it.

    A change of a wrong layer or loss is looked for where it is found wrong first, and not in every network that has it.
    """
    data, first_in = digits(), dict[type, str]()
    for problem in todo:
        reports, wrong = [], set[type]()
        for dtype in dtypes:
            for report in judge_problem(problem, data, dtype, seed, slack, mend, first_in.keys() | wrong):
                reports.append(report)
                wrong |= culprits(problem, report)
        yield SuiteResult(problem.title, tuple(reports), as_in=next((first_in[w] for w in wrong if w in first_in), ""))
        first_in |= {w: problem.title for w in wrong - first_in.keys()}


def culprits(problem: Problem, report: Report) -> set[type]:
    """The class of the layer or loss that is wrong, if one is."""
    judged = zip((*problem.network.layers, problem.loss), report.stages, strict=False)
    return {type(subject) for subject, row in judged if row is report.culprit}


def judge_problem(
    problem: Problem, data: Digits, dtype: str, seed: int, slack: float, mend: float | None, searched: Set[type]
) -> Iterator[Report]:
    """The problem at its initial weights and, where that is right, after training. What raises is reported.

    searched: classes of which no change is looked for.
    """
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
            judged = partial(
                verify, network, params, x[batch], target[batch], loss, states=states, seed=seed, slack=slack, name=name
            )
            report = judged(mend=0)
            if culprits(problem, report) - searched:
                report = judged(mend=mend)
        except Exception as error:  # code under judgement may raise anything
            note = f"it stopped with {type(error).__name__}: {error}{raised_at(error)}"
            report = Report(name, dtype, "numpy", "cpu", seed, (), slack, notes=(note,))
        yield report
        if report.verdict is not Verdict.CERTIFIED:
            return


def judge_scalar_neurons(seed: int, slack: float = 1.0) -> SuiteResult:
    """Every activation in a single neuron on plain numbers, one sample at a time."""
    return SuiteResult("neuron by neuron, every activation", (judge_neurons(seed, slack),), batch=1)


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
