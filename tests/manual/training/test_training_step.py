"""What a training step leaves out: `needs` of one layer, `need_dx` of a network, `loss_and_gradients`.

What is not asked for is not computed and not handed out, and what is asked for is the same to the last bit.
"""

from itertools import chain, combinations
from typing import Any

import numpy as np
import pytest

import manual

WITH_PARAMETERS = ("linear", "linear without bias", "linear with mask", "layer_norm", "batch_norm")


class Counted(np.ndarray):
    """An array that counts the matrix products it takes part in."""

    products = 0

    def __matmul__(self, other: Any) -> Any:
        Counted.products += 1
        return super().__matmul__(other)


def subsets(names: tuple[str, ...]) -> list[tuple[str, ...]]:
    return list(chain.from_iterable(combinations(names, k) for k in range(len(names) + 1)))


@pytest.mark.parametrize("name", [*WITH_PARAMETERS, "batch_norm in evaluation"])
def test_a_layer_gives_what_is_needed_and_nothing_else(name: str, tools: Any) -> None:
    case = next(case for case in tools.LAYERS if case.name == name)
    layer, (params, *inputs), dy = tools.draw(case, (4, 3, 5))
    _, cache = layer.forward(params, *inputs)
    dx, dparams = layer.backward(params, cache, dy)
    for needs in subsets(("x", *params)):
        some_dx, some = layer.backward(params, cache, dy, needs=needs)
        assert set(some) == {"d" + name for name in needs if name != "x"}
        assert all(np.array_equal(gradient, dparams[key]) for key, gradient in some.items())
        assert np.array_equal(some_dx, dx) if "x" in needs else some_dx is None


def test_a_linear_layer_makes_one_product_per_gradient() -> None:
    rng = np.random.default_rng(0)
    layer, params = manual.Linear(3, 5), {"W": rng.normal(size=(5, 3)), "b": rng.normal(size=5)}
    _, cache = layer.forward(params, rng.normal(size=(4, 3)))
    dz = rng.normal(size=(4, 5)).view(Counted)
    for needs in subsets(("x", "W", "b")):
        Counted.products = 0
        layer.backward(params, cache, dz, needs=needs)
        assert Counted.products == len({"x", "W"} & set(needs))


def test_a_training_step_makes_one_product_per_layer_and_gradient() -> None:
    """Of two linear layers: two forward, two for dW and one for dx, that of the second layer."""
    network, rng = manual.mlp([4, 5, 3]), np.random.default_rng(0)
    x, t = rng.normal(size=(6, 4)).view(Counted), rng.normal(size=(6, 3))
    Counted.products = 0
    manual.loss_and_gradients(network, network.init(0), x, t, manual.MeanSquaredError())
    assert Counted.products == 5


FIRST = {
    "linear": manual.Linear(4, 4),
    "layer_norm": manual.LayerNorm(4),
    "batch_norm": manual.BatchNorm1d(4),
    "tanh": manual.Tanh(),  # has no gradient but dx
}


@pytest.mark.parametrize("first", FIRST)
@pytest.mark.parametrize("rest", [(), (manual.Tanh(), manual.Linear(4, 3))], ids=["alone", "before others"])
def test_a_network_leaves_out_the_first_dx(first: str, rest: tuple[Any, ...]) -> None:
    network, rng = manual.Network((FIRST[first], *rest)), np.random.default_rng(0)
    params, x = network.init(1), rng.normal(size=(5, 4))
    y, trace = network.forward(params, x)
    dy = rng.normal(size=y.shape)
    dx, dparams = network.backward(params, trace, dy)
    none, same = network.backward(params, trace, dy, need_dx=False)
    assert (none is None) == (first != "tanh")
    assert dx.shape == x.shape
    assert_equal(same, dparams)
    stages, all_stages = (network.backward_trace(params, trace, dy, need_dx=need) for need in (False, True))
    for one, other in zip(stages[1:], all_stages[1:], strict=True):
        assert np.array_equal(one.dx, other.dx)


class Plain(manual.Linear):
    """A user's layer, whose backward pass takes what the contract of all layers names and no more."""

    def backward(self, params: Any, cache: Any, dz: Any) -> Any:  # type: ignore[override]
        return super().backward(params, cache, dz)


def test_a_layer_without_needs_is_asked_for_everything() -> None:
    network, rng = manual.Network((Plain(3, 2),)), np.random.default_rng(0)
    params, x, t = network.init(0), rng.normal(size=(4, 3)), rng.normal(size=(4, 2))
    expected = manual.gradients(network, params, x, t, manual.HalfSquaredError()).dparams
    assert_equal(manual.loss_and_gradients(network, params, x, t, manual.HalfSquaredError())[1], expected)


@pytest.mark.parametrize("loss", [manual.MeanSquaredError(), manual.SoftmaxCrossEntropy()])
def test_loss_and_gradients_are_those_of_the_whole_pass(loss: Any) -> None:
    layers = (manual.Linear(4, 6), manual.BatchNorm1d(6), manual.ReLU(), manual.Dropout(0.3), manual.Linear(6, 3))
    network, rng = manual.Network(layers), np.random.default_rng(0)
    params, x = network.init(1), rng.normal(size=(5, 4))
    t = rng.integers(3, size=5) if isinstance(loss, manual.SoftmaxCrossEntropy) else rng.normal(size=(5, 3))
    states = [None, None, None, layers[3].draw(rng, np.zeros((5, 6))), None]
    whole = manual.gradients(network, params, x, t, loss, states=states)
    E, dparams = manual.loss_and_gradients(network, params, x, t, loss, states=states)
    assert whole.loss == E
    assert_equal(dparams, whole.dparams)
    without = manual.loss_and_gradients(network, params, x, t, loss)[0]
    assert without != E  # the mask was used


def assert_equal(found: Any, expected: Any) -> None:
    for one, other in zip(found, expected, strict=True):
        assert one.keys() == other.keys()
        assert all(np.array_equal(one[key], other[key]) for key in one)
