"""Ando Ki's mistakes in print: refuted as printed, at the right place, and certified when right."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handgrad.course.lecture import Erratum
from handgrad.judge.verdict import Verdict
from handgrad.lectures import ando_ki_errata, ando_ki_neurons, ando_ki_train
from manual import gradients

GOLDEN = json.loads((Path(__file__).parent / "golden.json").read_text(encoding="utf-8"))
ERRATA_NUMBERS = {e["id"]: e["numbers"] for e in GOLDEN["errata"] if e["id"].startswith("A-")}

# (the stage that must be named, the tensors that are wrong there, part of the name or of what is said)
PLACES = {
    "tanh_derivative": ("given", {"dx"}, ""),
    "bias_in_the_sum": ("z1 =", {"z1", "db1"}, ""),
    "bias_in_the_sum_derived": ("z1 =", {"db1"}, "every entry is 3 times the right one (the number of inputs)"),
    "prime_lost": ("h1 =", {"dz1"}, "the activation stands where its derivative belongs"),
    "minus_lost": ("E =", {"dh2"}, ""),
    "bias_for_output": ("given", {"db"}, "f'(z) is missing in the bias gradient"),
    "transpose": ("z3 =", {"dh2"}, "W^T stands where W belongs"),
    "matrix_missing": ("given", {"dW1"}, "dW1: shape is (3, 1), expected (3, 4)"),
    "matrix_missing_broadcast": ("given", {"dW1"}, ""),
    "derivative_at_output": ("h2 =", {"dz2"}, "the derivative is taken at the output"),
    "derivative_at_output_sigmoid": ("h2 =", {"dz2"}, "the derivative is taken at the output"),
    "loss_scale": ("E =", {"dh2"}, "every entry is 2 times the right one"),
}


@pytest.fixture(scope="module")
def found() -> dict[str, Erratum]:
    return {run.__name__: run() for run in ando_ki_errata.ERRATA}


@pytest.mark.parametrize("name", PLACES)
def test_mistake_in_print_is_refuted(found: dict[str, Erratum], name: str) -> None:
    erratum = found[name]
    stage, tensors, words = PLACES[name]
    assert erratum.finding.verdict is Verdict.REFUTED
    assert erratum.right_finding.verdict is Verdict.CERTIFIED
    assert erratum.verdict is Verdict.CERTIFIED
    row = erratum.finding.culprit
    assert row.name.startswith(stage)
    assert {t.name for t in row.isolated.tensors if t.verdict is Verdict.REFUTED} == tensors
    assert words in erratum.words


def test_every_wrong_entry_of_the_list_is_a_case(found: dict[str, Erratum]) -> None:
    assert set(found) == set(PLACES)
    wrong = {e["id"] for e in GOLDEN["errata"] if e["id"].startswith("A-") and e["main_class"] in (
        "mathematically wrong", "OCR/typography that changes meaning")}  # fmt: skip
    assert {erratum.id for erratum in found.values()} == wrong | {"A-E6", "A-E11"}


def same(ours: Any, listed: Any) -> None:
    """Within 1e-12 of the largest entry."""
    right = np.asarray(listed)
    np.testing.assert_allclose(np.asarray(ours).reshape(right.shape), right, rtol=0, atol=1e-12 * np.abs(right).max())


def test_printed_formulas_give_the_numbers_of_the_list() -> None:
    e, n = ando_ki_errata, ando_ki_neurons
    z, _ = e.BiasInTheSum(3, 1).forward(n.NEURON[0], np.array([[0.5, -1.0, 2.0]]))
    same(z, ERRATA_NUMBERS["A-E2"]["z_literal"])
    half = ando_ki_errata.HALF
    lost = gradients(e.instead(e.NEURONS, {1: e.PrimeLost()}), n.CHAIN, n.CHAIN_X, n.TARGET, half)
    right = gradients(e.NEURONS, n.CHAIN, n.CHAIN_X, n.TARGET, half)
    same(lost["dW1"] / right["dW1"], [ERRATA_NUMBERS["A-E3"]["best_scale_wrong_over_right"]] * 2)
    product = gradients(e.NEURONS, n.CHAIN, n.CHAIN_X, n.TARGET, e.MinusLost())
    same(product["dz2"], ERRATA_NUMBERS["A-E4"]["literal"])
    same(right["dz2"], ERRATA_NUMBERS["A-E4"]["right"])
    one = [right["h1"], n.CHAIN[2]["W"], n.CHAIN[2]["b"]]
    y, cache = e.neuron(*one)
    same(e.neuron_as_printed(y - n.TARGET, cache)[2], ERRATA_NUMBERS["A-E5"]["literal"])
    params = ando_ki_train.start(e.LISTING, "rand", 1)
    out, cache = e.two_layers(ando_ki_train.X, params[0]["W"].T, params[2]["W"].T)
    upstream = 2 * (out - ando_ki_train.Y)
    same(e.one_layer_as_printed(upstream, cache)[1], ERRATA_NUMBERS["A-E7"]["literal"])
    same(e.two_layers_backward(upstream, cache)[1], ERRATA_NUMBERS["A-E7"]["right"])


@pytest.mark.parametrize(
    ("net", "slide", "told"),
    [
        (ando_ki_errata.TANH, ando_ki_errata.SlideTanh(), ERRATA_NUMBERS["A-E8"]),
        (
            ando_ki_errata.LISTING,
            ando_ki_errata.SlideSigmoid(),
            ERRATA_NUMBERS["A-E8"]["sigmoid variant: sigma(z)(1-sigma(z)) called with the output"],
        ),
    ],
    ids=["tanh", "sigmoid"],
)
def test_derivative_at_the_output_is_as_far_off_as_told(net: Any, slide: Any, told: dict[str, float]) -> None:
    params = ando_ki_train.start(net, "rand", 1)
    wrong, right = (
        np.concatenate([p[n].T.ravel() for n in ("dW1", "dW2")])
        for p in (
            gradients(variant, params, ando_ki_train.X, ando_ki_train.Y, ando_ki_errata.SSE)
            for variant in (ando_ki_errata.instead(net, {1: slide, 3: slide}), net)
        )
    )
    cosine = wrong @ right / np.sqrt(wrong @ wrong * (right @ right))
    assert cosine == pytest.approx(told["cosine"], rel=1e-12)
    assert np.abs(wrong - right).max() == pytest.approx(told["max_abs_err"], rel=1e-12)


def test_errata_script_tells_each_mistake(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["ando_ki_errata.py"])
    assert ando_ki_errata.errata_main(ando_ki_errata.ERRATA[:2]) == 0
    assert "cosh(z) + 1" in capsys.readouterr().out
