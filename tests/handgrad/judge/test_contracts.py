"""Every contract holds for the manual layers, and a planted violation breaks it and no other."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import manual
from handgrad.judge.contracts import check_contracts
from handgrad.judge.promises import Contract
from handgrad.judge.stage import Halves, Stage
from handgrad.judge.trial import Trial
from handgrad.subjects.network.stages import layer_stage, loss_stage

LAYERS = {
    "linear": (manual.Linear(4, 3), 4),
    "masked": (manual.Linear(4, 3, mask=np.array([[1, 0, 1, 1], [1, 1, 0, 1], [0, 1, 1, 0]])), 4),
    "layer_norm": (manual.LayerNorm(4), 4),
    "batch_norm": (manual.BatchNorm1d(4), 4),
    "softmax": (manual.Softmax(), 5),
    **{k: (f, 5) for k, f in manual.ACTIVATIONS.items() if k not in ("step", "sign")},
}


def made(layer: Any, n: int, dtype: Any = np.float32, N: int = 6, seed: int = 5) -> tuple[Stage, dict[str, Any], Any]:
    rng = np.random.default_rng(seed)
    params = {k: rng.normal(size=s).astype(dtype) for k, s in layer.param_shapes.items()}
    x = rng.normal(size=(N, n)).astype(dtype)
    y, _ = layer.forward(params, x)
    return layer_stage("stage", layer), {"x": x, **params}, rng.normal(size=y.shape).astype(dtype)


def broken(contracts: tuple[Contract, ...]) -> list[str]:
    return [c.name for c in contracts if c.held is False]


def check(stage: Stage, inputs: Any, dy: Any) -> tuple[Contract, ...]:
    return check_contracts(Trial(stage, inputs, dy), np.random.default_rng(8))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", LAYERS)
def test_every_manual_layer_keeps_every_contract(name: str, dtype: Any) -> None:
    layer, n = LAYERS[name]
    contracts = check(*made(layer, n, dtype))
    assert broken(contracts) == []
    assert len(contracts) == 11
    assert [c.name for c in contracts if c.held is None] == []


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_torch_tensors_keep_them(dtype: torch.dtype) -> None:
    stage, inputs, dy = made(manual.Linear(4, 3), 4)
    to = lambda a: torch.as_tensor(a).to(dtype)  # noqa: E731
    contracts = check(stage, {k: to(v) for k, v in inputs.items()}, to(dy))
    assert broken(contracts) == []


@pytest.mark.parametrize(
    "loss",
    [manual.HalfSquaredError(), manual.SoftmaxCrossEntropy(), manual.BinaryCrossEntropy("sum")],
    ids=lambda v: type(v).__name__,
)
def test_losses_keep_them(loss: Any) -> None:
    rng = np.random.default_rng(3)
    t = rng.random(size=(5, 4))
    contracts = check(
        loss_stage("E", loss, t / t.sum(axis=1, keepdims=True)), {"x": rng.normal(size=(5, 4))}, np.array(0.7)
    )
    assert broken(contracts) == []


def tanh_like(change: Callable[..., Any]) -> Stage:
    """tanh, whose gradients then go through change(inputs, dy, out)."""
    stage = layer_stage("tanh", manual.Tanh())
    hand = stage.hand
    return replace(stage, hand=lambda inputs, dy: change(inputs, dy, hand(inputs, dy)), subject=None, halves=None)


def with_dx(f: Callable[[Any, Any, Any], Any]) -> Callable[..., Any]:
    return lambda inputs, dy, out: {**out, "dx": f(inputs["x"], dy, out["dx"])}


def overwrite_dy(inputs: Any, dy: Any, out: Any) -> Any:
    if isinstance(dy, np.ndarray):
        dy *= 2
    return out


class Counter:
    """A dx that drifts by one ulp at every call."""

    calls = 0

    def __call__(self, inputs: Any, dy: Any, out: Any) -> Any:
        self.calls += 1
        return {**out, "y": out["y"] * (1 + 1e-6 * self.calls)}


VIOLATIONS: dict[str, tuple[Callable[..., Any], str]] = {
    "flattened": (with_dx(lambda x, dy, v: v.reshape(-1)), "every gradient has the shape of its input"),
    "absent": (lambda inputs, dy, out: {"y": out["y"]}, "every gradient has the shape of its input"),
    "float64": (
        with_dx(lambda x, dy, v: v.astype(float) if isinstance(v, np.ndarray) else v),
        "dtype and device are kept",
    ),
    "writes dy": (overwrite_dy, "nothing passed in is changed"),
    "returns dy": (lambda inputs, dy, out: {**out, "y": dy}, "every result has memory of its own"),
    "drifts": (Counter(), "repeatable bit for bit"),
    "0/0": (with_dx(lambda x, dy, v: v * (dy / dy)), "zero upstream gradient gives zero"),
    "absolute": (with_dx(lambda x, dy, v: abs(v)), "linear in the upstream gradient"),
    "not additive": (
        with_dx(lambda x, dy, v: v * abs(dy) / (abs(dy).max() + 1e-30)),
        "linear in the upstream gradient",
    ),
    "overflows": (
        with_dx(lambda x, dy, v: v * (1 + 0 * (x * x * x * x * x * x * x * x * x * x))),
        "finite at inputs up to 1e4",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", VIOLATIONS)
@pytest.mark.filterwarnings("ignore:invalid value")
def test_a_violation_breaks_its_contract_and_no_other(name: str) -> None:
    change, contract = VIOLATIONS[name]
    _, inputs, dy = made(manual.Tanh(), 5)
    assert broken(check(tanh_like(change), inputs, dy)) == [contract]


def test_a_lost_sign_is_found_where_balls_cannot_enter() -> None:
    _, inputs, dy = made(manual.Tanh(), 5)

    def plain_only(inputs: Any, dy: Any, out: Any) -> Any:
        dx = np.zeros(dy.shape, dy.dtype)
        dx[:] = abs(out["dx"])
        return {**out, "dx": dx}

    assert broken(check(tanh_like(plain_only), inputs, dy)) == ["linear in the upstream gradient"]


def test_a_cache_written_into_is_found() -> None:
    def forward(inputs: Any) -> Any:
        h = np.tanh(inputs["x"])
        return h, {"h": h}

    def backward(cache: Any, inputs: Any, dy: Any) -> Any:
        dx = dy * (1 - cache["h"] ** 2)
        cache["h"] *= 0
        return {"dx": dx}

    stage, inputs, dy = made(manual.Tanh(), 5)
    assert broken(check(replace(stage, halves=Halves(forward, backward)), inputs, dy)) == ["the cache is not changed"]


def test_a_stale_cache_is_found() -> None:
    kept: dict[str, Any] = {}

    def forward(inputs: Any) -> Any:
        kept["h"] = np.tanh(inputs["x"])
        return kept["h"], None

    stage, inputs, dy = made(manual.Tanh(), 5)
    halves = Halves(forward, lambda cache, inputs, dy: {"dx": dy * (1 - kept["h"] ** 2)})
    assert broken(check(replace(stage, halves=halves), inputs, dy)) == ["the backward pass uses its own cache"]


def test_nothing_is_changed_by_checking() -> None:
    stage, inputs, dy = made(manual.Linear(4, 3), 4)
    before = {k: v.copy() for k, v in inputs.items()}
    check(stage, inputs, dy)
    assert all((before[k] == v).all() for k, v in inputs.items())
