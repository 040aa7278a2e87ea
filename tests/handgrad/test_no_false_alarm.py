"""Correct code that was refuted once, each case reduced to its cause (found by benchmarks/false_alarms.py)."""

import numpy as np
import pytest

from handgrad import Verdict, verify
from handgrad.arithmetic import Arithmetic
from handgrad.ball import Ball
from handgrad.certificate import certify, compare
from handgrad.stage import layer_stage, loss_stage
from manual import BatchNorm1d, Dropout, HalfSquaredError, Running, SoftmaxCrossEntropy, mlp

F32 = Arithmetic.of("float32")


def single(rng, *shape):
    return rng.normal(size=shape).astype(np.float32)


def test_a_mask_divided_by_the_rate_is_rounded():
    rng = np.random.default_rng(0)
    for p in rng.uniform(0, 0.8, 20):
        layer, x = Dropout(float(p)), single(rng, 60, 60)
        report, _ = certify(layer_stage("d", layer, layer.draw(rng, x)), {"x": x}, single(rng, 60, 60))
        assert report.verdict is Verdict.CERTIFIED


def test_the_root_of_the_running_variance_is_rounded():
    rng, n = np.random.default_rng(1), 300
    for _ in range(10):
        running = Running(np.zeros(n, np.float32), rng.uniform(0.1, 3, n).astype(np.float32))
        inputs = {"x": single(rng, 40, n), "gamma": np.ones(n, np.float32), "beta": np.zeros(n, np.float32)}
        report, _ = certify(layer_stage("n", BatchNorm1d(n), running), inputs, single(rng, 40, n))
        assert report.verdict is Verdict.CERTIFIED


def test_a_smoothed_and_weighted_target_is_rounded():
    rng, C = np.random.default_rng(2), 30
    for _ in range(20):
        loss = SoftmaxCrossEntropy("sum", float(rng.uniform()), tuple(rng.uniform(0.1, 3, C)))
        stage = loss_stage("E", loss, rng.integers(C, size=300))
        report, _ = certify(stage, {"x": 30 * single(rng, 300, C)}, np.float32(1.3))
        assert report.verdict is Verdict.CERTIFIED


def test_equal_samples_round_equally():
    rng = np.random.default_rng(3)
    net, N = mlp([10, 10, 10, 2], "tanh"), 3000
    x, t = np.broadcast_to(single(rng, 1, 10), (N, 10)) + 0, np.broadcast_to(single(rng, 1, 2), (N, 2)) + 0
    for seed in range(3):
        report = verify(net, net.init(seed, dtype="float32"), x, t, HalfSquaredError(), seed=seed)
        assert report.verdict is Verdict.CERTIFIED


def test_partial_sums_that_overflow_have_no_bound():
    x = Ball.exact([[3e38, 3e38, -3e38, -3e38]], F32)
    with np.errstate(over="ignore"):
        assert np.isinf(np.sum(x.mid[:, :2].astype(np.float32)))
    assert np.isinf((x @ Ball.exact(np.ones((4, 1)), F32)).rad).all()
    assert np.isinf(np.sum(x).rad)


def test_standard_deviations_do_not_underflow():
    a = Arithmetic.of("float64", rms=True)
    tiny = Ball(np.full((1, 3), 1e-200), np.full((1, 3), 1e-210), a)
    for result in (2 * tiny, tiny / 3, tiny + tiny, np.sum(tiny, axis=1), tiny @ Ball.exact(np.ones((3, 2)), a)):
        assert (result.rad > 1e-211).all()


@pytest.mark.parametrize(("right", "verdict"), [(1e39, Verdict.UNRESOLVED), (1.0, Verdict.REFUTED)])
def test_what_the_precision_cannot_hold_is_unresolved(right, verdict):
    inf = np.array([np.inf])
    assert compare("g", inf, np.array([right]), inf, huge=F32.huge).verdict is verdict
