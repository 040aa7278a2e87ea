"""The first sentence: what is not the gradient of what, what is wrong because of it, what is right."""

from dataclasses import replace

import numpy as np

from handgrad import Verdict, verify, verify_function
from handgrad.mend.change import Change, Replacement
from handgrad.report.report import Report
from handgrad.report.sentence import in_full
from manual import HalfSquaredError, Network, mlp

SHAPES = [(4, 3), (5, 3), (5,), (2, 5)]


def two_layers(x, W1, b1, W2):
    z = x @ W1.T + b1
    h = np.tanh(z)
    return h @ W2.T, (x, h, W1, W2)


def square_missing(dy, cache):
    x, h, W1, W2 = cache
    dW2 = dy.T @ h
    dh = dy @ W2
    dz = dh * (1 - h)
    return dz @ W1, dz.T @ x, dz.sum(0), dW2


def one_sum_missing(dy, cache):
    x, h, W1, W2 = cache
    dz = (dy @ W2) * (1 - h**2)
    return dz @ W1, dz.T @ x, 2 * dz.sum(0), dy.T @ h


def located(report: Report) -> Report:
    """With the line that the ledger finds."""
    assert report.ledger.suspect is not None
    return replace(report, suspect=report.ledger.suspect)


def test_a_value_inside_makes_results_wrong():
    report = verify_function(two_layers, square_missing, inputs=SHAPES, seed=1, mend=0)
    assert report.sentence == "dx, dW1 and db1 are wrong. dW2 is right."
    found = located(report)
    words = "dz is not the gradient of z; dx, dW1 and db1 are wrong because of it. dW2 is right."
    assert found.sentence == words
    assert found.to_dict()["sentence"] == words
    assert found.to_dict()["place"]["text"] == "    dz = dh * (1 - h)"
    assert found.to_dict()["place"]["above"] == "    dh = dy @ W2"
    assert [row["verdict"] for row in found.to_dict()["ledger"]["rows"]].count("wrong") == 1
    assert words in " ".join(found.text().split())


def test_of_several_places_none_is_the_cause():
    found = located(verify_function(two_layers, square_missing, inputs=SHAPES, seed=1, mend=0))
    assert found.suspect is not None
    two = Change((Replacement(found.suspect, "h", "h ** 2"), Replacement(found.suspect, "h", "h ** 2")), "")
    assert replace(found, change=two, suspect=None).sentence == "dx, dW1 and db1 are wrong. dW2 is right."


def test_a_result_that_is_returned_has_its_own_name():
    report = verify_function(two_layers, one_sum_missing, inputs=SHAPES, seed=1, mend=0)
    assert located(report).sentence == "db1 is not the gradient of b1. dx, dW1 and dW2 are right."


def test_what_is_wrong_at_special_inputs_alone_is_only_known_to_be_right_at_those_drawn_first():
    report = verify_function(
        lambda x: (np.minimum(x, 9), x), lambda dy, x: dy * (x < 1e3), inputs=[(4, 3)], seed=1, mend=0
    )
    assert report.sentence.startswith(f"At {report.culprit.called}: dx is wrong.")
    assert report.sentence.endswith(" At the first inputs drawn nothing is wrong.")


def test_of_a_network_the_stage(broken, batch):
    net = mlp([3, 4, 2], "tanh")
    params, x, t = batch(net)
    wrong = broken(net.layers[1], lambda self, p, cache, dh: (dh + 0, {}))
    report = verify(Network((net.layers[0], wrong, net.layers[2])), params, x, t, HalfSquaredError(), seed=4, mend=0)
    assert report.sentence == "h1 = Tanh: dz1 is wrong. Every other stage is right by itself."
    assert verify(net, params, x, t, HalfSquaredError(), seed=4).sentence == ""


def test_of_several_results_only_the_gradients_are_said_to_be_right():
    def forward(x, h):
        c = np.tanh(x)
        return (c * h, c), (c, h)

    def backward(dys, cache):
        (da, dc), (c, h) = dys, cache
        return (da * h + dc) * (1 - c), da * c

    report = verify_function(forward, backward, inputs=[(4, 3), (4, 3)], seed=1, mend=0)
    assert report.sentence.endswith(" dh is right.")


def test_one_set_of_inputs_is_told_of_where_several_say_the_same():
    """A Huber loss without the sign: beyond its bend at every kind of inputs, of which one says it."""

    def huber(p):
        return np.where(np.abs(p) <= 1, 0.5 * p**2, np.abs(p) - 0.5), p

    report = verify_function(huber, lambda dy, p: dy * np.where(np.abs(p) <= 1, p, 1.0), inputs=[(3,)], seed=3, mend=0)
    wrong = [row for row in report.stages if row.isolated.verdict.value == "REFUTED"]
    assert len(wrong) > 2
    text = report.text(width=200)
    assert text.count("outside their bound") <= 1
    assert text.count("dp[") == 1
    assert "wrong as well at inputs" in text
    assert report.text(width=200, verbose=True).count("dp[") >= len(wrong)


def test_names_of_inputs_are_nouns():
    def forward(x):
        return x * x, x

    report = verify_function(forward, lambda dy, x: 2 * dy * x, inputs=[(3,)], seed=1)
    called = {row.name: row.called for row in report.stages}
    assert called["tiny (1e-30)"] == "inputs near 1e-30"
    assert called["ties"] == "inputs with ties"
    assert called["batch 1: 1"] == "inputs of batch 1 (1)"
    assert any(name.startswith("sizes ") and words == f"inputs of {name}" for name, words in called.items())
    assert any(name.startswith("magnitude ") and words == f"inputs of {name}" for name, words in called.items())
    assert replace(report.stages[0], inputs="").called == "ordinary"


def test_several_values_of_one_name_are_told_apart():
    assert in_full("out (1 of 2)") == "the first of the 2 values that out is given in turn"
    assert in_full("out (11 of 12)") == "the 11th of the 12 values that out is given in turn"


def test_of_what_has_no_name_the_fewest_numbers_are_told():
    report = verify_function(lambda x: (x * x, x), lambda dy, x: 2 * dy * x, inputs=[(3,)], seed=1)

    row, called = report.stages[0], {row.name: row.called for row in report.stages}

    def wrong(name, entries):
        tensor = replace(row.isolated.tensors[-1], verdict=Verdict.REFUTED, entries=entries)
        return replace(row, name=name, inputs=called[name], isolated=replace(row.isolated, tensors=(tensor,)))

    rows = (row, wrong("ties", 12), wrong("batch 1: 1", 1), wrong("sparse", 12))
    found = replace(report, stages=rows)
    assert found.culprit is rows[2]
    assert found.sentence.startswith("At inputs of batch 1 (1): dx is wrong.")
    assert "wrong as well at inputs with ties, inputs that are mostly zero" in found.text(width=200)
