"""The rules of naming: the whole before the parts, all names that fit, none where none fits, and never a wrong one."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from array_api_compat import array_namespace

import manual
from handgrad.explain import diagnosis
from handgrad.explain.diagnosis import Diagnosis, diagnose
from handgrad.judge.compare import Evidence
from handgrad.judge.judge import judge
from handgrad.judge.stage import Stage
from handgrad.judge.trial import Trial
from handgrad.subjects.network.stages import autograd, layer_stage, loss_stage

Tensors = dict[str, Any]


def linear(rng: np.random.Generator, N: int, n_in: int, n_out: int, dtype: Any = np.float64) -> tuple[Stage, Any, Any]:
    inputs = {"x": rng.normal(size=(N, n_in)), "W": rng.normal(size=(n_out, n_in)), "b": rng.normal(size=n_out)}
    stage = layer_stage("z1 = Linear", manual.Linear(n_in, n_out))
    return stage, {k: v.astype(dtype) for k, v in inputs.items()}, rng.normal(size=(N, n_out)).astype(dtype)


def named(stage: Stage, inputs: Any, dy: Any, change: Callable[[Tensors, Any, Any], Tensors]) -> Diagnosis | None:
    """The diagnosis of the stage whose results go through change(out, inputs, dy) -> what is different."""
    wrong = replace(stage, hand=lambda i, d: {**(out := stage.hand(i, d)), **change(out, i, d)})
    judged = judge(Trial(wrong, inputs, dy))
    evidence = judged.evidence
    return diagnose(Trial(wrong, inputs, dy), evidence)


def broken_source(case: Any) -> Any:
    raise IndexError("a source that did not foresee these numbers")
    yield


def test_a_source_that_raises_costs_no_verdict_and_no_other_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosis, "CATALOGUE", (broken_source, *diagnosis.CATALOGUE))
    found = named(*linear(np.random.default_rng(1), 5, 4, 3), lambda out, i, d: {"dW": -out["dW"]})
    assert found is not None
    assert found.name == "every entry is -1 times the right one"


def test_a_factor_near_one_is_told_by_what_it_lacks() -> None:
    stage, inputs, dy = linear(np.random.default_rng(2), 6, 4, 3)
    found = named(stage, inputs, dy, lambda out, i, d: {k: out[k] * (1 + 1e-7) for k in ("dx", "dW", "db")})
    assert found is not None
    assert found.name == "every entry is 1 + 1e-07 times the right one"
    assert "dividing by 1 + 1e-07 puts" in found.proof


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_tiny_gradient_is_not_called_zero(dtype: Any) -> None:
    """A power of small numbers lies inside a bound that comes from larger ones; it is no zero for that."""
    stage, inputs, dy = linear(np.random.default_rng(3), 6, 4, 3, dtype)
    right = stage.reference({k: v.astype(float) for k, v in inputs.items()}, dy.astype(float))
    evidence = {k: Evidence(v, v, np.full(v.shape, 1e-9)) for k, v in right.items()}
    for hand, S in (
        (np.full(3, 1e-18), right["db"]),
        (1e-18 * right["db"] ** 3, right["db"]),
        (0 * right["db"], 1e-200 * right["db"]),
    ):
        evidence["db"] = Evidence(hand, S, np.full(3, 1e-17 if hand.any() else 1e-215))
        found = diagnose(Trial(stage, inputs, dy), evidence)
        assert found is not None
        assert "zero" not in found.name, found
        assert "clipped" not in found.name, found
        assert "times" not in found.name, found


def test_a_right_stage_has_no_diagnosis() -> None:
    assert named(*linear(np.random.default_rng(1), 5, 4, 3), lambda out, i, d: {}) is None


def test_one_mistake_for_all_tensors_is_told_once_and_undone() -> None:
    stage, inputs, dy = linear(np.random.default_rng(2), 64, 4, 3)
    found = named(stage, inputs, dy, lambda out, i, d: {k: 64 * out[k] for k in ("dx", "dW", "db")})
    assert found is not None
    assert found.name == "every entry is 64 times the right one (N, the batch size)"
    assert found.tensor == "dx, dW, db"
    assert found.proof == "Undone: dividing by 64 puts every entry of dx, dW, db inside its bound."
    assert found.equation == "linear.dx"


def test_two_mistakes_in_two_tensors_are_both_told() -> None:
    stage, inputs, dy = linear(np.random.default_rng(3), 7, 4, 3)
    found = named(stage, inputs, dy, lambda out, i, d: {"dx": -out["dx"], "db": out["db"] / 7})
    assert found is not None
    assert found.known
    assert found.name.startswith("dx: every entry is -1 times the right one; db: every entry is 0.142857 times")


def test_where_two_names_fit_both_are_told() -> None:
    stage, inputs, dy = linear(np.random.default_rng(4), 2, 4, 3)
    found = named(stage, inputs, dy, lambda out, i, d: {"dW": 2 * out["dW"]})
    assert found is not None
    assert found.name == "every entry is 2 times the right one (2, or N, the batch size, or N/(N-1))"


def test_what_two_mistakes_give_alike_is_told_apart_on_fresh_draws() -> None:
    """Where every entry is negative, the absolute value is the turned sign; on another upstream gradient it is not."""
    x, dy = np.random.default_rng(15).normal(size=(4, 3)), np.random.default_rng(16).uniform(-2, -1, size=(4, 3))
    stage = layer_stage("h", manual.Sigmoid())
    found = named(stage, {"x": x}, dy, lambda out, i, d: {"dx": -out["dx"]})
    assert found is not None
    assert found.name == "every entry is -1 times the right one"
    found = named(stage, {"x": x}, dy, lambda out, i, d: {"dx": np.abs(out["dx"])})
    assert found is not None
    assert found.name == "the sign is lost"


@pytest.mark.parametrize("shape", [(3, 2), (4, 3), (5, 4), (1, 3), (4, 1), (1, 1)])
@pytest.mark.parametrize("mask", ["guided", "by the output", "the row's maximum"])
def test_a_mask_that_leaves_a_column_empty_gets_no_name(shape: tuple[int, int], mask: str) -> None:
    """Few entries: by chance the zeros fill a row or a column, or stand where another activation's would."""

    def spoiled(out: Tensors, i: Any, d: Any) -> Tensors:
        x = i["x"]
        largest = array_namespace(x).max(x, axis=1, keepdims=True)
        keep = {"guided": d > 0, "by the output": x > 0, "the row's maximum": x >= largest}[mask]
        return {"dx": out["dx"] * keep}

    layer = manual.ReLU() if mask == "guided" else manual.Tanh()
    for seed in range(8):
        rng = np.random.default_rng([17, seed])
        found = named(layer_stage("h", layer), {"x": rng.normal(size=shape)}, rng.normal(size=shape), spoiled)
        assert found is None or not found.known, found


