"""Every row of every table: a stage that gives exactly the row's formula gets the row's name; the right one gets none.

A new row is tested by being there; a new table needs a stage below on which its rows can be made.
"""

import pkgutil
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

import manual
from handgrad.explain import catalogue
from handgrad.explain.catalogue import CATALOGUE, factors
from handgrad.explain.catalogue.mistake import Mistake
from handgrad.explain.diagnosis import Diagnosis, diagnose
from handgrad.explain.recognise.failed_trial import FailedTrial
from handgrad.judge.compare import Evidence
from handgrad.judge.noise_bound import by_noise
from handgrad.judge.stage import Stage
from handgrad.judge.trial import Trial
from handgrad.subjects.network.stages import autograd, layer_stage, loss_stage

# Terms whose factor is read off a wrong result: test_catalogue.py has them, for no right result shows them.
FITTED = {
    "the weights were updated before the gradient was passed back (by {c:.6g} dW)",
    "{c:.6g} W is added to dW",
}


Tensors = dict[str, Any]
Source = Callable[[FailedTrial], Iterator[Mistake]]


class Made(NamedTuple):
    stage: Stage
    inputs: dict[str, Any]
    dy: Any


def on(layer: Any, N: int, n: int, state: Any = None) -> Made:
    """A layer of ours on random numbers."""
    rng = np.random.default_rng([N, n])
    inputs = {"x": rng.normal(size=(N, n)), **{k: rng.normal(size=s) for k, s in layer.param_shapes.items()}}
    y = layer.forward({k: v for k, v in inputs.items() if k != "x"}, inputs["x"], *(() if state is None else (state,)))
    return Made(layer_stage("stage", layer, state), inputs, rng.normal(size=y[0].shape))


def under(loss: Any, target: Any) -> Made:
    """A loss of ours on random numbers."""
    return Made(loss_stage("E", loss, target), {"x": np.random.default_rng(6).normal(size=(6, 4))}, np.asarray(-0.75))


def function(f: Callable[..., torch.Tensor], *shapes: tuple[int, ...], names: str = "x W1 b1 W2 b2") -> Made:
    """Somebody's function of these inputs."""
    rng = np.random.default_rng(7)
    inputs = {k: rng.normal(size=s) for k, s in zip(names.split(), shapes, strict=False)}
    run = lambda i, dy: autograd(lambda t: f(**t), i, dy)  # noqa: E731
    y = f(**{k: torch.tensor(v) for k, v in inputs.items()})
    return Made(Stage("f", run, run), inputs, np.asarray(rng.normal(size=tuple(y.shape))))


def two_layers(x: Any, W1: Any, b1: Any, W2: Any, b2: Any) -> Any:
    return torch.sigmoid(torch.tanh(x @ W1.T + b1) @ W2.T + b2)


def to_a_loss(W1: Any, b1: Any, W2: Any, b2: Any) -> Any:
    x = torch.tensor([[0.3, -0.8, 1.1]], dtype=torch.float64)
    return 0.5 * ((two_layers(x, W1, b1, W2, b2) - 0.3) ** 2).sum()


rng = np.random.default_rng(1)
MASK = np.array([[1, 0, 1], [0, 1, 1], [1, 1, 0], [1, 1, 1]])
T = rng.random(size=(6, 4))
STAGES = {
    "linear": on(manual.Linear(5, 4), 7, 5),
    "square": on(manual.Linear(4, 4), 4, 4),
    "masked": on(manual.Linear(3, 4, mask=MASK), 6, 3),
    "dropout": on(manual.Dropout(0.25), 6, 7, (rng.random((6, 7)) < 0.75) * 1.0),
    "tanh": on(manual.Tanh(), 5, 6),
    "sigmoid": on(manual.Sigmoid(), 5, 6),
    "silu": on(manual.SiLU(), 5, 6),
    "softmax": on(manual.Softmax(), 5, 6),
    "layer norm": on(manual.LayerNorm(6), 5, 6),
    "batch norm": on(manual.BatchNorm1d(6), 5, 6),
    "frozen": on(manual.BatchNorm1d(4), 6, 4, manual.Running(rng.normal(size=4), rng.uniform(0.5, 3, size=4))),
    "cross-entropy": under(manual.SoftmaxCrossEntropy("mean", 0.1, (0.5, 2.0, 1.0, 3.0)), np.array([0, 3, 1, 2, 2, 0])),
    "binary": under(manual.BinaryCrossEntropy(), T),
    "squared": under(manual.HalfSquaredError(), T),
    "mean squared": under(manual.MeanSquaredError(), T),
    "summed squared": under(manual.MeanSquaredError("sum"), T),
    "square in the other layout": function(lambda x, W: x @ W, (5, 4), (4, 4), names="x W"),
    "clipped exponential": function(lambda x: torch.exp(torch.clamp(x, max=0.3)), (6, 5), names="x"),
    "block": function(lambda x, W1, b1: torch.tanh(x @ W1.T + b1), (6, 4), (3, 4), (3,)),
    "network": function(two_layers, (5, 3), (4, 3), (4,), (3, 4), (3,)),
    "square network": function(two_layers, (3, 3), (3, 3), (3,), (3, 3), (3,)),
    "network in a loss": function(to_a_loss, (4, 3), (4,), (3, 4), (3,), names="W1 b1 W2 b2"),
}


