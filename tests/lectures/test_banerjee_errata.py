"""Banerjee's mistakes in print: refuted in their place, named, and in numbers."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from handgrad import Verdict, verify, verify_function
from handgrad.course.lecture import Erratum
from handgrad.lectures.banerjee_batches import batch
from handgrad.lectures.banerjee_errata import ERRATA, NAlwaysTwo
from handgrad.lectures.banerjee_network import NET, PARAMS, PRINTED, X, Y, sigmoid_derivative
from handgrad.report.report import Report
from manual import BinaryCrossEntropy, HalfSquaredError, gradients, mlp
from manual.layers.sigmoid import sigmoid

GOLDEN = json.loads(Path(__file__).with_name("golden.json").read_text(encoding="utf-8"))["errata"]
WRONG = {erratum["id"]: erratum["numbers"] for erratum in GOLDEN if erratum["id"].startswith("B-")}
HALF = HalfSquaredError()

# Stage, tensor and name.
PLACES = {
    "B-E1": ("z2 = GradientForWeight 5-1", "dh1", "dW stands where W belongs"),
    "B-E2": ("given", "dh1", "the gradient is transposed"),
    "B-E3": ("E = NAlwaysTwo", "dh2", "every entry is 4 times the right one"),
    "B-E4": ("h2 = SlopeOne", "dz2", "the factor f'(z) is missing"),
    "B-E7": ("z2 = WeightsOnly 5-1", "db2", "the gradient is absent"),
    "B-E8": ("large (1e4)", "dz", "not finite"),
    "B-E9": ("given", "dw", "3 of 3 entries outside the bound"),
    "B-E13": ("given", "y", "the forward passes differ: shape is (5, 5), expected (5, 1)"),
}


@pytest.fixture(scope="module")
def errata() -> dict[str, Erratum]:
    return {erratum.id: erratum for erratum in (run() for run in ERRATA)}


def near(value: Any, expected: Any) -> None:
    np.testing.assert_allclose(np.ravel(value), np.ravel(expected), rtol=1e-12, atol=0)


def test_errata_are_those_of_the_lecture(errata: dict[str, Erratum]) -> None:
    classes = ("mathematically wrong", "numerically wrong")
    wanted = {e["id"] for e in GOLDEN if e["id"].startswith("B-") and e["main_class"] in classes}
    assert wanted <= set(errata)
    assert set(errata) == {*PLACES, "B-E5"}


@pytest.mark.parametrize("id", PLACES)
def test_erratum_is_refuted_in_its_place_by_its_name(errata: dict[str, Erratum], id: str) -> None:
    assert errata[id].verdict is Verdict.CERTIFIED  # refuted as printed, certified when right
    stage, tensor, name = PLACES[id]
    assert culprit(errata[id]).name == stage
    assert tensor in [t.name for t in culprit(errata[id]).isolated.tensors if t.verdict is Verdict.REFUTED]
    assert name in errata[id].words


def culprit(erratum: Erratum) -> Any:
    assert isinstance(erratum.finding, Report)
    assert erratum.finding.culprit is not None
    return erratum.finding.culprit


def test_the_gradient_for_the_weight_in_numbers() -> None:
    p, wrong = gradients(NET, PARAMS, X, Y, HALF), gradients(PRINTED, PARAMS, X, Y, HALF)
    for name, value in (("right", p), ("wrong", wrong)):
        near(value["dW1"], WRONG["B-E1"][f"dW1_{name}"])
        near(value["dh1"], WRONG["B-E1"][f"dh1_{name}"])
    for k in ("db1", "db2"):  # B-E7 leaves them at 0
        near(p[k], WRONG["B-E7"][k])
    assert (wrong["dW2"] == p["dW2"]).all()
    assert (wrong["dh1"] >= 0).all()  # h1 dz2^2: the sign of the error is lost


def test_the_index_slip_stops_the_program(errata: dict[str, Erratum]) -> None:
    assert errata["B-E5"].verdict is Verdict.CERTIFIED
    assert "KeyError: 2" in errata["B-E5"].words


def test_the_loss_gradient_is_right_for_two_samples_alone() -> None:
    judged = {n: verify(NET, PARAMS, *batch(n), NAlwaysTwo(), seed=n).verdict for n in (1, 2)}
    assert judged == {1: Verdict.REFUTED, 2: Verdict.CERTIFIED}


def test_without_the_output_derivative_it_is_cross_entropy() -> None:
    right = gradients(NET, PARAMS, X, Y, HALF)
    logits = gradients(mlp([2, 5, 1], "sigmoid"), PARAMS[:3], X, Y, BinaryCrossEntropy("sum"))
    near(logits["dz2"], right["h2"] - Y)
    near(logits["dz2"] / right["dz2"], WRONG["B-E4"]["best_scale_wrong_over_right"])
    assert verify(mlp([2, 5, 1], "sigmoid"), PARAMS[:3], X, Y, BinaryCrossEntropy("sum"), seed=1).verdict.exit_code == 0


def test_the_chain_rule_in_numbers(errata: dict[str, Erratum]) -> None:
    worst = culprit(errata["B-E9"]).isolated.worst
    assert worst.index == (0,)  # w = 1.3
    near(worst.hand / worst.reference, WRONG["B-E9"]["printed_rule"] / WRONG["B-E9"]["correct"])


@pytest.mark.parametrize(("dtype", "z"), [("float64", -1000.0), ("float32", -100.0)])
def test_the_judge_sees_the_overflow_in_both_precisions(dtype: str, z: float) -> None:
    inputs = [np.array([z, 1.0], dtype=dtype)]
    wrong = verify_function(sigmoid, lambda dh, z: dh * sigmoid_derivative(z), torch.sigmoid, inputs, seed=1)
    assert wrong.verdict is Verdict.REFUTED


def test_the_shape_that_broadcasting_makes(errata: dict[str, Erratum]) -> None:
    assert str(tuple(WRONG["B-E13"]["z1_shape"])) in errata["B-E13"].words
    p = gradients(NET, PARAMS, X, Y, HALF)
    assert WRONG["B-E2"]["shapes"][0].startswith("broadcast: dz1 (5, 5)")
    assert ((p["dz2"] @ p["W2"]) * sigmoid_derivative(p["z1"].T)).shape == (5, 5)