def test_of_many_rows_left_out_every_one_must_be_the_same_again() -> None:
    """The name tells the first five; the largest entry of db, which alone is kept, is another on every draw."""
    for seed in range(20):
        stage, inputs, dy = linear(np.random.default_rng([20, seed]), 6, 4, 12)
        largest = lambda out, i, d: {"db": out["db"] * (out["db"] >= array_namespace(d).max(out["db"]))}  # noqa: E731
        found = named(stage, inputs, dy, largest)
        assert found is not None
        assert not found.known, found


def test_where_the_bound_holds_two_branches_nothing_agrees() -> None:
    """g where g is its row's maximum: on balls either branch can be taken, so the bound is as large as g."""

    def largest(out: Tensors, i: Any, d: Any) -> Tensors:
        return {"dx": out["dx"] * (out["dx"] == array_namespace(i["x"]).max(out["dx"], axis=1, keepdims=True))}

    for seed in range(10):
        rng = np.random.default_rng([22, seed])
        inputs = {"x": rng.normal(size=(5, 2)), "gamma": rng.normal(size=2), "beta": rng.normal(size=2)}
        found = named(layer_stage("y", manual.BatchNorm1d(2)), inputs, rng.normal(size=(5, 2)), largest)
        assert found is not None
        assert not found.known, found


def test_a_scalar_upstream_gradient_is_tried_with_both_signs() -> None:
    """Where the targets are 0 or 1, the negative entries are those of the ones; they are not where dE < 0."""
    t = (np.random.default_rng(20).random((9, 8)) < 0.5) * 1.0
    layer, z = loss_stage("E", manual.BinaryCrossEntropy(), t), np.random.default_rng(21).normal(size=t.shape)
    for seed in range(6):
        dE = np.asarray(np.random.default_rng(seed).uniform(0.5, 2))
        found = named(layer, {"x": z}, dE, lambda out, i, d: {"dx": out["dx"] * (out["dx"] > 0)})
        assert found is not None
        assert not found.known, found


