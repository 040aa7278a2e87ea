"""What a layer or a loss tells of itself is told once, is true of its own file, and may be left out by a user's."""

import inspect
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import manual
from handgrad.explain.recognise.failed_trial import equation
from manual.layers import LAYERS
from manual.layers.activations import ACTIVATIONS, DIFFERENTIABLE, NOT_DIFFERENTIABLE
from manual.losses import LOSSES, NAMED_LOSSES
from manual.neuron import SCALAR
from manual.types import Activation, Elementwise, facts_of
from torch_ref.twin import TWINS


@pytest.mark.parametrize("kind", [*LAYERS, *LOSSES], ids=lambda kind: kind.__name__)
def test_the_tags_are_those_of_the_layers_own_file(kind: Any) -> None:
    facts, source = kind.facts, Path(inspect.getfile(kind)).read_text("utf-8")
    tags = re.findall(r"# .*eq\. ([a-z_]+)\.(\w+)", source)
    assert (facts.tag, facts.y) in tags
    assert not facts.differentiable or (facts.tag, f"d{facts.x}") in tags


def test_the_tables_follow() -> None:
    assert list(TWINS) == [*LAYERS, *LOSSES]
    assert [type(f) for f in ACTIVATIONS.values()] == [kind for kind in LAYERS if issubclass(kind, Activation)]
    assert set(ACTIVATIONS) - set(DIFFERENTIABLE) == {"step", "sign"}
    assert (manual.BinaryStep, manual.Sign) == NOT_DIFFERENTIABLE
    assert set(SCALAR) == set(DIFFERENTIABLE)
    assert list(NAMED_LOSSES) == ["cross_entropy", "mse"]
    assert {kind.__name__ for kind in TWINS} <= set(manual.__all__)


@dataclass(frozen=True)
class Cube(Elementwise):
    """A user's layer, which tells no facts."""

    facts: int = 3  # a field of the user's own that happens to have this name

    def forward(self, params: Any, z: Any) -> tuple[Any, Any]:
        return z**3, (z,)

    def backward(self, params: Any, cache: Any, dh: Any) -> tuple[Any, Any]:
        return dh * 3 * cache[0] ** 2, {}


def test_a_users_layer_needs_no_facts() -> None:
    net = manual.Network((manual.Linear(3, 2), Cube()))
    p = manual.gradients(net, net.init(0), np.ones((4, 3)), np.ones((4, 2)), manual.HalfSquaredError())
    assert facts_of(Cube()) is None
    assert list(p)[-2:] == ["h1", "dh1"]
    assert equation(Cube(), None, "dx") is None


def test_a_class_derived_from_ours_has_its_facts() -> None:
    derived = type("Mine", (manual.Tanh,), {})()
    assert equation(derived, None, "dx") == "tanh.dz"
    assert equation(manual.BatchNorm1d(2), (1, 2), "dx") == "batch_norm.dx_frozen"
    assert equation(manual.Linear(1, 1), None, "dW") == "linear.dW"
