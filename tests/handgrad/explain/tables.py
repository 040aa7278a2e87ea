"""What the tests of the tables share: a stage for each kind, and the catalogue with every row's name made unique."""

import pkgutil
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

import manual
from handgrad.explain import catalogue
from handgrad.explain.catalogue import factors
from handgrad.explain.catalogue.mistake import Mistake
from handgrad.explain.recognise.failed_trial import FailedTrial
from handgrad.judge.compare import Evidence
from handgrad.judge.stage import Stage
from handgrad.subjects.network.stages import autograd, layer_stage, loss_stage

# What is read off a wrong result, for no right result shows it: the factor of a term (test_catalogue.py has these), and
# a dW that is wrong itself (below).
READ_OFF = {"linear.TERMS 0", "linear.TERMS 1", "linear.TABLE 7"}


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


def name_rows() -> Iterator[tuple[Any, str, Any]]:
    """Every table of the catalogue with its rows' names made unique: its file, its name, and the table.

    A row's name is followed by its table and its place, so that rows that share a name are told apart.
    """
    for file in pkgutil.iter_modules(catalogue.__path__):
        module = import_module(f"{catalogue.__name__}.{file.name}")
        for name, value in vars(module).items():
            if isinstance(value, tuple) and value is not factors.TABLE and is_table(value):
                yield module, name, number_rows(value, f"{file.name}.{name}")
            elif isinstance(value, dict) and value and all(map(is_table, value.values())):
                yield module, name, {k: number_rows(v, f"{file.name}.{name}, {k[0]}") for k, v in value.items()}


def is_table(value: Any) -> bool:
    """Whether this is a tuple of rows, each with a name and a formula."""
    return isinstance(value, tuple) and bool(value) and all(hasattr(row, "_replace") for row in value)


def number_rows(table: tuple[Any, ...], label: str) -> tuple[Any, ...]:
    return tuple(row._replace(name=f"{row.name} <{label} {i}>") for i, row in enumerate(table))


NUMBERED = list(name_rows())


@contextmanager
def numbered() -> Iterator[None]:
    """The catalogue with every row's name made unique."""
    with pytest.MonkeyPatch.context() as patch:
        for module, name, value in NUMBERED:
            patch.setattr(module, name, value)
        yield


def place_of(name: str) -> str | None:
    """The table and the place of the row behind a mistake's name; None where it has none."""
    found = re.search(r" <(.+?)>", name)
    return found[1] if found else None


ROWS = {
    place_of(row.name)
    for _, _, value in NUMBERED
    for table in (value.values() if isinstance(value, dict) else [value])
    for row in table
} - READ_OFF


def spoil(made: Made, source: Source) -> Iterator[tuple[str, Tensors]]:
    """The name of every mistake of one source, and what it makes of the right results."""
    right = made.stage.reference(made.inputs, made.dy)
    evidence = {k: Evidence(v, v, 1e-12 * np.abs(v)) for k, v in right.items()}
    trial = FailedTrial(made.stage, made.inputs, made.dy, evidence, failed=tuple(right))
    with np.errstate(all="ignore"):
        for m in source(trial):
            if place_of(m.name) in ROWS:
                yield m.name, right | {k: v for k, v in m.tensors.items() if k in right}
