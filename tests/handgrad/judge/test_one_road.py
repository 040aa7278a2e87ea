"""One road: the same code gets the same verdict by every way in, and each rule has a wrong and a right twin."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from handgrad import Verdict, verify, verify_function
from handgrad.arrays.base import CannotEnter
from handgrad.experiment.compare_training import compare_training
from handgrad.explain.notes import NOTES, Explanation, explain
from handgrad.judge.bound import bound
from handgrad.judge.judge import judge
from handgrad.judge.judgement import Way
from handgrad.judge.rules import UNINFORMATIVE
from handgrad.judge.stage import Halves, Stage
from handgrad.judge.trial import Trial
from handgrad.subjects.network.stages import layer_stage, stage_of
from manual import HalfSquaredError, Linear, Network, Tanh

RNG = np.random.default_rng(0)
X, DY = RNG.normal(size=(5, 4)), RNG.normal(size=(5, 4))


@dataclass(frozen=True)
class BufferTanh(Tanh):
    """tanh written entry by entry into a buffer, where ball arrays cannot follow; factor: 1 is right."""

    factor: float = 1.0

    def backward(self, params: Any, cache: Any, dh: Any) -> Any:
        (h,) = cache
        dz = np.zeros(h.shape, h.dtype)
        for at in np.ndindex(*h.shape):
            dz[at] = dh[at] * (1 - h[at] * h[at]) * h.dtype.type(self.factor)
        return dz, {}


@pytest.mark.parametrize(("factor", "verdict"), [(1.0, Verdict.CERTIFIED), (1 + 1e-9, Verdict.REFUTED)])
def test_code_that_balls_cannot_enter_gets_one_verdict_by_every_way_in(factor: float, verdict: Verdict) -> None:
    """Comparing two trainings used to leave such a layer UNRESOLVED, where the other ways judged it by noise."""
    layer = BufferTanh(factor)
    net = Network((Linear(4, 4), layer, Linear(4, 2)))
    params, t = net.init(0), RNG.normal(size=(5, 2))
    function = verify_function(
        lambda z: layer.forward({}, z), lambda dh, cache: layer.backward({}, cache, dh)[0], torch.tanh, [X], seed=0
    )
    assert {
        "verify": verify(net, params, X, t, HalfSquaredError(), seed=0).verdict,
        "verify_function": function.verdict,
        "compare_training": compare_training(net, params, [(X, t)] * 2, HalfSquaredError(), 0.1, seed=0).verdict,
        "judge": judge(Trial(layer_stage("h", layer), {"x": X}, DY)).verdict,
    } == dict.fromkeys(("verify", "verify_function", "compare_training", "judge"), verdict)
    assert bound(Trial(layer_stage("h", layer), {"x": X}, DY)).way is Way.NOISE


def identity_beside_a_sum(factor: float, subject: Any) -> Stage:
    """y = x, exact; its reference (x + 1) - 1 rounds where ours does not."""

    def hand(inputs: Any, dy: Any) -> dict[str, Any]:
        return {"y": inputs["x"] + 0.0, "dx": dy * factor}

    made = stage_of("y", Halves(lambda inputs: (inputs["x"], ()), lambda c, i, dy: {}), lambda t: (t["x"] + 1) - 1)
    return replace(made, hand=hand, subject=subject)


@pytest.mark.parametrize("subject", [None, Tanh()], ids=["function", "layer"])
def test_the_rounding_of_the_reference_excuses_but_nothing_larger(subject: Any) -> None:
    x = 1e-9 * X
    right = judge(Trial(identity_beside_a_sum(1.0, subject), {"x": x}, DY))
    assert (right.verdict, right.way) == (Verdict.CERTIFIED, Way.BALLS)
    wrong = judge(Trial(identity_beside_a_sum(1 + 1e-12, subject), {"x": x}, DY))
    assert wrong.verdict is Verdict.REFUTED
    assert wrong.failing() == ["dx"]


@pytest.mark.parametrize("subject", [None, Tanh()], ids=["function", "layer"])
def test_a_reference_that_cancels_excuses_a_formula_that_does_not(subject: Any) -> None:
    """softsign: autograd of z / (1 + |z|) subtracts two nearly equal terms at 1e4, 1 / (1 + |z|)^2 does not.

    A layer was refuted here by `verify` and certified by `verify_function`, which alone asked the reference's noise.
    """
    z = np.resize((1e4, -1e4, 1.0, 0.0, -1.0), X.shape)

    def stage(factor: float) -> Stage:
        forward = lambda inputs: (inputs["z"] / (1 + abs(inputs["z"])), inputs["z"])  # noqa: E731
        backward = lambda z, inputs, dh: {"dz": factor * dh / (1 + abs(z)) ** 2}  # noqa: E731
        return stage_of("h", Halves(forward, backward), lambda t: t["z"] / (1 + t["z"].abs()), subject)

    assert judge(Trial(stage(1.0), {"z": z}, DY)).verdict is Verdict.CERTIFIED
    assert judge(Trial(stage(1 + 1e-9), {"z": z}, DY)).verdict is Verdict.REFUTED


def softplus(factor: float, subject: Any = None) -> Stage:
    """Our own softplus beside one that is x above 18, whose derivative there is 1."""

    def forward(inputs: Any) -> Any:
        x = inputs["x"]
        return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))), ()

    def backward(cache: Any, inputs: Any, dy: Any) -> dict[str, Any]:
        return {"dx": factor * dy / (1 + np.exp(-inputs["x"]))}

    def cut(t: Any) -> torch.Tensor:
        return torch.where(t["x"] > 18, t["x"], F.softplus(t["x"]))

    return stage_of("y", Halves(forward, backward), cut, subject)


@pytest.mark.parametrize("subject", [None, Tanh()], ids=["function", "layer"])
def test_an_inexact_reference_is_found_out_by_a_difference_quotient(subject: Any) -> None:
    """The forward value differs by less than the reference's noise at 36; the derivative does not."""
    x = np.where(np.abs(X) < 0.5, 19.0, X)
    trial = Trial(softplus(1.0, subject), {"x": x}, DY)
    trial = replace(trial, stage=with_our_forward_value(trial.stage))
    right = judge(trial)
    assert right.verdict is Verdict.CERTIFIED
    assert "the reference is inexact here" in right.notes[0]
    wrong = judge(replace(trial, stage=with_our_forward_value(softplus(1 + 1e-8, subject))))
    assert wrong.verdict is Verdict.REFUTED


