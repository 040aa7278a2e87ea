"""At numbers that people use, manual gives what torch gives: masked classes, large numbers, many numbers."""

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import manual
from torch_ref import twin

INF = float("inf")
MASKED = torch.tensor([[0.5, -INF, 1.0, -2.0], [-INF, -INF, 3.0, -INF], [-INF, 0.0, -0.0, 1e4]])
TARGET = torch.tensor([2, 2, 1])
HALF = [torch.float16, torch.bfloat16]


def hand(loss: Any, z: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    E, cache = loss.forward(z, target)
    return E, loss.backward(cache, torch.tensor(1.0, dtype=z.dtype))


def auto(f: Any, z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    z = z.clone().requires_grad_()
    E = f(z)
    return E.detach(), torch.autograd.grad(E, z)[0]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("weights", [None, (0.5, 1.0, 3.0, 0.0)])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_masked_classes(reduction: Any, weights: Any, dtype: torch.dtype) -> None:
    z = MASKED.to(dtype)
    w = None if weights is None else torch.tensor(weights, dtype=dtype)
    found = hand(manual.SoftmaxCrossEntropy(reduction, 0.0, weights), z, TARGET)
    right = auto(lambda z: F.cross_entropy(z, TARGET, w, reduction=reduction), z)
    torch.testing.assert_close(found, right)
    assert torch.isfinite(found[0])


def test_masked_classes_with_probabilities() -> None:
    """0 log 0 is 0; torch's own loss is nan there, its gradient is not."""
    z, q = MASKED.double(), torch.eye(4, dtype=torch.float64)[TARGET]
    E, dz = hand(manual.SoftmaxCrossEntropy(), z, q)
    torch.testing.assert_close(E, F.cross_entropy(z, TARGET))
    torch.testing.assert_close(dz, auto(lambda z: F.cross_entropy(z, q), z)[1])


def test_a_softmax_with_masked_classes() -> None:
    z, dp = MASKED.double(), torch.arange(12, dtype=torch.float64).reshape(3, 4)
    p, cache = manual.Softmax().forward({}, z)
    right, dz = auto(lambda z: torch.sum(torch.softmax(z, 1) * dp), z)
    torch.testing.assert_close(torch.sum(p * dp), right)
    torch.testing.assert_close(manual.Softmax().backward({}, cache, dp)[0], dz)


@pytest.mark.parametrize(("dtype", "large"), [("float64", 1e110), ("float32", 1e30), ("float16", 3e4)])
def test_no_activation_overflows_far_from_zero(dtype: str, large: float) -> None:
    z = torch.tensor([[large, -large, large / 100, -large / 100]], dtype=getattr(torch, dtype))
    for name in manual.layers.activations.DIFFERENTIABLE:
        layer = manual.activation(name)
        h, cache = layer.forward({}, z)
        dz, _ = layer.backward({}, cache, torch.ones_like(z))
        right, slope = auto(lambda z, layer=layer: twin(layer)(z).sum(), z.double())
        torch.testing.assert_close(h.double().sum(), right, rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(dz.double(), slope, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize("layer", [manual.LayerNorm(6), manual.BatchNorm1d(6)], ids=lambda f: type(f).__name__)
def test_a_normalisation_in_half_precision_computes_in_float32(layer: Any, dtype: torch.dtype) -> None:
    """x^2 overflows float16: y would be 0. The result is the float32 result, rounded once."""
    rng = np.random.default_rng(0)
    x, dy = (torch.tensor(scale * rng.normal(size=(5, 6))).to(dtype) for scale in (1e4, 1.0))
    params = {"gamma": torch.linspace(0.5, 2, 6).to(dtype), "beta": torch.linspace(-1, 1, 6).to(dtype)}
    wide = {name: a.float() for name, a in params.items()}
    results = []
    for own, x_own, dy_own in ((params, x, dy), (wide, x.float(), dy.float())):
        y, cache = layer.forward(own, x_own)
        dx, dparams = layer.backward(own, cache, dy_own)
        results.append({"y": y, "dx": dx, **dparams})
    for name, value in results[0].items():
        assert value.dtype == dtype
        torch.testing.assert_close(value, results[1][name].to(dtype), rtol=0, atol=0)


def test_running_statistics_keep_their_half_precision() -> None:
    layer = manual.BatchNorm1d(3)
    params = {"gamma": torch.ones(3).half(), "beta": torch.zeros(3).half()}
    _, cache = layer.forward(params, torch.arange(6).reshape(2, 3).half())
    running = layer.update_running(layer.initial_running(params["gamma"]), cache)
    assert running.mean.dtype == running.var.dtype == torch.float16


MEANS = [manual.MeanSquaredError(), manual.SquaredError("batch mean"), manual.HalfSquaredError("mean"),
         manual.BinaryCrossEntropy(), manual.BinaryCrossEntropy("batch mean")]  # fmt: skip


@pytest.mark.parametrize("loss", MEANS, ids=repr)
@pytest.mark.parametrize("value", [1.0, 50.0, 300.0])
@pytest.mark.parametrize("library", [torch, np], ids=lambda library: library.__name__)
def test_a_mean_of_70_000_numbers_in_float16(loss: Any, value: float, library: Any) -> None:
    y = torch.full((35_000, 2), value).half()
    right = twin(loss)(y, 0 * y).float()
    if torch.isfinite(right):
        given = y if library is torch else y.numpy()
        E, _ = loss.forward(given, 0 * given)
        np.testing.assert_allclose(float(E), float(right), rtol=2e-3)


def test_a_cross_entropy_of_70_000_samples_in_float16() -> None:
    z, target = torch.zeros(70_000, 3).half(), torch.zeros(70_000, dtype=torch.long)
    E, dz = hand(manual.SoftmaxCrossEntropy(), z, target)
    np.testing.assert_allclose(float(E), np.log(3), rtol=2e-3)
    np.testing.assert_allclose(dz[0].double(), np.array([-2, 1, 1]) / 3 / 70_000, rtol=1e-2)


@pytest.mark.parametrize("value", [1.0, 300.0])
def test_norms_and_softmax_over_70_000_numbers_in_float16(value: float) -> None:
    x = (value * torch.tensor([[0.5], [1.5]]).repeat(35_000, 1)).half()
    one, zero = torch.ones(1).half(), torch.zeros(1).half()
    batch = manual.BatchNorm1d(1).forward({"gamma": one, "beta": zero}, x)[0]
    row = manual.LayerNorm(70_000).forward({"gamma": one.repeat(70_000), "beta": zero.repeat(70_000)}, x.T)
    for y in (batch.flatten(), row[0].flatten()):
        np.testing.assert_allclose(y[:2].float(), [-1, 1], rtol=2e-3)
    p = manual.Softmax().forward({}, torch.zeros(1, 70_000).half())[0]
    np.testing.assert_allclose(float(p[0, 0]), 1 / 70_000, rtol=5e-3)
