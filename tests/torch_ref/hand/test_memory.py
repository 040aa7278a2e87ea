"""What is kept between forward and backward: never more than autograd keeps, and less where it can be less."""

from typing import Any

import pytest
import torch
from torch import nn

import manual
from torch_ref import HandModule


def kept(module: nn.Module, run: Any) -> int:
    """Bytes kept for the backward pass, besides parameters: each storage once."""
    own = {p.untyped_storage().data_ptr() for p in module.parameters()}
    storages: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        value = run()
    assert value.requires_grad
    return sum(storages.values())


PLAIN = {"tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "relu": nn.ReLU, "silu": nn.SiLU, "gelu": nn.GELU,
         "softplus": nn.Softplus, "leaky_relu": nn.LeakyReLU}  # fmt: skip


@pytest.mark.parametrize("hidden", PLAIN)
def test_a_network_with_its_loss_keeps_no_more_than_torchs_own_modules(hidden: str) -> None:
    hand = HandModule(manual.mlp([12, 16, 8, 4], hidden), manual.SoftmaxCrossEntropy())
    plain = nn.Sequential(nn.Linear(12, 16), PLAIN[hidden](), nn.Linear(16, 8), PLAIN[hidden](), nn.Linear(8, 4))
    plain.load_state_dict(hand.state_dict())
    x, labels, E = torch.randn(32, 12), torch.randint(0, 4, (32,)), nn.CrossEntropyLoss()
    assert kept(hand, lambda: hand(x, labels)) <= kept(plain, lambda: E(plain(x), labels))


def test_squared_error_keeps_one_array_where_autograd_keeps_two() -> None:
    hand = HandModule(manual.Network((manual.Linear(3, 5),)), manual.MeanSquaredError())
    plain = nn.Linear(3, 5)
    x, target, E = torch.randn(8, 3), torch.randn(8, 5), nn.MSELoss()
    given = x.nbytes + target.nbytes
    assert kept(hand, lambda: hand(x, target)) == given + 8 * 5 * 4  # the error y - t, and the target itself
    assert kept(plain, lambda: E(plain(x), target)) == given + 8 * 5 * 4
