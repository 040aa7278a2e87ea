"""The main job: every activation and loss certified on real handwritten digits, at the start and after training."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from handgrad.digits import digits
from handgrad.network import verify
from handgrad.report import Report
from handgrad.rows import STYLES, StageRow, Stages
from handgrad.verdict import Verdict, together
from manual import ACTIVATIONS, Loss, MeanSquaredError, Network, Params, SoftmaxCrossEntropy, mlp, sgd
from manual.activations import NOT_DIFFERENTIABLE

DIFFERENTIABLE = tuple(name for name, f in ACTIVATIONS.items() if not isinstance(f, NOT_DIFFERENTIABLE))
LOSSES: dict[str, Loss] = {"cross_entropy": SoftmaxCrossEntropy(), "mse": MeanSquaredError()}
DTYPES = ("float64", "float32")
SIZES, BATCH, STEPS, RATE = (64, 32, 10), 32, 100, 0.2


@dataclass(frozen=True)
class Case:
    """One network of the survey and what was found, per dtype at the start and trained."""

    activation: str
    loss: str
    reports: tuple[Report, ...]

    @property
    def verdict(self) -> Verdict:
        return together(report.verdict for report in self.reports)


def survey(
    activations: Sequence[str] = DIFFERENTIABLE,
    losses: Sequence[str] = tuple(LOSSES),
    dtypes: Sequence[str] = DTYPES,
    *,
    seed: int,
    slack: float = 1.0,
) -> Iterator[Case]:
    """One case per activation and loss. Gradients shrink while a network trains, so each is judged before and after."""
    data = digits()
    for activation in activations:
        for loss in losses:
            reports = []
            for dtype in dtypes:
                network, rng = mlp(SIZES, activation), np.random.default_rng(seed)
                x = data.x.astype(dtype)
                target = data.labels if loss == "cross_entropy" else data.one_hot.astype(dtype)
                start = network.init(rng, dtype=dtype)
                batch = rng.permutation(len(x))[:BATCH]
                trained = train(network, start, x, target, LOSSES[loss], rng)
                for when, params in (("start", start), ("trained", trained)):
                    name = f"{activation}, {loss}, {when}"
                    reports.append(
                        verify(
                            network, params, x[batch], target[batch], LOSSES[loss], seed=seed, slack=slack, name=name
                        )
                    )
            yield Case(activation, loss, tuple(reports))


def train(
    network: Network, params: tuple[Params, ...], x: object, target: object, loss: Loss, rng: np.random.Generator
) -> tuple[Params, ...]:
    """A few steps of stochastic gradient descent with the hand-derived gradients."""
    x, target = np.asarray(x), np.asarray(target)
    for _ in range(STEPS):
        batch = rng.permutation(len(x))[:BATCH]
        y, trace = network.forward(params, x[batch])
        _, cache = loss.forward(y, target[batch])
        _, dparams = network.backward(params, trace, loss.backward(cache, 1.0))
        params = sgd(params, dparams, RATE)
    return params


def show(case: Case) -> RenderableType:
    """A case as its stages, each with the worst of its runs; every refuted or unresolved run in full below."""
    head = Text.assemble(
        (case.verdict.value, STYLES[case.verdict]),
        f"  {case.activation}, {case.loss}, {'-'.join(map(str, SIZES))}, batch {BATCH}",
    )
    rows = [worst(case.reports, i) for i in range(len(case.reports[0].stages))]
    bad = [report.renderable() for report in case.reports if report.verdict is not Verdict.CERTIFIED]
    runs = [f"{report.dtype}, {report.name.rpartition(', ')[2]}" for report, _ in rows]
    stages = Stages([row for _, row in rows], runs)
    return Group(head, Padding(stages, (0, 0, 0, 2)), *bad)


def worst(reports: Sequence[Report], i: int) -> tuple[Report, StageRow]:
    """The run in which stage i fares worst."""
    order = (Verdict.CERTIFIED, Verdict.UNRESOLVED, Verdict.REFUTED)

    def badness(report: Report) -> tuple[int, float]:
        stage = report.stages[i].isolated
        return order.index(stage.verdict), stage.worst.ratio

    report = max(reports, key=badness)
    return report, report.stages[i]
