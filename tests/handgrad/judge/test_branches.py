"""What a mask, a sign or a `where` decides: the branch that was not taken makes no room for a wrong one."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from handgrad import Verdict, verify, verify_function
from handgrad.arrays.arithmetic import Arithmetic
from handgrad.arrays.ball import Ball
from handgrad.judge.ball_bound import by_balls
from handgrad.judge.stage import Stage
from handgrad.judge.trial import Trial
from handgrad.subjects.network.end_to_end import check_directions
from handgrad.subjects.network.network_run import Point
from manual import Dropout, HalfSquaredError, Linear, Network, ReLU

KEPT = np.random.default_rng(0).random((4, 3)) > 0.4


def by_mask(x):
    h = x * (x > 0)
    return h, h


def by_maximum(x):
    h = 1.0 * np.maximum(x, 0)
    return h, h


def by_absolute_value(x):
    h = 0.5 * (x + abs(x))
    return h, h


def by_float_mask(x):
    mask = (x > 0) * 1.0
    return x * mask, mask


def dropout(x):
    scale = KEPT * 1.0 / (1 - 0.4)
    return x * scale, scale


def hardswish(x):
    r = np.clip(x + 3, 0, 6)
    return x * r / 6, (x, r)


def softshrink(x):
    y = np.sign(x) * np.maximum(abs(x) - 0.5, 0)
    return y, y


def dropout_torch(x):
    return x * torch.tensor(KEPT) / (1 - 0.4)


WRONG = {
    "negated": lambda d, h: np.where(h > 0, d, -d),
    "no mask": lambda d, h: d * (h >= 0),
    "leaky": lambda d, h: np.where(h > 0, d, 0.1 * d),
}


@pytest.mark.parametrize("forward", [by_mask, by_maximum, by_absolute_value, by_float_mask])
@pytest.mark.parametrize("how", WRONG)
def test_the_branch_not_taken_makes_no_room_for_a_wrong_one(forward, how):
    right = verify_function(forward, lambda d, h: np.where(h > 0, d, 0 * d), F.relu, [(4, 3)], seed=1)
    assert right.verdict is Verdict.CERTIFIED
    assert verify_function(forward, WRONG[how], F.relu, [(4, 3)], seed=1).verdict is Verdict.REFUTED


@pytest.mark.parametrize(
    ("forward", "backward", "reference", "verdict"),
    [
        (dropout, lambda d, s: d * s, dropout_torch, Verdict.CERTIFIED),
        (dropout, lambda d, s: np.where(s > 0, d * s, 0.3 * d), dropout_torch, Verdict.REFUTED),
        (hardswish, lambda d, c: d * np.where(c[1] <= 0, 0, np.where(c[1] < 6, (2 * c[0] + 3) / 6, 1)), F.hardswish,
         Verdict.CERTIFIED),
        (hardswish, lambda d, c: d * np.where(c[1] >= 0, np.where(c[1] < 6, (2 * c[0] + 3) / 6, 1), 0), F.hardswish,
         Verdict.REFUTED),
        (softshrink, lambda d, y: d * (y != 0), F.softshrink, Verdict.CERTIFIED),
        (softshrink, lambda d, y: d * (abs(y) >= 0), F.softshrink, Verdict.REFUTED),
    ],
)  # fmt: skip
def test_masks_of_other_functions(forward, backward, reference, verdict):
    x = 4 * np.random.default_rng(1).normal(size=(4, 3))
    assert verify_function(forward, backward, reference, [x], seed=1).verdict is verdict


@pytest.mark.parametrize("rms", [False, True])
def test_nothing_is_rounded_where_a_factor_is_exactly_zero(rms):
    a = Arithmetic.of("float32", rms=rms)
    zero, c, uncertain = Ball.exact([0.0], a), Ball.exact([0.3], a), Ball(np.array([0.3]), np.array([0.1]), a)
    for exact in (zero * c, c * zero, zero * uncertain, zero / c, zero / uncertain, np.tanh(zero), np.sqrt(zero)):
        assert exact.rad == 0
    tiny = Ball.exact([1e-200], Arithmetic.of("float64", rms=rms))
    within = Ball(np.array([0.0]), np.array([1e-3]), a)
    for rounded in (tiny * tiny, within * c, np.exp(-1e4 * Ball.exact([1.0], a)), Ball.exact([1e-40], a) / c):
        assert rounded.rad > 0
    over = Ball(np.array([0.3]), np.array([np.inf]), a)
    assert np.isinf((zero * over).rad)


def test_what_only_the_other_branch_explains_is_unresolved():
    x, dy = np.array([-2.0, 1.0]), np.array([1.0, 1.0])

    def stage(slope):
        def hand(inputs, dy):
            h = 0.5 * (inputs["x"] + abs(inputs["x"]))
            return {"y": h, "dx": np.where(h > 0, dy, slope * dy)}

        right = {"y": np.maximum(x, 0), "dx": dy * (x > 0)}
        return Stage("relu", hand, lambda inputs, dy: right)

    assert by_balls(Trial(stage(0.0), {"x": x}, dy)).verdict is Verdict.CERTIFIED
    judged = by_balls(Trial(stage(0.5), {"x": x}, dy))
    report, evidence = judged.report, judged.evidence
    assert report.verdict is Verdict.UNRESOLVED
    assert np.isinf(evidence["dx"].bound).tolist() == [True, False]
    assert "the branch" in report.worst.reason
    assert by_balls(Trial(stage(2.5), {"x": x}, dy)).verdict is Verdict.REFUTED  # further off than the other branch


class LeakyDropout(Dropout):
    def backward(self, params, cache, dy):
        scale = cache.mask / (1 - self.p)
        return dy * np.where(scale > 0, scale, 0.3 + 0 * scale), {}


class UnscaledDropout(Dropout):
    def backward(self, params, cache, dy):
        return dy * (cache.mask / (1 - self.p) > 0), {}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_dropout_that_leaks_is_refuted_in_a_network(dtype):
    rng = np.random.default_rng(0)
    layer = LeakyDropout(0.4)
    net, x = Network((Linear(3, 3), layer)), rng.normal(size=(4, 3)).astype(dtype)
    params = net.init(0, dtype=dtype)
    states = [None, layer.draw(rng, x)]
    report = verify(net, params, x, 1 + 0 * x, HalfSquaredError(), states=states, seed=0)
    assert report.culprit is not None
    assert "Dropout" in report.culprit.name
    along = report.directions
    assert along is not None
    assert along.verdict is Verdict.REFUTED  # by Test C as well


def test_a_dropout_that_does_not_scale_is_not_called_one_without_a_mask():
    rng = np.random.default_rng(0)
    layer, x = UnscaledDropout(0.4), rng.normal(size=(4, 3))
    net = Network((Linear(3, 3), layer))
    report = verify(net, net.init(0), x, 1 + 0 * x, HalfSquaredError(), states=[None, layer.draw(rng, x)], seed=0)
    assert report.culprit is not None
    assert report.culprit.diagnosis is not None
    assert report.culprit.diagnosis.known
    assert "mask is not applied" not in report.culprit.diagnosis.name


@dataclass(frozen=True)
class AbsoluteReLU(ReLU):
    """h = (z + |z|) / 2, the mask from h: balls do not know that the sum is exactly zero below zero."""

    leak: float = 0.0

    def forward(self, params, z):
        h = 0.5 * (z + abs(z))
        return h, h

    def backward(self, params, cache, dh):
        return dh * (cache > 0) + self.leak * dh * (cache <= 0), {}


@pytest.mark.parametrize("leak", [0.0, 0.3])
def test_the_directions_take_no_room_from_the_other_branch(leak):
    rng = np.random.default_rng(0)
    net = Network((Linear(3, 8), AbsoluteReLU(leak), Linear(8, 2)))
    x, target = rng.normal(size=(6, 3)), rng.normal(size=(6, 2))
    point = Point(net, net.init(0), x, target, HalfSquaredError(), (None,) * 3, 1.0)
    found, why = check_directions(point, "float64", rng, 1.0)
    verdict = verify(net, net.init(0), x, target, HalfSquaredError(), seed=0).verdict
    assert verdict is (Verdict.REFUTED if leak else Verdict.CERTIFIED)
    if leak == 0:
        assert found is not None
        assert found.verdict is Verdict.CERTIFIED
    else:  # the jump at the kink would have made room for it
        assert found is None
        assert "side of a kink" in why