def test_a_gradient_of_zeros_is_told_in_the_simplest_words() -> None:
    """Where the right dW has columns of zeros of its own, every other column is "left out" too."""
    stage, inputs, dy = linear(np.random.default_rng(18), 6, 4, 3)
    inputs["x"][:, 2] = 0
    found = named(stage, inputs, dy, lambda out, i, d: {"dW": 0 * out["dW"]})
    assert found is not None
    assert found.name == "the gradient is zero"


def test_code_that_cannot_be_run_again_gets_no_name() -> None:
    stage, inputs, dy = linear(np.random.default_rng(19), 6, 4, 3)
    wrong = replace(stage, hand=lambda i, d: {**(out := stage.hand(i, d)), "dW": -out["dW"]})
    judged = judge(Trial(wrong, inputs, dy))
    evidence = judged.evidence
    once = replace(wrong, hand=lambda i, d: 1 / 0)
    for given, known in ((wrong, True), (once, False)):
        found = diagnose(Trial(given, inputs, dy), evidence)
        assert found is not None
        assert found.known is known


def test_what_loses_information_is_proved_by_its_formula() -> None:
    stage, inputs, dy = linear(np.random.default_rng(5), 6, 4, 3)
    found = named(stage, inputs, dy, lambda out, i, d: {"db": 0 * out["db"]})
    assert found is not None
    assert found.proof.startswith("The mistaken formula gives every one of the 3 entries of db")


@pytest.mark.parametrize("given", [None, "left out"])
def test_an_absent_gradient_is_named(given: str | None) -> None:
    stage, inputs, dy = linear(np.random.default_rng(6), 6, 4, 3)
    if given is None:
        wrong = replace(stage, hand=lambda i, d: {**stage.hand(i, d), "db": None})
    else:
        wrong = replace(stage, hand=lambda i, d: {k: v for k, v in stage.hand(i, d).items() if k != "db"})
    right = stage.reference(inputs, dy)
    evidence = {k: Evidence(v, v, np.full(v.shape, 1e-14)) for k, v in right.items()}
    evidence["db"] = Evidence(np.full(3, np.nan), right["db"], np.full(3, np.inf))
    found = diagnose(Trial(wrong, inputs, dy), evidence)
    assert found is not None
    assert (found.name, found.tensor, found.known) == ("the gradient is absent", "db", True)


def test_what_is_absent_beside_an_error_without_a_name_is_not_said_to_fit() -> None:
    stage, inputs, dy = linear(np.random.default_rng(6), 5, 4, 3)
    noise = np.random.default_rng(7).normal(size=(3, 4))

    def hand(i: Tensors, d: Any) -> Tensors:
        out = dict(stage.hand(i, d))
        return {"dW": out["dW"] + noise, "db": -out["db"], **{k: v for k, v in out.items() if k not in ("dW", "db")}}

    def without_db(i: Tensors, d: Any) -> Tensors:
        return {k: v for k, v in hand(i, d).items() if k != "db"}

    right = stage.reference(inputs, dy)
    for run, also in ((hand, " db by itself: every entry is -1 times the right one."), (without_db, "")):
        given = run(inputs, dy)
        evidence = {k: Evidence(given.get(k, np.full(3, np.nan)), v, np.full(v.shape, 1e-14)) for k, v in right.items()}
        found = diagnose(Trial(replace(stage, hand=run), inputs, dy), evidence)
        assert found is not None
        assert found.explanation.startswith("12 of 12 entries of dW are outside their bound.")
        assert found.explanation.endswith(also)
        assert "absent" not in found.explanation


def test_nan_is_not_called_absent() -> None:
    stage, inputs, dy = linear(np.random.default_rng(7), 6, 4, 3)
    found = named(stage, inputs, dy, lambda out, i, d: {"db": out["db"] * float("nan")})
    assert found is not None
    assert not found.known
    assert "3 are nan or infinite" in found.explanation


