"""Networks, losses and optimizers as plain data: all of them, exactly, and nothing else."""

import json
from math import inf, nan
from typing import Any

import numpy as np
import pytest

import manual
from manual.files.architecture import (
    LAYERS,
    LOSSES,
    OPTIMIZERS,
    loss_from_plain,
    loss_to_plain,
    network_from_plain,
    network_to_plain,
    number_from_plain,
    number_to_plain,
    optimizer_from_plain,
    optimizer_to_plain,
)

MASK = np.array([[1, 0, 1], [0, 1, 1], [1, 1, 0], [0, 0, 1]])


def test_plain_form() -> None:
    assert network_to_plain(manual.mlp([3, 2])) == [{"Linear": {"n_in": 3, "n_out": 2, "bias": True}}]
    assert network_to_plain(manual.Network((manual.Linear(3, 4, mask=MASK),)))[0]["Linear"]["mask"] == [
        *("101", "011", "110", "001")
    ]
    assert optimizer_to_plain(manual.SGD(0.5)) == {
        "SGD": {"lr": 0.5, "momentum": 0.0, "dampening": 0.0, "nesterov": False, "weight_decay": 0.0}
    }


def test_every_kind_can_be_saved() -> None:
    classes = [thing for thing in vars(manual).values() if isinstance(thing, type)]
    layers = {c for c in classes if hasattr(c, "forward") and hasattr(c, "param_shapes")}
    losses = {c for c in classes if hasattr(c, "forward") and not hasattr(c, "param_shapes")}
    assert layers - {manual.Layer, manual.Network} == set(LAYERS)
    assert losses - {manual.Loss, manual.Layer} == set(LOSSES)
    assert {c for c in classes if hasattr(c, "step") and hasattr(c, "initial")} == set(OPTIMIZERS)


@pytest.mark.parametrize(
    ("plain", "says"),
    [
        ([{"os.system": {}}], "layer 0: unknown kind 'os.system'; known: Linear, "),
        ([{"SGD": {"lr": 1}}], "layer 0: unknown kind 'SGD'"),
        ([{"Tanh": {}}, {"Linear": {"n_in": 0, "n_out": 1}}], "layer 1: cannot be made: Linear: n_in"),
        ([{"Tanh": {"n": 1}}], "layer 0: cannot be made"),
        ([{"Linear": {"n_in": "3", "n_out": 1}}], "layer 0: cannot be made"),
        ([{}], "layer 0: expected one kind"),
        ([{"Tanh": 1}], "layer 0: expected one kind"),
        ({"Tanh": {}}, "network: got dict, expected a list"),
        ([], "layers is empty"),
        ([{"Linear": {"n_in": 1, "n_out": 1, "mask": ["2"]}}], "entries other than 0 and 1"),
    ],
)
def test_unknown_kinds_are_refused(plain: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        network_from_plain(plain)


def test_known_kinds_are_all_different() -> None:
    names = [kind.__name__ for kind in LAYERS + LOSSES + OPTIMIZERS]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize("reduction", ["sum", "mean", "batch mean"])
def test_losses_come_back(kind: Any, reduction: str) -> None:
    loss = kind(reduction)
    assert loss_from_plain(json.loads(json.dumps(loss_to_plain(loss)))) == loss


@pytest.mark.parametrize("weights", [(1 / 3, 2.0), [1 / 3, 2.0], np.array([1 / 3, 2])])
def test_class_weights_come_back_as_a_tuple(weights: Any) -> None:
    loss = manual.SoftmaxCrossEntropy(label_smoothing=0.1, class_weights=weights)
    found = loss_from_plain(json.loads(json.dumps(loss_to_plain(loss))))
    assert found == manual.SoftmaxCrossEntropy("mean", 0.1, (1 / 3, 2.0))


@pytest.mark.parametrize(
    "optimizer", [manual.SGD(1 / 3, 0.9, nesterov=True), manual.Adam(1e-5, (0.1, 1 / 7)), manual.AdamW(weight_decay=0)]
)
def test_optimizers_come_back(optimizer: Any) -> None:
    found = optimizer_from_plain(json.loads(json.dumps(optimizer_to_plain(optimizer))))
    assert (type(found), found) == (type(optimizer), optimizer)


@pytest.mark.parametrize("mask", [MASK, MASK.astype(bool), MASK.astype(float), MASK.tolist()])
def test_masks_come_back(mask: Any) -> None:
    found = network_from_plain(network_to_plain(manual.Network((manual.Linear(3, 4, mask=mask),))))
    np.testing.assert_array_equal(found.layers[0].mask, MASK)


@pytest.mark.parametrize("value", [0.1, -0.0, 5e-324, nan, inf, -inf, 2**70, True, np.float32(0.1), np.int64(3)])
def test_numbers_come_back(value: Any) -> None:
    plain = json.loads(json.dumps(number_to_plain("it", value), allow_nan=False))
    found, right = number_from_plain(plain), value.item() if isinstance(value, np.generic) else value
    assert (type(found), repr(found)) == (type(right), repr(right))


@pytest.mark.parametrize("value", ["1", None, [1.0], np.ones(1), 1j])
def test_what_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match=r"it: got .*, expected a number"):
        number_to_plain("it", value)
