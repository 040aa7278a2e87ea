"""Layers that write into buffers: balls cannot enter them, and a network of them is judged all the same."""

from dataclasses import dataclass

import numpy as np
import pytest

from handgrad import Verdict, verify
from handgrad.report.console import render
from handgrad.suite.run import SuiteResult
from handgrad.suite.text import count_checks, show
from manual import HalfSquaredError, Linear, Network, ReLU


@dataclass(frozen=True)
class Buffered(ReLU):
    """The mask written by index. how: "right", "inverted", "no gradient" or "float32"."""

    how: str = "right"

    def backward(self, params, cache, dh):
        dz = dh.copy()
        dz[cache.h <= 0 if self.how != "inverted" else cache.h > 0] = 0
        return None if self.how == "no gradient" else dz.astype("f4") if self.how == "float32" else dz, {}


@dataclass(frozen=True)
class Looped(ReLU):
    """A forward pass in Python floats: no dual number enters it either."""

    def forward(self, params, z):
        h, cache = super().forward(params, z)
        h = np.array([[max(float(v), 0.0) for v in row] for row in z], dtype=z.dtype)
        return h, cache._replace(h=h)


def judged(layer, dtype="float64"):
    rng = np.random.default_rng(0)
    net = Network((Linear(4, 6), layer, Linear(6, 2)))
    x, target = rng.normal(size=(7, 4)).astype(dtype), rng.normal(size=(7, 2)).astype(dtype)
    return verify(net, net.init(0, dtype=dtype), x, target, HalfSquaredError(), seed=1)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("layer", [Buffered(), Looped()])
def test_right_code_that_balls_cannot_enter_is_certified_and_the_report_says_how(layer, dtype):
    report = judged(layer, dtype)
    assert report.verdict is Verdict.CERTIFIED, report.text()
    noise, chain = report.notes
    assert noise.startswith("judged by the noise of the reference")
    assert noise.endswith(": h1 = " + type(layer).__name__)
    assert "not checked along directions: the code does not run on the judge's arrays" in chain
    assert report.directions is None


@pytest.mark.parametrize("how", ["inverted", "no gradient", "float32"])
def test_wrong_code_that_balls_cannot_enter_is_refuted(how):
    report = judged(Buffered(how))
    assert report.verdict is Verdict.REFUTED
    assert report.culprit is not None
    assert report.culprit.isolated.worst.name == "dz1"


def test_the_suite_says_in_words_that_the_chain_was_not_checked():
    report = judged(Buffered())
    text = render(show(SuiteResult("relu", (report,)), 1), color=False, width=200)
    assert "the chain was not checked along directions: " in text
    assert "directions" not in count_checks([report])
    assert "0 of 0" not in text
    assert "p = 1e+00" not in text
    assert "judged by the noise of the reference" in text


def test_a_network_that_reads_another_x_is_refuted():
    class Copying(Network):
        def forward(self, params, x, states=None):
            return super().forward(params, 2 * x, states)

    rng = np.random.default_rng(0)
    net = Copying((Linear(4, 2),))
    report = verify(net, net.init(0), rng.normal(size=(3, 4)), rng.normal(size=(3, 2)), HalfSquaredError(), seed=1)
    assert report.verdict is Verdict.REFUTED
    assert "the input of stage 0 is not the x that was given" in report.wiring
