"""One page of every kind, made from small examples."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from handgrad import Checkup, Report, Verdict, examine, verify, verify_function, verify_update
from handgrad.course.lecture import Erratum, Number, System
from handgrad.course.page import show_errata, show_systems
from handgrad.experiment.compare_pass import compare_pass
from handgrad.experiment.compare_training import compare_training
from handgrad.experiment.pages import show_training
from handgrad.html.page import Shown
from handgrad.mend.change import Change, Place, Replacement
from handgrad.subjects.file.judge import Judged
from handgrad.subjects.file.page import show_file
from handgrad.subjects.file.pairs import Pair
from handgrad.subjects.verify_update import UpdateReport
from handgrad.suite.page import show_suite
from handgrad.suite.run import SuiteResult
from handgrad.worked.example import make_example
from handgrad.worked.page import show_page
from handgrad.worked.solution import solve
from manual import SGD, Linear, Network, SoftmaxCrossEntropy, Tanh, gradients, mlp, sgd

NASTY = "</pre><script>throw 1</script>"


def forward(x: Any, W: Any) -> Any:
    z = x @ W
    h = np.tanh(z)
    return h, (x, W, h)


def backward(dh: Any, cache: Any) -> Any:
    x, W, h = cache
    dz = dh * (1 - h)  # "<b>" & '</pre>' are text
    dW = x.T @ dz
    return dz @ W.T, dW


@cache
def function_report() -> Report:
    """A wrong function under a nasty name, with a change as the search would give it."""
    report = verify_function(forward, backward, inputs=[(4, 3), (3, 2)], seed=1, mend=0, name=NASTY)
    row = next(row for row in report.ledger if row.variable == "dz")
    text = f"    {row.code}"
    start = text.index("h)")
    place = Place(row.file, row.line, "backward", text, (start, start + 1))
    change = Change((Replacement(place, "h", "h ** 2"),), "", "the square is missing: `1 - h` & `1 - h ** 2`")
    return replace(report, change=change)


class Wrong(Tanh):
    """Its slope is forgotten."""

    def backward(self, params: Any, cache: Any, dh: Any) -> Any:
        return dh + 0, {}


def point(layers: Network) -> tuple[Any, ...]:
    rng = np.random.default_rng(0)
    return layers, layers.init(rng), rng.normal(size=(6, 5)), rng.integers(0, 3, 6), SoftmaxCrossEntropy()


@cache
def network_report(*, wrong: bool) -> Report:
    layers = Network((Linear(5, 4), Wrong() if wrong else Tanh(), Linear(4, 3)))
    return verify(*point(layers), seed=1, mend=0, name=f"{NASTY}, start")


@cache
def trajectory() -> Any:
    network, params, x, target, loss = point(mlp([5, 4, 3]))
    return compare_training(network, params, [(x, target)] * 2, loss, 0.1, seed=0)


def update() -> UpdateReport:
    network, params, x, target, loss = point(mlp([5, 4, 3]))
    updated = sgd(params, gradients(network, params, x, target, loss).dparams, 0.1)
    return verify_update(network, params, x, target, loss, updated, name=NASTY)


def systems() -> Shown:
    numbers = (Number(NASTY, np.array([0.5, 2.0]), np.array([0.5, 2.0]), ["0.5", "2.1"]),)
    return show_systems([System("S-1", NASTY, numbers, (network_report(wrong=False), trajectory()), (NASTY,))])


def errata() -> Shown:
    right = SimpleNamespace(verdict=Verdict.CERTIFIED, words=NASTY)
    return show_errata([Erratum("E-1", NASTY, NASTY, network_report(wrong=True), right)])


def file_page() -> Shown:
    pair = Pair(NASTY, 3, lambda x: x, lambda dy, x: dy)
    return show_file([Judged(pair, function_report()), Judged(pair, None, NASTY)], Path(f"{NASTY}.py"), 1)


def suite_page() -> Shown:
    results = [SuiteResult(NASTY, (network_report(wrong=wrong),)) for wrong in (False, True)]
    return show_suite(results, Verdict.REFUTED, 1)


def training() -> Shown:
    history = [{"epoch": k, "loss": 2.0**-k, "val_loss": 2.0**-k, "accuracy": 0.9} for k in range(1, 9)]
    return show_training(NASTY, NASTY, NASTY, history)


def worked(*, blanks: bool = False) -> Shown:
    weights = [([[0.3, -0.2], [0.5, 1.0]], [0.1, 0.2]), ([[1.5, -0.5]], [0.0])]
    example = make_example(NASTY, weights, [0.7, 0.2], [0.5], "tanh", "mse", NASTY)
    return show_page(solve(example), blanks=blanks)


def checkup() -> Checkup:
    """Of a network too deep, with some of everything: red and green, curves, layers."""
    net = mlp([5, *[6] * 9, 3], "sigmoid")
    x = np.random.default_rng(0).normal(size=(30, 5))
    return examine(net, net.init(0, "normal"), x, np.arange(30) % 3, SoftmaxCrossEntropy(), SGD(0.1), name=NASTY)


PAGES: dict[str, Callable[[], Shown]] = {
    "function": lambda: function_report().shown(),
    "network": lambda: network_report(wrong=False).shown(),
    "comparison": lambda: compare_pass(*point(mlp([5, 4, 3])), seed=1).shown(),
    "trajectory": lambda: trajectory().shown(),
    "ledger": lambda: function_report().ledger.shown(),
    "update": lambda: update().shown(),
    "suite": suite_page,
    "file": file_page,
    "systems": systems,
    "errata": errata,
    "training": training,
    "worked": worked,
    "questions": lambda: worked(blanks=True),
    "checkup": lambda: checkup().shown(),
}