def names() -> set[str]:
    """The name of every row: of everything with a name and a formula in a tuple at the top of a catalogue file."""
    files = [import_module(f"{catalogue.__name__}.{file.name}") for file in pkgutil.iter_modules(catalogue.__path__)]
    tables = [value for file in files for value in vars(file).values() if isinstance(value, tuple)]
    return {row.name for table in tables for row in table if isinstance(getattr(row, "name", None), str)}


FACTORS = {row.name for row in factors.TABLE}
PATTERNS = {
    name: re.compile(".+".join(map(re.escape, re.split(r"\{[^}]+\}", name))) + "( in layer .+| in every layer)?")
    for name in names() - FITTED - FACTORS
}


def spoil(made: Made, source: Source) -> dict[tuple[str, int], Tensors]:
    """What every mistake of one source makes of the right results: by its name, and which one of that name it is."""
    right = made.stage.reference(made.inputs, made.dy)
    evidence = {k: Evidence(v, v, 1e-12 * np.abs(v)) for k, v in right.items()}
    trial = FailedTrial(made.stage, made.inputs, made.dy, evidence, failed=tuple(right))
    found: dict[tuple[str, int], Tensors] = {}
    with np.errstate(all="ignore"):
        for mistake in source(trial):
            if any(p.fullmatch(mistake.name) for p in PATTERNS.values()):
                count = sum(name == mistake.name for name, _ in found)
                found[mistake.name, count] = right | {k: v for k, v in mistake.tensors.items() if k in right}
    return found


def differs(made: Made, spoiled: Tensors) -> bool:
    """Whether the mistake can be seen: finite, and far outside of rounding."""
    right = made.stage.reference(made.inputs, made.dy)
    if not all(np.isfinite(v).all() for v in spoiled.values()):
        return False
    return any(v.shape != right[k].shape or not np.allclose(v, right[k], rtol=1e-6) for k, v in spoiled.items())


def cases() -> dict[tuple[str, int], tuple[str, Source]]:
    """Every row, with the first stage on which it can be seen and the source that has it."""
    found: dict[tuple[str, int], tuple[str, Source]] = {}
    for key, made in STAGES.items():
        for source in CATALOGUE:
            for row, spoiled in spoil(made, source).items():
                if row not in found and differs(made, spoiled):
                    found[row] = key, source
    return found


CASES = cases()


def diagnosed(made: Made, change: Callable[[Made], Tensors]) -> Diagnosis | None:
    """The diagnosis of the stage that gives change(what it is run on), judged by the noise of the reference."""

    def hand(inputs: Any, dy: Any) -> Tensors:
        if not all(isinstance(v, np.ndarray) for v in (*inputs.values(), dy)):
            raise TypeError("a table's formula runs on numbers alone")
        exact = {k: np.asarray(v, dtype=np.float64) for k, v in inputs.items()}
        return change(Made(made.stage, exact, np.asarray(dy, dtype=np.float64)))

    wrong = replace(made.stage, hand=hand)
    trial = Trial(wrong, made.inputs, made.dy)
    return diagnose(trial, by_noise(trial).evidence)


@pytest.mark.parametrize(("name", "count"), CASES, ids=str)
def test_a_stage_that_gives_the_formula_of_a_row_gets_its_name(name: str, count: int) -> None:
    key, source = CASES[name, count]
    found = diagnosed(STAGES[key], lambda made: spoil(made, source)[name, count])
    assert found is not None
    assert found.known, found
    assert name in found.name, found  # alone, or beside others that these numbers cannot tell from it


@pytest.mark.parametrize("label", sorted(FACTORS))
def test_every_factor_gets_its_name(label: str) -> None:
    def factor(made: Made) -> dict[str, float]:
        right = made.stage.reference(made.inputs, made.dy)
        bias = {"db"} if label == "the number of inputs" else set(right) - {"y"}
        evidence = {k: Evidence(v, v, np.zeros(v.shape)) for k, v in right.items()}
        trial = FailedTrial(made.stage, made.inputs, made.dy, evidence, failed=tuple(bias))
        return {f.name: f.value for f in factors.name_factors(trial)}

    def scaled(made: Made) -> Tensors:
        right, c = made.stage.reference(made.inputs, made.dy), factor(made)[label]
        return {
            k: c * v if k == "db" or (k != "y" and label != "the number of inputs") else v for k, v in right.items()
        }

    key = next(key for key, made in STAGES.items() if label in factor(made))
    found = diagnosed(STAGES[key], scaled)
    assert found is not None
    assert label in found.name, found


@pytest.mark.parametrize("key", STAGES)
def test_right_code_gets_no_name(key: str) -> None:
    made = STAGES[key]
    assert diagnosed(made, lambda m: dict(m.stage.reference(m.inputs, m.dy))) is None


def test_every_row_can_be_made_on_some_stage() -> None:
    seen = {name for name, _ in CASES}
    assert [row for row, pattern in PATTERNS.items() if not any(map(pattern.fullmatch, seen))] == []
    assert len(PATTERNS) > 90
