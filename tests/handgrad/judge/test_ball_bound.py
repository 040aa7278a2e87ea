"""The comparison itself: what lies inside its bound passes, what lies outside does not, and nothing is skipped."""

import numpy as np
import pytest

from handgrad.judge.ball_bound import longest_sum
from handgrad.judge.compare import compare
from handgrad.judge.judge import judge
from handgrad.judge.stage import Stage
from handgrad.judge.trial import Trial
from handgrad.judge.verdict import Verdict, together
from handgrad.subjects.network.stages import layer_stage
from manual import ACTIVATIONS, LayerNorm, Linear


def test_compare_is_exact_at_the_bound():
    S, bound = np.array([1.0, 2.0, 0.0]), np.array([0.25, 0.0, 0.5])
    assert compare("g", np.array([1.25, 2.0, -0.5]), S, bound).verdict is Verdict.CERTIFIED
    report = compare("g", np.array([1.25, 2.0 + 2**-51, -0.5]), S, bound)
    assert (report.verdict, report.outside, report.index) == (Verdict.REFUTED, 1, (1,))
    assert report.reference == 2.0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refuted_with_their_entry(bad):
    S = np.zeros((2, 3))
    s = S.copy()
    s[1, 2] = bad
    report = compare("g", s, S, np.full(S.shape, np.inf))
    assert report.verdict is Verdict.REFUTED
    assert report.index == (1, 2)
    assert report.reason == "1 values are not finite"


def test_what_has_no_bound_or_reference_is_unresolved_and_says_why():
    S = np.ones(3)
    without_bound = compare("g", S, S, np.array([0.0, np.inf, 0.0]))
    without_reference = compare("g", S, np.array([1.0, np.nan, 1.0]), np.zeros(3))
    for report in (without_bound, without_reference):
        assert report.verdict is Verdict.UNRESOLVED
        assert "1 entries without a finite bound or reference" in report.reason
        assert report.index == (1,)


def test_one_wrong_entry_outweighs_an_unknown_one():
    report = compare("g", np.array([1.0, 5.0]), np.array([1.0, 1.0]), np.array([np.inf, 0.1]))
    assert (report.verdict, report.index) == (Verdict.REFUTED, (1,))


def test_shape_comes_before_values():
    report = compare("dW", np.zeros((3, 2)), np.zeros((2, 3)), np.ones((2, 3)))
    assert report.verdict is Verdict.REFUTED
    assert report.reason == "shape is (3, 2), expected (2, 3)"


def test_the_floor_is_twice_the_bound_over_the_value():
    report = compare("g", np.array([1.0, 4.0, 0.0]), np.array([1.0, 4.0, 0.0]), np.array([0.5, 1.0, 1.0]))
    assert report.floor_median == pytest.approx(0.75)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_an_error_of_twice_the_bound_is_always_seen_and_the_right_code_never(dtype):
    rng = np.random.default_rng(3)
    for layer in (Linear(7, 5), LayerNorm(7), ACTIVATIONS["silu"]):
        stage = layer_stage("s", layer)
        inputs = {"x": rng.normal(size=(6, 7)).astype(dtype)}
        inputs |= {k: rng.normal(size=shape).astype(dtype) for k, shape in layer.param_shapes.items()}
        y = stage.hand(inputs, inputs["x"][:, :5] if isinstance(layer, Linear) else inputs["x"])["y"]
        dy = rng.normal(size=y.shape).astype(dtype)
        judged = judge(Trial(stage, inputs, dy))
        report = judged.report
        evidence = judged.evidence
        assert report.verdict is Verdict.CERTIFIED
        for name, e in evidence.items():
            planted = e.hand + 2.01 * e.bound * rng.choice((-1, 1), e.bound.shape)
            assert compare(name, planted, e.reference, e.bound).outside == e.bound.size


def test_slack_widens_the_bound(monkeypatch):
    layer = ACTIVATIONS["tanh"]
    right = layer_stage("s", layer)
    wrong = Stage("s", lambda i, dy: {k: 1.0000001 * v for k, v in right.hand(i, dy).items()}, right.reference)
    x = np.linspace(-2, 2, 12).reshape(3, 4)
    assert judge(Trial(wrong, {"x": x}, x)).verdict is Verdict.REFUTED
    assert judge(Trial(wrong, {"x": x}, x, slack=1e10)).verdict is Verdict.CERTIFIED


def test_longest_sum_counts_the_terms_of_the_longest_axis():
    assert longest_sum({"x": np.zeros((3, 9)), "W": np.zeros((2, 9))}) == 10


def test_verdicts_together():
    C, R, U = Verdict.CERTIFIED, Verdict.REFUTED, Verdict.UNRESOLVED
    assert [together(v) for v in ([C, C], [C, U], [U, R, C], [])] == [C, U, R, U]
    assert [v.exit_code for v in (C, R, U)] == [0, 1, 2]
