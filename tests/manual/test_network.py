"""A network as a whole: its trace, the names of its quantities, its random and its running state."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch

import manual

NET = manual.Network(
    (
        manual.Linear(4, 6),
        manual.BatchNorm1d(6),
        manual.ReLU(),
        manual.Dropout(0.4),
        manual.Linear(6, 5),
        manual.LayerNorm(5),
        manual.GELU(),
        manual.Tanh(),
        manual.Linear(5, 3, bias=False),
        manual.Softmax(),
    )
)


def example(seed: int = 0) -> tuple[Any, Any, Any, Any]:
    """Parameters, input, upstream gradient, and states with a dropout mask."""
    rng = np.random.default_rng(seed)
    params = tuple({k: rng.normal(size=s) for k, s in shapes.items()} for shapes in NET.param_shapes)
    states: list[Any] = [None] * len(NET.layers)
    states[3] = manual.Dropout(0.4).draw(rng, np.empty((7, 6)))
    return params, rng.normal(size=(7, 4)), rng.normal(size=(7, 3)), states


def test_trace_is_chained_by_identity() -> None:
    params, x, dy, states = example()
    y, trace = NET.forward(params, x, states)
    stages = NET.backward_trace(params, trace, dy)
    assert len(trace) == len(stages) == len(NET.layers)
    assert trace[0].x is x
    assert trace[-1].y is y
    assert stages[-1].dy is dy
    for i in range(len(NET.layers) - 1):
        assert trace[i + 1].x is trace[i].y
        assert stages[i].dy is stages[i + 1].dx


def test_backward_is_the_ends_of_the_backward_trace() -> None:
    params, x, dy, states = example()
    _, trace = NET.forward(params, x, states)
    dx, dparams = NET.backward(params, trace, dy)
    stages = NET.backward_trace(params, trace, dy)
    assert np.array_equal(dx, stages[0].dx)
    for layer, d, stage in zip(NET.layers, dparams, stages, strict=True):
        assert set(d) == {"d" + name for name in layer.param_shapes}
        assert all(np.array_equal(d[name], stage.dparams[name]) for name in d)


def test_each_stage_is_its_layer_alone() -> None:
    params, x, dy, states = example()
    _, trace = NET.forward(params, x, states)
    for layer, p, state, stage, back in zip(
        NET.layers, params, states, trace, NET.backward_trace(params, trace, dy), strict=True
    ):
        y, cache = layer.forward(p, stage.x, *(() if state is None else (state,)))
        assert np.array_equal(y, stage.y)
        assert np.array_equal(layer.backward(p, cache, back.dy)[0], back.dx)


def test_names() -> None:
    assert manual.output_names(NET.layers) == ("z1", "n1", "h1", "d1", "z2", "n2", "h2", "h2_2", "z3", "p3")
    named = manual.param_names(NET.layers)
    assert named[0] == {"W": "W1", "b": "b1"}
    assert named[1] == {"gamma": "gamma1", "beta": "beta1"}
    assert named[8] == {"W": "W3"}
    assert manual.output_names((manual.Tanh(), manual.Tanh(), manual.Tanh())) == ("h0", "h0_2", "h0_3")


def test_mlp() -> None:
    layers = manual.mlp([4, 3, 2, 1], "relu", "sigmoid").layers
    assert [type(layer).__name__ for layer in layers] == ["Linear", "ReLU", "Linear", "ReLU", "Linear", "Sigmoid"]
    assert [(layer.n_in, layer.n_out) for layer in layers[::2]] == [(4, 3), (3, 2), (2, 1)]
    assert type(manual.mlp([4, 3, 2]).layers[-1]) is manual.Linear
    assert all(set(p) <= {"W"} for p in manual.mlp([4, 3, 2], bias=False).param_shapes)


def test_pass_is_a_mapping_of_every_quantity() -> None:
    params, x, _, states = example()
    labels = np.random.default_rng(1).integers(3, size=7)
    chain, states = manual.Network(NET.layers[:-1]), states[:-1]
    p = manual.gradients(chain, params[:-1], x, labels, manual.SoftmaxCrossEntropy(), states=states)
    assert isinstance(p, Mapping)
    forward = {"x", "loss", *manual.output_names(chain.layers)}
    weights = {name for names in manual.param_names(chain.layers) for name in names.values()}
    assert set(p) == forward | weights | {"d" + name for name in (forward | weights) - {"loss"}}
    assert len(p) == len(list(p))
    assert p["x"] is x
    assert p["dx"] is p.dx
    assert p["z3"] is p.y
    assert p["W2"] is params[4]["W"]
    assert p["dW2"] is p.dparams[4]["dW"]
    assert p["dh1"] is p.stages[2].dy
    assert all(p["d" + name].shape == p[name].shape for name in (forward | weights) - {"loss"})
    with pytest.raises(KeyError, match="no quantity 'dW9' in this pass; there are: x, dx, loss, z1, dz1, W1, dW1"):
        p["dW9"]


def test_pass_gives_what_the_parts_give() -> None:
    params, x, target, states = example()
    loss = manual.HalfSquaredError("mean")
    p = manual.gradients(NET, params, x, target, loss, states=states)
    y, trace = NET.forward(params, x, states)
    E, cache = loss.forward(y, target)
    dx, dparams = NET.backward(params, trace, loss.backward(cache, 1.0))
    assert p["loss"] == E
    assert np.array_equal(p.dx, dx)
    assert all(np.array_equal(p.dparams[i][k], d) for i, layer in enumerate(dparams) for k, d in layer.items())


def test_dropped_units_neither_speak_nor_learn() -> None:
    params, x, dy, states = example()
    _, trace = NET.forward(params, x, states)
    stages = NET.backward_trace(params, trace, dy)
    dropped = states[3] == 0
    assert dropped.any()
    assert not dropped.all()
    assert not trace[3].y[dropped].any()
    assert not stages[3].dx[dropped].any()
    np.testing.assert_allclose(trace[3].y[~dropped], trace[3].x[~dropped] / 0.6, rtol=1e-15)


def test_dropout_draw() -> None:
    """Seeded, zeros and ones of the dtype asked for, and the share dropped is p (within five standard errors)."""
    like = np.empty((200, 300), dtype=np.float32)
    mask = manual.Dropout(0.3).draw(np.random.default_rng(0), like)
    assert mask.dtype == np.float32
    assert set(np.unique(mask)) == {0.0, 1.0}
    assert abs(mask.mean() - 0.7) < 5 * np.sqrt(0.21 / mask.size)
    assert np.array_equal(mask, manual.Dropout(0.3).draw(np.random.default_rng(0), like))
    tensor = manual.Dropout(0.3).draw(np.random.default_rng(0), torch.empty(200, 300))
    assert np.array_equal(mask, tensor.numpy())


@pytest.mark.parametrize("momentum", [0.1, 0.37])
def test_running_statistics_are_those_of_torch(momentum: float) -> None:
    """Over several batches of several sizes, then in evaluation with the statistics gathered; gradients as well."""
    rng = np.random.default_rng(0)
    layer = manual.BatchNorm1d(4, eps=1e-3, momentum=momentum)
    twin = torch.nn.BatchNorm1d(4, eps=1e-3, momentum=momentum, dtype=torch.float64)
    params = {"gamma": rng.normal(size=4), "beta": rng.normal(size=4)}
    twin.load_state_dict({"weight": torch.tensor(params["gamma"]), "bias": torch.tensor(params["beta"])}, strict=False)
    running = layer.initial_running(params["gamma"])
    for N in (2, 7, 3, 5):
        x = rng.normal(2.0, 3.0, size=(N, 4))
        y, cache = layer.forward(params, x)
        before = running
        running = layer.update_running(running, cache)
        assert before is not running
        np.testing.assert_allclose(y, twin(torch.tensor(x)).detach(), rtol=1e-11, atol=1e-12)
        np.testing.assert_allclose(running.mean, twin.running_mean, rtol=1e-13)
        np.testing.assert_allclose(running.var, twin.running_var, rtol=1e-13)
    twin.eval()
    x, dy = rng.normal(size=(1, 4)), rng.normal(size=(1, 4))
    tensor = torch.tensor(x, requires_grad=True)
    y, cache = layer.forward(params, x, running)
    dx, d = layer.backward(params, cache, dy)
    twin(tensor).backward(torch.tensor(dy))
    np.testing.assert_allclose(dx, tensor.grad, rtol=1e-12)
    np.testing.assert_allclose(d["dgamma"], twin.weight.grad, rtol=1e-11)
    np.testing.assert_allclose(d["dbeta"], twin.bias.grad, rtol=1e-12)


def test_running_statistics_of_one_sample() -> None:
    layer = manual.BatchNorm1d(2)
    params = {"gamma": np.ones(2), "beta": np.zeros(2)}
    cache = layer.forward(params, np.ones((1, 2)))[1]
    with pytest.raises(ValueError, match="need at least 2 samples in the batch, got 1"):
        layer.update_running(layer.initial_running(params["gamma"]), cache)


def test_training_learns() -> None:
    """XOR, by nothing but the functions of this package."""
    x = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    t = np.array([[0.0], [1.0], [1.0], [0.0]])
    net, loss = manual.mlp([2, 4, 1], "tanh"), manual.BinaryCrossEntropy()
    params = net.init(0)
    losses = []
    for _ in range(500):
        p = manual.gradients(net, params, x, t, loss)
        losses.append(float(p["loss"]))
        params = manual.sgd(params, p.dparams, 1.0)
    assert losses[-1] < 0.02 < 0.5 < losses[0]


def test_an_activation_with_options_in_an_mlp():
    net = manual.mlp([3, 4, 2], manual.LeakyReLU(0.2), manual.Softmax())
    assert [net.layers[1], net.layers[3]] == [manual.LeakyReLU(0.2), manual.Softmax()]


def test_a_mask_of_connections_is_the_layers_own():
    mask = np.ones((2, 3))
    layer = manual.Linear(3, 2, mask=mask)
    mask[:] = 7
    assert (layer.mask == 1).all()


def test_a_loss_of_the_users_own_takes_what_target_it_likes():
    class Picked:
        def forward(self, y, labels):
            return -y[np.arange(len(y)), labels].sum(), (y.shape, labels)

        def backward(self, cache, dE):
            dy = np.zeros(cache[0])
            dy[np.arange(len(dy)), cache[1]] = -dE
            return dy

    net, x = manual.mlp([3, 2]), np.ones((4, 3))
    found = manual.gradients(net, net.init(0), x, np.array([0, 1, 1, 1]), Picked())
    assert found["db1"].tolist() == [-1.0, -3.0]


def test_networks_are_compared_by_their_layers() -> None:
    mask = np.array([[1, 0, 1], [0, 1, 1]])
    net = manual.Network(
        (manual.Linear(3, 2, mask=mask), manual.LeakyReLU(0.2), manual.BatchNorm1d(2), manual.Linear(2, 1))
    )
    same = manual.Network((manual.Linear(3, 2, mask=mask.tolist()), *net.layers[1:3], manual.Linear(2, 1)))
    assert net == same
    assert hash(net) == hash(same)
    others = manual.Linear(3, 2), manual.LeakyReLU(0.1), manual.BatchNorm1d(2, 1e-3), manual.Linear(2, 1, bias=False)
    for k, layer in enumerate(others):
        layers: list[Any] = list(net.layers)
        layers[k] = layer
        assert net != manual.Network(tuple(layers))
    assert net != manual.Network(net.layers[:3])
    assert net != net.layers