def test_a_user_function_is_diagnosed_without_knowing_it() -> None:
    """exp through tanh, x W + b in the other layout: neither is a class of ours."""
    rng = np.random.default_rng(8)
    x, dy = rng.normal(size=(5, 3)), rng.normal(size=(5, 3))
    reference = lambda inputs, dy: autograd(lambda t: torch.tanh(torch.exp(t["x"])), inputs, dy)  # noqa: E731
    hand = lambda i, d: {"y": np.tanh(np.exp(i["x"])), "dx": d * 1.0}  # noqa: E731
    found = named(Stage("f", hand, reference), {"x": x}, dy, lambda out, i, d: {})
    assert found is not None
    assert (found.name, found.equation) == ("the factor f'(z) is missing", None)
    assert found.proof == "Undone: multiplying by f'(z) puts every entry of dx inside its bound."

    inputs = {"x": rng.normal(size=(5, 4)), "W": rng.normal(size=(4, 3)), "b": rng.normal(size=3)}
    reference = lambda inputs, dy: autograd(lambda t: t["x"] @ t["W"] + t["b"], inputs, dy)  # noqa: E731

    def affine(i: Any, d: Any) -> Tensors:
        return {"y": i["x"] @ i["W"] + i["b"], "dx": d @ (i["x"].T @ d).T, "dW": i["x"].T @ d, "db": np.sum(d, axis=0)}

    found = named(Stage("f", affine, reference), inputs, dy, lambda out, i, d: {})
    assert found is not None
    assert found.name == "dW stands where W belongs"


def test_a_bias_without_the_derivative_in_a_block_of_the_users() -> None:
    rng = np.random.default_rng(9)
    inputs = {"x": rng.normal(size=(6, 4)), "w": rng.normal(size=(3, 4)), "c": rng.normal(size=3)}
    reference = lambda i, d: autograd(lambda t: torch.tanh(t["x"] @ t["w"].T + t["c"]), i, d)  # noqa: E731

    def hand(i: Any, d: Any) -> Tensors:
        h = np.tanh(i["x"] @ i["w"].T + i["c"])
        dz = d * (1 - h * h)
        return {"y": h, "dx": dz @ i["w"], "dw": dz.T @ i["x"], "dc": np.sum(d, axis=0)}

    found = named(Stage("f", hand, reference), inputs, rng.normal(size=(6, 3)), lambda out, i, d: {})
    assert found is not None
    assert found.name == "f'(z) is missing in the bias gradient"


def test_a_mistake_without_a_name_is_described() -> None:
    rng = np.random.default_rng(10)
    stage, inputs, dy = linear(rng, 8, 5, 4)
    u, v = rng.normal(size=4), rng.normal(size=5)
    found = named(stage, inputs, dy, lambda out, i, d: {"dW": out["dW"] + np.outer(u, v)})
    assert found is not None
    assert not found.known
    assert found.name == ""
    assert found.words == f"{found.explanation} What belongs there is eq. linear.dW."
    assert "20 of 20 entries of dW are outside their bound. The error has rank 1 of 4." in found.explanation

    scales = rng.uniform(0.5, 2, size=(4, 1))
    found = named(stage, inputs, dy, lambda out, i, d: {"dW": out["dW"] * scales})
    assert found is not None
    assert not found.known
    assert "constant in each row" in found.explanation

    flip = np.where(np.arange(20).reshape(4, 5) % 3 == 0, -1.0, 1.0)
    found = named(stage, inputs, dy, lambda out, i, d: {"dW": out["dW"] * flip})
    assert found is not None
    assert not found.known
    assert "7 have the right size and the wrong sign" in found.explanation


MISTAKES: dict[str, tuple[str, Callable[[Tensors, Any, Any], Tensors]]] = {
    "-1 times": ("dx", lambda out, i, d: {"dx": -out["dx"]}),
    "0.1 times": ("dx", lambda out, i, d: {"dx": 0.1 * out["dx"]}),
    "rows are permuted": ("dx", lambda out, i, d: {"dx": out["dx"][::-1]}),
    "W^T stands": ("dx", lambda out, i, d: {"dx": d @ i["W"].T}),
    "the path through": ("dx", lambda out, i, d: {"dx": d @ i["W"] - d[:, 1:2] @ i["W"][1:2]}),
    "transposed": ("dW", lambda out, i, d: {"dW": out["dW"].T}),
    "W is added": ("dW", lambda out, i, d: {"dW": out["dW"] + 0.01 * i["W"]}),
    "only sample 0": ("dW", lambda out, i, d: {"dW": d[:1].T @ i["x"][:1]}),
    "the output stands": ("dW", lambda out, i, d: {"dW": d.T @ out["y"]}),
    "1/N": ("db", lambda out, i, d: {"db": out["db"] / 7}),
    "the gradient is zero": ("db", lambda out, i, d: {"db": 0 * out["db"]}),
    "wrong axis": ("db", lambda out, i, d: {"db": np.sum(d[:4], axis=1)}),
}


