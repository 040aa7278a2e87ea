"""The chain: independent directional derivatives, rounding's standard deviation, and the reference's whole pass."""

import numpy as np
import pytest

from handgrad.arrays.precision import to64
from handgrad.judge.verdict import Verdict
from handgrad.subjects.network.chain import DIRECTIONS, directions, noise, reference_chain
from handgrad.subjects.network.network_run import Point
from manual import HalfSquaredError, SoftmaxCrossEntropy, mlp


def whole_pass(net, params, x, t, loss, dE):
    """Every stage's quantities by the hand-derived code, the way the judge lists them."""
    y, trace = net.forward(params, x)
    E, cache = loss.forward(y, t)
    dy = loss.backward(cache, dE)
    back = net.backward_trace(params, trace, dy)
    stages = [{"y": f.y, "dx": b.dx, **b.dparams} for f, b in zip(trace, back, strict=True)]
    return [{k: to64(v) for k, v in s.items()} for s in (*stages, {"y": E, "dx": dy})]


@pytest.fixture
def point(batch):
    net = mlp([4, 6, 5, 3], "tanh")
    return net, *batch(net, 9), HalfSquaredError(), (None,) * len(net.layers), -1.3


def test_the_reference_pass_is_the_hand_pass_to_rounding(point):
    net, params, x, t, loss, states, dE = point
    own = whole_pass(net, params, x, t, loss, dE)
    reference = reference_chain(Point(net, params, x, t, loss, states, dE))
    for mine, theirs in zip(own, reference.stages, strict=True):
        assert mine.keys() == theirs.keys()
        for name in mine:
            np.testing.assert_allclose(mine[name], theirs[name], rtol=1e-12, atol=1e-15)


def test_noise_is_the_size_of_the_rounding_that_happens(batch):
    net, loss = mlp([30, 40, 20, 10], "tanh"), SoftmaxCrossEntropy()
    ratios = []
    for seed in range(5):
        params, x, t = batch(net, 40, "float32", seed)
        states = (None,) * len(net.layers)
        own = whole_pass(net, params, x, t, loss, np.float32(1.3))
        exact = reference_chain(Point(net, params, x, t, loss, states, float(np.float32(1.3))))
        sigma = noise(Point(net, params, x, t, loss, states, float(np.float32(1.3))), "float32")
        for mine, theirs, s in zip(own, exact.stages, sigma.stages, strict=True):
            ratios += [np.abs(mine[k] - theirs[k]).ravel() / s[k].ravel() for k in mine if s[k].all()]
    z = np.concatenate(ratios)
    assert z.max() < 16
    assert 0.05 < np.sqrt(np.mean(z**2)) < 2  # neither far too wide nor too narrow


def test_right_gradients_pass_every_direction(point):
    net, params, x, t, loss, states, dE = point
    own = whole_pass(net, params, x, t, loss, dE)[:-1]
    sigma = noise(Point(net, params, x, t, loss, states, dE), "float64").stages[:-1]
    report = directions(Point(*point), own, sigma, np.random.default_rng(0))
    assert report.verdict is Verdict.CERTIFIED
    assert report.directions == DIRECTIONS == 20
    assert report.entries == sum(a.size for layer in params for a in layer.values()) + x.size
    assert report.miss_probability == 2.0**-20


@pytest.mark.parametrize("name", ["dW", "db"])
def test_one_wrong_entry_escapes_half_of_the_directions_at_most(point, name):
    net, params, x, t, loss, states, dE = point
    sigma = noise(Point(net, params, x, t, loss, states, dE), "float64").stages[:-1]
    escaped = []
    for seed in range(10):
        own = whole_pass(net, params, x, t, loss, dE)[:-1]
        own[2][name] = own[2][name].copy()
        own[2][name].flat[seed % own[2][name].size] += 1e-9
        report = directions(Point(*point), own, sigma, np.random.default_rng(seed))
        assert report.verdict is Verdict.REFUTED
        escaped.append(report.directions - report.outside)
    assert np.mean(escaped) <= 10


def test_the_input_gradient_takes_part(point):
    net, params, x, t, loss, states, dE = point
    own = whole_pass(net, params, x, t, loss, dE)[:-1]
    sigma = noise(Point(net, params, x, t, loss, states, dE), "float64").stages[:-1]
    own[0]["dx"] = -own[0]["dx"]
    assert directions(Point(*point), own, sigma, np.random.default_rng(1)).verdict is Verdict.REFUTED
