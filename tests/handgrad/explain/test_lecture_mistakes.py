"""What the lectures' mistakes in print taught: each is planted and named, and what only resembles it is not."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import manual
from handgrad import Verdict, verify
from handgrad.explain.diagnosis import Diagnosis, diagnose
from handgrad.judge.compare import Evidence
from handgrad.judge.judge import judge
from handgrad.judge.stage import Stage
from handgrad.judge.trial import Trial
from handgrad.subjects.network.stages import autograd, layer_stage, loss_stage
from manual.layers.sigmoid import sigmoid

Change = Callable[[Any, Any, Any], Any]
DTYPES = [np.float64, np.float32]


def linear(N: int, n_in: int, n_out: int, dtype: Any = np.float64, seed: int = 1) -> tuple[Stage, Any, Any]:
    rng = np.random.default_rng(seed)
    shapes = {"x": (N, n_in), "W": (n_out, n_in), "b": (n_out,)}
    inputs = {k: rng.normal(size=s).astype(dtype) for k, s in shapes.items()}
    return layer_stage("z", manual.Linear(n_in, n_out)), inputs, rng.normal(size=(N, n_out)).astype(dtype)


def named(stage: Stage, inputs: Any, dy: Any, change: Change) -> str:
    """The name of change(out, inputs, dy); empty for none."""
    wrong = replace(stage, hand=lambda i, d: {**(out := stage.hand(i, d)), **change(out, i, d)})
    judged = judge(Trial(wrong, inputs, dy))
    report = judged.report
    evidence = judged.evidence
    assert report.verdict is Verdict.REFUTED, report
    found = diagnose(Trial(wrong, inputs, dy), evidence)
    assert found is not None
    return found.name if found.known else ""


def permuted(order: list[int]) -> Change:
    """The forward pass reads the inputs in another order, and the backward pass keeps them so."""

    def change(out: Any, i: Any, d: Any) -> Any:
        return {"y": i["x"][:, order] @ i["W"].T + i["b"], "dW": d.T @ i["x"][:, order]}

    return change


LINEAR: dict[str, tuple[tuple[int, int, int], Change, str]] = {
    "exchanged": ((6, 4, 3), permuted([0, 3, 2, 1]), r"^the inputs 1 and 3 are exchanged$"),
    "exchanged, two units, one sample": ((1, 2, 2), permuted([1, 0]), r"^the inputs 0 and 1 are exchanged$"),
    "reversed": ((6, 5, 3), permuted([4, 3, 2, 1, 0]), r"^the inputs are in reverse order$"),
    "shifted": ((6, 4, 3), permuted([1, 2, 3, 0]), r"^the inputs are shifted by one$"),
    "only the value exchanged": (
        (6, 4, 3), lambda o, i, d: {"y": i["x"][:, [1, 0, 2, 3]] @ i["W"].T + i["b"]}, r"^the inputs 0 and 1 are exch"),
    "W lost": ((6, 4, 3), lambda o, i, d: {"dx": d.sum(axis=1)[:, None] + 0 * i["x"]}, r"^the factor W is missing$"),
    "W and paths lost": (
        (6, 4, 3), lambda o, i, d: {"dx": d[:, 1:2] + 0 * i["x"]},
        r"^the factor W is missing, and only the path through unit 1 is used$"),
    "elementwise": ((4, 4, 4), lambda o, i, d: {"dx": d * i["W"]}, r"^the elementwise product stands where the matrix"),
    "elementwise, one sample": (
        (1, 4, 4), lambda o, i, d: {"dW": d.T * i["x"]}, r"^$"),  # that is right: an outer product
    "elementwise dW": ((4, 4, 4), lambda o, i, d: {"dW": d.T * i["x"]}, r"^the elementwise product stands where the"),
    "bias in the sum": (
        (6, 3, 2), lambda o, i, d: {"y": o["y"] + 2 * i["b"], "db": 3 * o["db"]},
        r"^the bias is inside the sum over the inputs$"),
    "its value alone": (
        (6, 3, 2), lambda o, i, d: {"y": o["y"] + 2 * i["b"]}, r"^the bias is inside the sum over the inputs$"),
    "its gradient alone": ((6, 3, 2), lambda o, i, d: {"db": 3 * o["db"]}, r"^every entry is 3 times .*of inputs"),
}  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("key", LINEAR)
def test_a_wrong_product_is_named(key: str, dtype: Any) -> None:
    sizes, change, expected = LINEAR[key]
    stage, inputs, dy = linear(*sizes, dtype)
    if expected == "^$":
        wrong = replace(stage, hand=lambda i, d: {**(out := stage.hand(i, d)), **change(out, i, d)})
        assert judge(Trial(wrong, inputs, dy)).verdict is Verdict.CERTIFIED
        return
    assert re.search(expected, named(stage, inputs, dy, change))


@pytest.mark.parametrize("seed", range(12))
def test_other_orders_and_sums_get_no_such_name(seed: int) -> None:
    """Three inputs moved round, a random order, a random mixture of the units above: none of them has a name."""
    rng = np.random.default_rng(seed)
    stage, inputs, dy = linear(6, 6, 3, seed=seed)
    order = [1, 2, 0, 3, 5, 4]
    mixture, weights = rng.normal(size=(6, 6)), rng.normal(size=3)
    wrongs: list[Change] = [
        permuted(order),
        lambda out, i, d: {"y": i["x"] @ mixture @ i["W"].T + i["b"]},
        lambda out, i, d: {"dx": (d @ weights)[:, None] + 0 * i["x"]},
        lambda out, i, d: {"y": out["y"] + rng.normal() * i["b"]},
    ]
    assert named(stage, inputs, dy, wrongs[seed % 4]) == ""


def loss(kind: Any, N: int, n: int, wrong: Callable[[Any, Any], Any], dtype: Any = np.float64) -> str:
    """The name of a squared error with the gradient dE * wrong(y, t)."""
    rng = np.random.default_rng(N * 10 + n)
    y, t = (rng.normal(size=(N, n)).astype(dtype) for _ in range(2))
    stage, dE = loss_stage("E", kind, t), np.asarray(0.75, dtype)
    return named(stage, {"x": y}, dE, lambda out, i, d: {"dx": d * wrong(i["x"], t)})


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_squared_error(dtype: Any) -> None:
    half, mean = manual.HalfSquaredError(), manual.MeanSquaredError()
    assert loss(half, 5, 2, lambda y, t: y * t, dtype) == "output times target stands where their difference belongs"
    assert loss(half, 5, 2, lambda y, t: 1 + 0 * y, dtype) == "the factor y - t is missing"
    assert "4 times the right one (N/2)" in loss(mean, 8, 1, lambda y, t: y - t, dtype)
    both = loss(mean, 3, 1, lambda y, t: y - t, dtype)  # 3/2 is N/2 and N/(N - 1): both are said
    assert "N/2" in both
    assert "N/(N-1)" in both
    assert "half of batch size times outputs" in loss(mean, 5, 3, lambda y, t: y - t, dtype)
    assert "2/N" in loss(manual.HalfSquaredError(), 8, 1, lambda y, t: (y - t) * dtype(0.25), dtype)
    assert loss(half, 5, 2, lambda y, t: y * y * t, dtype) == ""
    assert loss(half, 5, 2, lambda y, t: y * t + 1, dtype) == ""


def test_half_the_batch_size_is_no_name_outside_a_loss() -> None:
    stage, inputs, dy = linear(14, 5, 3)
    name = named(stage, inputs, dy, lambda out, i, d: {"dW": 7 * out["dW"]})
    assert name == "every entry is 7 times the right one"


def elementwise(x: Any, hand: Callable[[Any, Any], Any], f: Any, torch_f: Any) -> str:
    """The name of dx = hand(dy, x) for y = f(x)."""
    stage = Stage("f", lambda i, d: {"y": f(i["x"]), "dx": hand(d, i["x"])},
                  lambda i, d: autograd(lambda t: torch_f(t["x"]), i, d))  # fmt: skip
    inputs, dy = {"x": x}, np.random.default_rng(0).uniform(0.5, 2, size=x.shape)
    right = stage.reference(inputs, dy)
    with np.errstate(all="ignore"):
        given = stage.hand(inputs, dy)
    evidence = {k: Evidence(given[k], right[k], 1e-12 * np.abs(right[k]) + 1e-300) for k in ("y", "dx")}
    with np.errstate(all="ignore"):
        found = diagnose(Trial(stage, inputs, dy), evidence)
    assert isinstance(found, Diagnosis)
    return found.name if found.known else ""


def test_a_formula_that_overflows_is_named() -> None:
    x = np.array([[-1000.0, -750.0, -40.0, -1.0], [0.0, 0.5, 5.0, 800.0]])
    printed = lambda d, z: d * np.exp(-z) / (1 + np.exp(-z)) ** 2  # noqa: E731
    assert elementwise(x, printed, sigmoid, torch.sigmoid) == "the formula overflows at large inputs"
    # nan somewhere in the middle, or nan with a wrong value besides, is something else
    spoiled = lambda d, z: np.where(z == 0.5, np.nan, d * sigmoid(z) * (1 - sigmoid(z)))  # noqa: E731
    assert elementwise(x, spoiled, sigmoid, torch.sigmoid) == ""
    wrong = lambda d, z: np.where(z < -700, np.nan, d * sigmoid(z))  # noqa: E731
    assert elementwise(x, wrong, sigmoid, torch.sigmoid) == ""
    gap = lambda d, z: np.where(z == -750, np.nan, d * sigmoid(z) * (1 - sigmoid(z)))  # noqa: E731
    assert elementwise(x, gap, sigmoid, torch.sigmoid) == ""


def test_a_formula_that_divides_by_zero_is_named() -> None:
    x = np.array([[0.0, 1.0, -2.0], [3.0, -0.5, 0.25]])
    hand = lambda d, z: d * 2 * (z * z) / z  # noqa: E731
    assert elementwise(x, hand, lambda z: z * z, lambda t: t * t) == "the formula divides by zero at 0"


def test_an_f_for_its_derivative_has_one_name() -> None:
    """softplus' is the sigmoid: for a sigmoid, f for f' and "the backward pass of softplus" are one formula."""
    z = np.random.default_rng(2).normal(size=(4, 3))
    stage = layer_stage("h", manual.Sigmoid())
    name = named(stage, {"x": z}, z[::-1] + 2, lambda out, i, d: {"dx": d * out["y"]})
    assert name == "the activation stands where its derivative belongs"


def test_a_network_with_an_exchange_is_refuted_at_the_stage_and_named() -> None:
    class Exchanged(manual.Linear):
        def forward(self, params: Any, x: Any) -> Any:
            return super().forward(params, x[:, [1, 0]])

    net = manual.mlp([2, 2, 2], "sigmoid", "sigmoid")
    wrong = manual.Network((*net.layers[:2], Exchanged(2, 2), net.layers[3]))
    x, t = np.random.default_rng(3).normal(size=(2, 4, 2))
    report = verify(wrong, net.init(1), x, t, manual.HalfSquaredError(), seed=1)
    assert report.culprit is not None
    assert report.culprit.name == "z2 = Exchanged 2-2"
    assert report.culprit.diagnosis is not None
    assert report.culprit.diagnosis.name == "the inputs 0 and 1 are exchanged"
