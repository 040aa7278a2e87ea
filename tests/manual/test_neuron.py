"""One neuron at a time against the layers, autograd and published numbers."""

from itertools import pairwise
from math import inf
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import manual
from manual.layers.activations import DIFFERENTIABLE
from manual.neuron import SCALAR
from torch_ref import twin

TORCH = {name: twin(manual.activation(name)) for name in DIFFERENTIABLE}


def same(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


def test_two_neurons_as_published() -> None:
    h = manual.Neuron((0,), (2.0,))
    o = manual.Neuron((h,), (0.5,))
    values = manual.evaluate([o], [0.5])
    same(values.h[o], 0.36339948438905245)
    blame = manual.backprop([o], values, [1.0])
    same(blame.dx, [0.3645128722327965])
    same([blame.dh[o], blame.dh[h]], [1.0, 0.5 * (1 - values.h[o] ** 2)])


def test_five_neurons_as_published() -> None:
    h1, h2 = manual.Neuron((0, 1), (1.0, 0.5)), manual.Neuron((0, 1), (0.5, 2.0))
    o = manual.Neuron((h1, h2), (2.0, 1.0))
    same(manual.evaluate([o], [0.5, 1.0]).h[o], 0.9866465537965803)


def test_scalar_activations_are_the_differentiable_ones() -> None:
    assert set(SCALAR) == set(DIFFERENTIABLE)


@pytest.mark.parametrize("name", SCALAR)
@given(z=st.one_of(st.just(0.0), st.floats(-30, 30)))
def test_scalar_activation_is_the_layer(name: str, z: float) -> None:
    layer = manual.activation(name)
    h, cache = layer.forward({}, np.array([[z]]))
    same(SCALAR[name](z), (h.item(), layer.backward({}, cache, np.array([[1.0]]))[0].item()))


@pytest.mark.parametrize("name", SCALAR)
@pytest.mark.parametrize("z", [-1e4, -746.0, 746.0, 1e4])
def test_scalar_activation_does_not_overflow(name: str, z: float) -> None:
    assert all(-inf < value < inf for value in SCALAR[name](z))


weights = st.floats(-2, 2)


@given(
    sizes=st.lists(st.integers(1, 4), min_size=2, max_size=4),
    name=st.sampled_from(sorted(SCALAR)),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_multilayer_perceptron_is_its_neurons(sizes: list[int], name: str, seed: int) -> None:
    """Every z, h, dz, dW, db and dx of a network of layers is that of the neurons it is made of."""
    rng = np.random.default_rng(seed)
    net = manual.mlp(sizes, name, name)
    params = net.init(rng, weights="normal", biases="normal")
    x, dy = rng.normal(size=(1, sizes[0])), rng.normal(size=(1, sizes[-1]))
    y, trace = net.forward(params, x)
    dx, dparams = net.backward(params, trace, dy)

    floors: list[list[Any]] = [list(range(sizes[0]))]
    for i, (n_in, n_out) in enumerate(pairwise(sizes)):
        W, b = params[2 * i]["W"], params[2 * i]["b"]
        assert W.shape == (n_out, n_in)
        floors.append([manual.Neuron(tuple(floors[-1]), tuple(W[k]), b[k], name) for k in range(n_out)])
    values = manual.evaluate(floors[-1], x[0])
    blame = manual.backprop(floors[-1], values, dy[0])
    same([values.h[k] for k in floors[-1]], y[0])
    same(blame.dx, dx[0])
    for i, floor in enumerate(floors[1:]):
        same([values.z[k] for k in floor], trace[2 * i].y[0])
        same([blame.dw[k] for k in floor], dparams[2 * i]["dW"])
        same([blame.dz[k] for k in floor], dparams[2 * i]["db"])


@st.composite
def graphs(draw: Any) -> tuple[int, list[tuple[list[int], list[float], float, str]], list[int]]:
    """Inputs, neurons that take any earlier inputs and neurons (one may be taken twice), and which ones are outputs."""
    n_in = draw(st.integers(1, 3))
    neurons = []
    for k in range(draw(st.integers(1, 6))):
        sources = draw(st.lists(st.integers(0, n_in + k - 1), min_size=1, max_size=4))
        w = draw(st.lists(weights, min_size=len(sources), max_size=len(sources)))
        neurons.append((sources, w, draw(weights), draw(st.sampled_from(sorted(SCALAR)))))
    outputs = draw(st.lists(st.integers(0, len(neurons) - 1), min_size=1, max_size=3))
    return n_in, neurons, outputs


@given(graph=graphs(), seed=st.integers(0, 2**32 - 1))
def test_any_acyclic_network_against_autograd(graph: Any, seed: int) -> None:
    """Shared inputs, skip connections, parallel connections, several outputs, one output that feeds another."""
    n_in, neurons, outputs = graph
    rng = np.random.default_rng(seed)
    x, dh = rng.normal(size=n_in), rng.normal(size=len(outputs))

    built: list[manual.Neuron] = []
    xs = torch.tensor(x, requires_grad=True)
    ws = [torch.tensor(w, dtype=torch.float64, requires_grad=True) for _, w, _, _ in neurons]
    bs = [torch.tensor(b, dtype=torch.float64, requires_grad=True) for _, _, b, _ in neurons]
    signals = list(xs)
    for (sources, w, b, name), tw, tb in zip(neurons, ws, bs, strict=True):
        built.append(manual.Neuron(tuple(s if s < n_in else built[s - n_in] for s in sources), tuple(w), b, name))
        signals.append(TORCH[name](torch.stack([signals[s] for s in sources]) @ tw + tb))
    torch.stack([signals[n_in + k] for k in outputs]).backward(torch.tensor(dh))

    chosen = [built[k] for k in outputs]
    values = manual.evaluate(chosen, x)
    blame = manual.backprop(chosen, values, dh)
    same([values.h[k] for k in chosen], [signals[n_in + k].item() for k in outputs])
    same(blame.dx, np.zeros(n_in) if xs.grad is None else xs.grad)
    for neuron, tw, tb in zip(built, ws, bs, strict=True):
        if neuron in blame.dz:
            same(blame.dz[neuron], tb.grad)
            same(blame.dw[neuron], tw.grad)
        else:
            assert tb.grad is None, "a neuron that the outputs depend on was left out"


def test_depth_is_no_limit() -> None:
    neuron = manual.Neuron((0,), (1.0,), 0.0, "identity")
    for _ in range(5000):
        neuron = manual.Neuron((neuron,), (1.0,), 0.0, "identity")
    assert manual.backprop([neuron], manual.evaluate([neuron], [2.0]), [3.0]).dx == (3.0,)


def test_the_number_of_paths_is_no_limit() -> None:
    """A ladder of double connections: 2^100 paths, 101 neurons, each computed once."""
    neuron = manual.Neuron((0,), (1.0,), 0.0, "identity")
    for _ in range(100):
        neuron = manual.Neuron((neuron, neuron), (0.75, 0.25), 0.0, "identity")
    assert manual.backprop([neuron], manual.evaluate([neuron], [2.0]), [3.0]).dx == (3.0,)


def test_bad_neurons() -> None:
    with pytest.raises(ValueError, match="2 weights for 1 sources, expected one each"):
        manual.Neuron((0,), (1.0, 2.0))
    with pytest.raises(ValueError, match="unknown activation 'tan'; known: identity, sigmoid, tanh"):
        manual.Neuron((0,), (1.0,), 0.0, "tan")
