"""The ledger of code that writes into its arrays: each row tells what its line gave when it was run."""

import numpy as np

from handgrad import verify_function
from handgrad.explain.change import Searched
from handgrad.report.ledger import LineVerdict
from handgrad.subjects.function import mending
from tests.handgrad.subjects.test_ledger import ledger

x = np.random.default_rng(3).normal(size=(5, 4))
t = np.array([0, 2, 1, 3, 1])


def cross_entropy(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    return -np.log(p[np.arange(5), t]).mean(), p


def its_gradient(dy, p):
    p = p.copy()
    p[np.arange(5), t] -= 1
    return dy * p


def two_layers(x, W):
    z = x @ W
    h = np.maximum(z, 0)
    return h * h, (x, W, h)


def its_gradients(dy, cache):
    x, W, h = cache
    dh = 2 * dy * h
    dh[h <= 0] = 0
    return dh @ W.T, 2 * x.T @ dh


def test_what_is_written_into_later_is_told_as_it_was():
    for code in ((cross_entropy, its_gradient, x), (two_layers, its_gradients, x, np.eye(4))):
        found, _ = ledger(*code)
        assert found.culprit is not None
        right = [row for row in found if row.verdict is LineVerdict.RIGHT and row.what]
        assert right
        assert all(row.difference <= row.bound for row in right if row.what != "zeros")


def test_of_wrong_code_that_writes_into_its_inputs_the_line_that_writes_is_named(monkeypatch):
    def forward(x, s):
        y = x
        y *= s
        return y + 0, (x, s)

    def backward(dy, cache):
        x, s = cache
        return dy * s, (dy * x).sum(0)

    def wrong_too(dy, cache):
        x, s = cache
        return dy * s, 3 * (dy * x).sum(0)

    monkeypatch.setattr(mending, "find_change", lambda *args: Searched())
    for given, is_mended in ((backward, True), (wrong_too, False)):
        report = verify_function(forward, given, inputs=[x, t[:4] + 1.5], seed=1, mend=5)
        assert report.gradients.value == "REFUTED"
        assert report.place.text.strip() == "y *= s"
        assert (report.change is not None) is is_mended
        assert "this line writes into x" in report.text()
