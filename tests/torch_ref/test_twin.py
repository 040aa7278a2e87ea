"""twin(): torch's own keys, the same function as the manual network, the same gradients, clear refusals."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import manual
import torch_ref

rng = np.random.default_rng(0)

CHAIN = manual.Network(
    (
        manual.Linear(5, 6),
        manual.BatchNorm1d(6),
        manual.SiLU(),
        manual.Linear(6, 4, mask=rng.integers(2, size=(4, 6))),
        manual.Tanh(),
        manual.Dropout(0.3),
        manual.Linear(4, 6, bias=False),
        manual.LayerNorm(6),
        manual.GELU(),
        manual.BatchNorm1d(6, eps=1e-3),
        manual.Linear(6, 6),
        manual.GELUTanh(),
        manual.Softplus(),
        manual.LeakyReLU(0.2),
        manual.Linear(6, 6),
        manual.ReLU(),
        manual.Identity(),
        manual.Sigmoid(),
        manual.Linear(6, 3),
        manual.Softmax(),
        manual.Linear(3, 3),
    )
)
LOSSES = (
    (manual.SquaredError(), rng.normal(size=(7, 3))),
    (manual.HalfSquaredError("batch mean"), rng.normal(size=(7, 3))),
    (manual.MeanSquaredError(), rng.normal(size=(7, 3))),
    (manual.BinaryCrossEntropy("sum"), rng.uniform(size=(7, 3))),
    (manual.SoftmaxCrossEntropy("mean", 0.1, [0.3, 2.0, 0.7]), rng.integers(3, size=7)),
    (manual.SoftmaxCrossEntropy("batch mean"), rng.dirichlet(np.ones(3), size=7)),
)
KEYS = {"W": "weight", "b": "bias", "gamma": "weight", "beta": "bias"}


def tensors(state: Any) -> Any:
    if state is None:
        return None
    return manual.Running(*map(torch.tensor, state)) if isinstance(state, tuple) else torch.tensor(state)


@pytest.mark.parametrize(("loss", "target"), LOSSES, ids=lambda value: type(value).__name__)
def test_gradients_of_a_chain_of_all_layers_equal_the_hand_derived_ones(loss: Any, target: Any) -> None:
    rng = np.random.default_rng(1)
    params = CHAIN.init(1, biases="normal")
    x = rng.normal(size=(7, 5))
    states: list[Any] = [None] * len(CHAIN.layers)
    states[5] = (rng.random((7, 4)) > 0.3) * 1.0
    states[9] = manual.Running(rng.normal(size=6), rng.uniform(0.5, 2, size=6))
    hand = manual.gradients(CHAIN, params, x, target, loss, states=states)

    module = torch_ref.twin(CHAIN).double()
    module.load_state_dict(torch_ref.to_torch(CHAIN, params), strict=True)
    leaf = torch.tensor(x, requires_grad=True)
    E = torch_ref.twin(loss)(module(leaf, [tensors(state) for state in states]), torch.tensor(target))
    E.backward()

    np.testing.assert_allclose(hand.loss, E.item(), rtol=1e-12)
    np.testing.assert_allclose(hand.dx, leaf.grad.numpy(), rtol=1e-11, atol=1e-13)
    found = {name: p.grad.numpy() for name, p in module.named_parameters()}
    for i, grads in enumerate(hand.dparams):
        for name, grad in grads.items():
            np.testing.assert_allclose(grad, found.pop(f"{i}.{KEYS[name[1:]]}"), rtol=1e-11, atol=1e-13)
    assert not found


def test_keys_are_those_of_a_plain_sequential() -> None:
    net = manual.Network((manual.Linear(4, 3), manual.BatchNorm1d(3), manual.ReLU(), manual.LayerNorm(3)))
    plain = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.ReLU(), nn.LayerNorm(3))
    assert list(torch_ref.twin(net).state_dict()) == list(plain.state_dict())


def test_every_activation_has_a_twin_of_its_own_name() -> None:
    for layer in manual.ACTIVATIONS.values():
        assert type(torch_ref.twin(layer)) is getattr(torch_ref, type(layer).__name__)


def test_a_subclass_gets_the_twin_of_what_it_derives_from() -> None:
    @dataclass(frozen=True)
    class Steep(manual.LeakyReLU):
        extra: int = 3

    module = torch_ref.twin(Steep(0.4))
    assert isinstance(module, torch_ref.LeakyReLU)
    assert module.negative_slope == 0.4


def test_a_layer_that_occurs_twice_has_weights_of_its_own_each_time() -> None:
    linear = manual.Linear(3, 3)
    assert len(list(torch_ref.twin(manual.Network((linear, linear))).parameters())) == 4


def test_unknown_layers_are_refused_with_the_known_names() -> None:
    class Convolution:
        pass

    with pytest.raises(TypeError, match=r"no PyTorch twin for Convolution; .* GELU, .*SoftmaxCrossEntropy"):
        torch_ref.twin(Convolution())  # type: ignore[arg-type]


def test_states_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="states: 2 entries, expected 1"):
        torch_ref.twin(manual.mlp([2, 1]))(torch.zeros(1, 2), [None, None])


def test_training_the_chain_moves_the_running_statistics_as_manual_does() -> None:
    layer = manual.BatchNorm1d(3, momentum=0.4)
    x = np.random.default_rng(2).normal(size=(6, 3))
    params = {"gamma": np.ones(3), "beta": np.zeros(3)}
    _, cache = layer.forward(params, x)
    running = layer.update_running(layer.initial_running(params["gamma"]), cache)
    module = torch_ref.twin(layer).double()
    module(torch.tensor(x))
    np.testing.assert_allclose(running.mean, module.running_mean.numpy(), rtol=1e-14, atol=1e-15)
    np.testing.assert_allclose(running.var, module.running_var.numpy(), rtol=1e-14)