@pytest.mark.parametrize("part", [0, 1])
def test_pairs_of_mistakes_never_get_a_wrong_name(part: int) -> None:
    """Two tensors: both names. One tensor twice: one of the two (which hides the other), or none.

    Every pair in one of the two precisions, the turned pair in the other.
    """
    right = abstained = 0
    pairs = [(a, b) for a in MISTAKES for b in MISTAKES if a != b and "wrong axis" not in (a, b)]
    for a, b in pairs[part::2]:
        (first, f), (second, g) = MISTAKES[a], MISTAKES[b]
        dtype = np.float32 if a < b else np.float64
        stage, inputs, dy = linear(np.random.default_rng(len(a) * 100 + len(b)), 7, 4, 4, dtype)
        both = lambda out, i, d, f=f, g=g: (once := f(out, i, d)) | g({**out, **once}, i, d)  # noqa: E731
        found = named(stage, inputs, dy, both)
        assert found is not None
        if not found.known:
            assert first == second, (a, b, found)
            abstained += 1
            continue
        told = [a in found.name, b in found.name]
        assert all(told) if first != second else any(told), (a, b, found)
        right += 1
    assert right >= 35
    assert abstained >= 5


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_random_corruptions_get_no_name(dtype: Any) -> None:
    for seed in range(0 if dtype is np.float32 else 1, 60, 2):
        rng = np.random.default_rng([11, seed])
        N, n_in, n_out = (int(n) for n in rng.integers(3, 9, size=3))
        stage, inputs, dy = linear(rng, N, n_in, n_out, dtype)
        key = ("dx", "dW", "db")[seed % 3]
        shape = stage.reference({k: v.astype(float) for k, v in inputs.items()}, dy.astype(float))[key].shape
        noise = rng.normal(size=shape)
        noise = (
            noise,
            noise * (rng.random(shape) < 0.3),
            noise * 1e-3,
            np.where(np.arange(noise.size).reshape(shape) == rng.integers(noise.size), 1.0, 0.0),
        )[seed % 4]
        if not noise.any():
            continue
        found = named(stage, inputs, dy, lambda out, i, d, key=key, noise=noise: {key: out[key] + noise.astype(dtype)})
        assert found is not None
        assert not found.known, found


@pytest.mark.parametrize("layer", [manual.Tanh(), manual.ReLU(), manual.Softmax(), manual.LayerNorm(6)], ids=str)
def test_random_elementwise_factors_get_no_name(layer: Any) -> None:
    for seed in range(20):
        rng = np.random.default_rng([12, seed])
        inputs = {"x": rng.normal(size=(5, 6)), **{k: rng.normal(size=s) for k, s in layer.param_shapes.items()}}
        factor = rng.uniform(0.5, 1.5, size=(5, 6))
        change = lambda out, i, d, factor=factor: {"dx": out["dx"] * factor}  # noqa: E731
        found = named(layer_stage("f", layer), inputs, rng.normal(size=(5, 6)), change)
        assert found is not None
        assert not found.known, found


def test_a_single_entry_is_not_explained_by_a_fitted_number() -> None:
    """Any number is some constant times any other: one entry proves nothing."""
    stage, inputs, dy = linear(np.random.default_rng(13), 3, 1, 1)
    found = named(stage, inputs, dy, lambda out, i, d: {"db": out["db"] * 0.37})
    assert found is not None
    assert not found.known


def test_a_large_stage_takes_a_few_seconds() -> None:
    rng = np.random.default_rng(14)
    stage, inputs, dy = linear(rng, 200, 1000, 1000, np.float32)
    right = stage.reference({k: v.astype(float) for k, v in inputs.items()}, dy.astype(float))
    evidence = {k: Evidence(v * 1.0, v, np.abs(v) * 1e-6 + 1e-9) for k, v in right.items()}
    evidence["dW"] = Evidence(right["dW"] / 200, right["dW"], evidence["dW"].bound)
    wrong = replace(stage, hand=lambda i, d: {**(out := stage.hand(i, d)), "dW": out["dW"] / 200})
    started = time.process_time()  # whatever else the machine is doing
    found = diagnose(Trial(wrong, inputs, dy), evidence)
    assert found is not None
    assert "1/N" in found.name
    assert time.process_time() - started < 20
