"""The batch norm of all processes in one process alone; in two of them: test_processes.py."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.testing import assert_close

import manual
from tests.torch_ref.hand.networks import EVERY_KIND, LOSS, batch, gradients, pair
from torch_ref import HandModule, SyncBatchNorm1d, twin


def convert(module: nn.Module) -> Any:
    return nn.SyncBatchNorm.convert_sync_batchnorm(module)


def test_a_converted_child_is_the_same_module_with_all_its_options() -> None:
    hand: Any = pair(EVERY_KIND)[0]
    norm, hand[1].eps, hand[1].momentum = hand[1], 1e-3, None
    group = object()
    converted = nn.SyncBatchNorm.convert_sync_batchnorm(hand, group)
    assert converted is hand
    assert hand[1] is norm
    assert norm.layers == (SyncBatchNorm1d(5, 1e-3, 0.1, group),)
    assert norm.momentum is None
    norm.eps = 1e-4
    assert norm.layers == (SyncBatchNorm1d(5, 1e-4, 0.1, group),)


def test_without_other_processes_it_is_the_plain_one() -> None:
    x, labels = batch()
    found = []
    for module in (pair(EVERY_KIND, LOSS)[0], convert(pair(EVERY_KIND, LOSS)[0])):
        torch.manual_seed(1)
        module(x, labels).backward()
        found.append([*gradients(module), *module.buffers(), module.eval()(x)])
    assert_close(*found, rtol=0, atol=0)


def test_torchs_own_norm_put_there_by_hand_stays_torchs() -> None:
    hand: Any = pair(EVERY_KIND)[0]
    own = nn.SyncBatchNorm(5).double()
    hand.add_module("1", own)
    assert hand[1] is own
    hand.add_module("8", nn.SyncBatchNorm(3).double())
    assert type(hand[8]) is nn.SyncBatchNorm


def test_manual_uses_it_too() -> None:
    layer = SyncBatchNorm1d(6)
    x, _ = batch()
    params = {"gamma": torch.ones(6).double(), "beta": torch.zeros(6).double()}
    for norm in (manual.BatchNorm1d(6), layer):
        y, cache = norm.forward(params, x)
        running = norm.update_running(norm.initial_running(params["gamma"]), cache)
        module = twin(norm).double()
        assert_close(module(x), y)
        assert_close(tuple(running), (module.running_mean, module.running_var))
    assert isinstance(HandModule(layer), nn.BatchNorm1d)
    with pytest.raises(ValueError, match="x has 1 sample, expected 2 or more"):
        HandModule(layer).double()(x[:1])