def with_our_forward_value(stage: Stage) -> Stage:
    """So that only the gradients differ."""
    assert stage.halves is not None
    forward = stage.halves.forward

    def reference(inputs: Any, dy: Any) -> Any:
        return {**stage.reference(inputs, dy), "y": np.asarray(forward(inputs)[0])}

    return replace(stage, reference=reference)


def test_a_gradient_that_is_not_given_is_taken_for_zero() -> None:
    def stage(zero: bool) -> Stage:
        in_torch = lambda t: t["x"] + (0.0 * t["b"] if zero else t["b"])  # noqa: E731
        halves = Halves(lambda i: (i["x"] + (0 if zero else i["b"]), ()), lambda c, i, dy: {"dx": dy + 0, "db": None})
        return stage_of("y", halves, in_torch)

    right = judge(Trial(stage(True), {"x": X, "b": X}, DY))
    assert (right.verdict, [t.name for t in right.report.tensors]) == (Verdict.CERTIFIED, ["y", "dx"])
    wrong = judge(Trial(stage(False), {"x": X, "b": X}, DY))
    assert (wrong.verdict, wrong.failing()) == (Verdict.REFUTED, ["db"])


def test_a_bound_that_zeros_would_pass_says_nothing_where_dy_was_drawn() -> None:
    halves = Halves(lambda i: (np.tanh(i["x"]), np.tanh(i["x"])), lambda h, i, dy: {"dx": dy * (1 - h * h)})
    stage = stage_of("h", halves, lambda t: 1 - 2 / (torch.exp(2 * t["x"]) + 1))
    x = np.full((5, 4), 19.5)  # 1 - h^2 is 0 there, the right value 5e-17
    report = judge(Trial(stage, {"x": x}, DY, drawn=True)).report
    assert [(t.name, t.verdict, t.reason) for t in report.tensors][1] == ("dx", Verdict.UNRESOLVED, UNINFORMATIVE)
    left_out = judge(Trial(stage, {"x": x}, DY, drawn=True, optional=True))
    assert [t.name for t in left_out.report.tensors] == ["y"]
    assert left_out.notes == (f"h: dx: {UNINFORMATIVE}",)
    assert "no digit of 20 of 20 entries is left" in judge(Trial(stage, {"x": x}, DY)).report.tensors[1].reason


def test_code_that_varies_from_run_to_run_has_no_rounding_of_its_own() -> None:
    calls: list[int] = []

    def hand(inputs: Any, dy: Any) -> dict[str, Any]:
        calls.append(1)
        return {"y": np.tanh(inputs["x"]) * (1 + 1e-9 * len(calls)), "dx": dy}

    found = bound(Trial(replace(layer_stage("h", Tanh()), hand=hand, subject=None, halves=None), {"x": X}, DY))
    assert found.way is Way.NOISE


def test_a_note_never_changes_a_verdict() -> None:
    layer = BufferTanh(2.0)
    found = judge(Trial(layer_stage("h", layer), {"x": X}, DY))
    words = Explanation(found, found.report)
    for note in NOTES:
        words = note(words)
        assert [t.verdict for t in words.report.tensors] == [t.verdict for t in found.report.tensors]
    assert explain(found).diagnosis is not None
    right = judge(Trial(layer_stage("h", BufferTanh()), {"x": X}, DY))
    assert explain(right) == replace(explain(right), notes=(), diagnosis=None) or explain(right).diagnosis is None


def test_a_trial_computes_each_of_its_parts_once() -> None:
    ran: list[str] = []
    right = layer_stage("h", Tanh())

    def hand(inputs: Any, dy: Any) -> dict[str, Any]:
        ran.append(type(inputs["x"]).__name__)
        return right.hand(inputs, dy)

    def reference(inputs: Any, dy: Any) -> dict[str, Any]:
        ran.append("reference")
        return right.reference(inputs, dy)

    judge(Trial(replace(right, hand=hand, reference=reference), {"x": X}, DY))
    assert ran == ["reference", "ndarray", "Ball", "Ball"]


def test_what_cannot_enter_is_no_error() -> None:
    def hand(inputs: Any, dy: Any) -> dict[str, Any]:
        if not isinstance(dy, np.ndarray):
            raise CannotEnter("loops")
        return right.hand(inputs, dy)

    right = layer_stage("h", Tanh())
    assert bound(Trial(replace(right, hand=hand), {"x": X}, DY)).way is Way.NOISE
