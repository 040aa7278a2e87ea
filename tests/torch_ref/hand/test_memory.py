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


ALONE = {
    **{name: (manual.ACTIVATIONS[name], module) for name, module in memory.OWN.items()},
    "linear": (manual.Linear(5, 5), lambda: nn.Linear(5, 5)),
    "layer norm": (manual.LayerNorm(5), lambda: nn.LayerNorm(5)),
    "batch norm": (manual.BatchNorm1d(5), lambda: nn.BatchNorm1d(5)),
    "softmax": (manual.Softmax(), lambda: nn.Softmax(1)),
    "dropout": (manual.Dropout(), nn.Dropout),
    "identity": (manual.Identity(), nn.Identity),
}


@pytest.mark.parametrize("name", ALONE)
def test_a_layer_alone_keeps_no_more_than_torchs(name: str) -> None:
    layer, module = ALONE[name]
    hand, plain = HandModule(layer), module()
    x = torch.randn(8, 5, requires_grad=True)
    assert memory.kept(hand, lambda: hand(x)) <= memory.kept(plain, lambda: plain(x))


@pytest.mark.parametrize(
    ("loss", "module"),
    [(manual.MeanSquaredError(), nn.MSELoss()), (manual.BinaryCrossEntropy(), nn.BCEWithLogitsLoss())],
    ids=["squared error", "binary cross-entropy"],
)
def test_a_loss_alone_keeps_no_more_than_torchs(loss: manual.Loss, module: nn.Module) -> None:
    hand = HandModule(loss)
    y, target = torch.randn(8, 5, requires_grad=True), torch.rand(8, 5)
    assert memory.kept(hand, lambda: hand(y, target)) <= memory.kept(module, lambda: module(y, target))


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
    assert memory.kept(hand, lambda: hand(x, labels)) == labels.nbytes + 8 * 4 * 4 + 8 * 3 * 4  # h2 and p
