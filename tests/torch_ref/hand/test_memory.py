"""What is kept between forward and backward: never more than torch's own modules keep, less where it can be less."""

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

import manual
from torch_ref import HandModule

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "benchmarks"))  # scripts, not a package

import memory
import record


def test_never_more_and_as_recorded() -> None:
    found = memory.measure()
    assert {name: row["hand"] <= row["torch"] for name, row in found.items()} == dict.fromkeys(found, True)
    assert found == record.load("memory")["kept"]
    shown = record.section("memory").search(record.PAGE.read_text())
    assert shown is not None
    assert shown[2] == memory.table(record.load("memory"))


@pytest.mark.parametrize("hidden", ["softplus", "silu", "gelu"])
def test_one_array_for_each_activation_where_its_composition_keeps_more(hidden: str) -> None:
    N, n = 8, 5
    hand = HandModule(manual.ACTIVATIONS[hidden])
    x = torch.randn(N, n, requires_grad=True)
    assert memory.kept(hand, lambda: hand(x)) <= 2 * N * n * 4  # the input, and at most the output


def test_squared_error_keeps_the_error_alone() -> None:
    hand = HandModule(manual.Network((manual.Linear(3, 5),)), manual.MeanSquaredError())
    plain, E = nn.Linear(3, 5), nn.MSELoss()
    x, target = torch.randn(8, 3), torch.randn(8, 5)
    given = x.nbytes + target.nbytes
    assert memory.kept(hand, lambda: hand(x, target)) == given + 8 * 5 * 4
    assert memory.kept(plain, lambda: E(plain(x), target)) == given + 8 * 5 * 4


def test_nothing_is_kept_below_the_lowest_stage_that_needs_a_gradient() -> None:
    hand = HandModule(manual.mlp([6, 5, 4, 3], "tanh"), manual.SoftmaxCrossEntropy())
    for name in ("0.weight", "0.bias", "2.weight", "2.bias"):
        hand.get_parameter(name).requires_grad_(False)
    x, labels = torch.randn(8, 6), torch.randint(3, (8,))
    given = x.nbytes + labels.nbytes
    assert memory.kept(hand, lambda: hand(x, labels)) == given + 8 * 4 * 4 + 8 * 3 * 4  # h2 and p
