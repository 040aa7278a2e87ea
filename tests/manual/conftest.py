"""What the tests of `manual` share: every layer and loss beside its formula in plain torch, and one comparison.

An activation's formula is its twin, which tests/torch_ref/test_modules.py holds against torch's own: a new one is here.

THE RULE. Autograd differentiates the formula in float64, on the very numbers the hand-derived code was given. With u
the unit roundoff of the code's own dtype, every entry must satisfy

    |found - truth| <= 64 u S,    S the largest magnitude among inputs, upstream gradient and true results.

A backward pass here chains at most a dozen roundings of terms of size S or less (sums have 5 terms at most), so a
correct one stays inside (over 180 random draws of each layer and loss it used at most a fifth). In float64 the
right-hand side is about 1e-14, so no wrong line does (test_breaking.py).
"""

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import manual
from manual.layers.activations import DIFFERENTIABLE
from torch_ref import twin

SIZES = ((1, 1, 1), (1, 4, 3), (2, 3, 5), (3, 3, 3), (5, 1, 2), (4, 5, 1))  # N, n_in, n_out

SPECIAL = np.array([0.0, 1e-30, -1e-30, 1e-3, -1e-3, 0.05, -0.05, 8.0, -8.0])


class LayerCase(NamedTuple):
    name: str
    make: Callable[[int, int], Any]  # n_in, n_out -> layer
    reference: Callable[..., Tensor]  # layer, params, x, *state -> y
    state: Callable[[np.random.Generator, int, int], tuple[Any, ...]] = lambda rng, N, n: ()


class LossCase(NamedTuple):
    name: str
    make: Callable[[int], Any]  # C -> loss
    reference: Callable[..., Tensor]  # loss, z, target -> E
    target: Callable[[np.random.Generator, int, int], Any]


class Example(NamedTuple):
    """A layer or loss and the numbers to run it on: inputs what forward takes, upstream what backward does."""

    it: Any
    inputs: tuple[Any, ...]
    upstream: Any


def elementwise(name: str, layer: Any, f: Callable[[Tensor], Tensor]) -> LayerCase:
    return LayerCase(name, lambda n_in, n_out: layer, lambda layer, params, z: f(z))


def checkerboard(n_in: int, n_out: int) -> np.ndarray:
    return (np.add.outer(np.arange(n_out), np.arange(n_in)) % 2 == 0).astype(int)


def normalised(p: dict[str, Tensor], x: Tensor, mean: Tensor, var: Tensor) -> Tensor:
    return p["gamma"] * (x - mean) / torch.sqrt(var + 1e-5) + p["beta"]


def row_normalised(layer: Any, p: dict[str, Tensor], x: Tensor) -> Tensor:
    return normalised(p, x, x.mean(1, keepdim=True), x.var(1, unbiased=False, keepdim=True))


def column_normalised(layer: Any, p: dict[str, Tensor], x: Tensor) -> Tensor:
    return normalised(p, x, x.mean(0), x.var(0, unbiased=False))


LAYERS = (
    LayerCase("linear", manual.Linear, lambda layer, p, x: F.linear(x, p["W"], p["b"])),
    LayerCase("linear without bias", lambda i, o: manual.Linear(i, o, bias=False), lambda _, p, x: F.linear(x, p["W"])),
    LayerCase(
        "linear with mask",
        lambda i, o: manual.Linear(i, o, mask=checkerboard(i, o)),
        lambda layer, p, x: F.linear(x, p["W"] * torch.tensor(layer.mask), p["b"]),
    ),
    *(elementwise(name, manual.activation(name), twin(manual.activation(name))) for name in DIFFERENTIABLE),
    elementwise("leaky_relu 0.3", manual.LeakyReLU(0.3), lambda z: F.leaky_relu(z, 0.3)),
    elementwise("softmax", manual.Softmax(), lambda z: torch.softmax(z, 1)),
    LayerCase("layer_norm", lambda i, o: manual.LayerNorm(i), row_normalised),
    LayerCase("batch_norm", lambda i, o: manual.BatchNorm1d(i), column_normalised),
    LayerCase(
        "batch_norm in evaluation",
        lambda i, o: manual.BatchNorm1d(i),
        lambda layer, p, x, running: normalised(p, x, *running),
        lambda rng, N, n: (manual.Running(rng.normal(size=n), rng.uniform(0.3, 2, size=n)),),
    ),
    LayerCase(
        "dropout",
        lambda i, o: manual.Dropout(0.3),
        lambda layer, p, x, mask: x * mask / 0.7,
        lambda rng, N, n: ((rng.random((N, n)) > 0.3).astype(float),),
    ),
    elementwise("dropout in evaluation", manual.Dropout(0.3), lambda z: z * 1),
)


def reduced(reduction: str, total: Callable[[str], Tensor], N: int) -> Tensor:
    """torch knows "sum" and "mean"; the mean over the batch is a sum divided by N."""
    return total("sum") / N if reduction == "batch mean" else total(reduction)


def squared(factor: float) -> Callable[..., Tensor]:
    return lambda loss, y, t: factor * reduced(loss.reduction, lambda r: F.mse_loss(y, t, reduction=r), len(y))


def binary_cross_entropy(loss: Any, z: Tensor, t: Tensor) -> Tensor:
    return reduced(loss.reduction, lambda r: F.binary_cross_entropy_with_logits(z, t, reduction=r), len(z))


def cross_entropy(loss: Any, z: Tensor, t: Tensor) -> Tensor:
    w = None if loss.class_weights is None else torch.tensor(loss.class_weights, dtype=z.dtype)
    return reduced(
        loss.reduction,
        lambda r: F.cross_entropy(z, t, weight=w, reduction=r, label_smoothing=loss.label_smoothing),
        len(z),
    )


def softmax_cross_entropy(reduction: str, smoothing: float, weighted: bool) -> Callable[[int], Any]:
    weights = [0.5, 2.0, 1.0, 0.3, 1.7]
    return lambda C: manual.SoftmaxCrossEntropy(reduction, smoothing, weights[:C] if weighted else None)


TARGETS: dict[str, Callable[[np.random.Generator, int, int], Any]] = {
    "indices": lambda rng, N, C: rng.integers(C, size=N),
    "probabilities": lambda rng, N, C: rng.dirichlet(np.ones(C), size=N),
}


def loss_cases() -> Iterator[LossCase]:
    for r in ("sum", "mean", "batch mean"):
        for cls, factor in ((manual.SquaredError, 1.0), (manual.HalfSquaredError, 0.5), (manual.MeanSquaredError, 1.0)):
            make = lambda C, cls=cls, r=r: cls(r)  # noqa: E731
            yield LossCase(f"{cls.__name__} {r}", make, squared(factor), lambda rng, N, n: rng.normal(size=(N, n)))
        yield LossCase(
            f"BinaryCrossEntropy {r}",
            lambda C, r=r: manual.BinaryCrossEntropy(r),
            binary_cross_entropy,
            lambda rng, N, n: rng.uniform(size=(N, n)),
        )
        for kind, target in TARGETS.items():
            for smoothing, weighted in ((0.0, False), (0.1, False), (0.0, True), (0.1, True)):
                name = f"SoftmaxCrossEntropy {r} {kind}{' smoothed' * bool(smoothing)}{' weighted' * weighted}"
                yield LossCase(name, softmax_cross_entropy(r, smoothing, weighted), cross_entropy, target)


LOSSES = tuple(loss_cases())


def each(f: Callable[[Any], Any], value: Any) -> Any:
    """f applied to every array in tuples, named tuples and dictionaries; None stays."""
    if value is None:
        return None
    if isinstance(value, dict):
        return {key: each(f, item) for key, item in value.items()}
    if isinstance(value, tuple):
        items = [each(f, item) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    return f(value)


def cast(value: Any, dtype: str) -> Any:
    return each(
        lambda a: a if np.issubdtype(np.asarray(a).dtype, np.integer) else np.asarray(a).astype(dtype)[()], value
    )


def apart(rng: np.random.Generator, N: int, n: int) -> np.ndarray:
    """Random x (N, n) whose samples keep a distance: batch norm of two near-equal samples is ill-conditioned."""
    return rng.permuted(np.linspace(np.full(n, -1.5), np.full(n, 1.5), N), axis=0) + 0.3 * rng.normal(size=(N, n))


def draw(case: Any, sizes: tuple[int, int, int] = (2, 3, 5), dtype: str = "float64", seed: int = 0) -> Example:
    """Random inputs and a random upstream gradient for a layer or a loss."""
    rng = np.random.default_rng((seed, *sizes))
    N, n_in, n_out = sizes
    if isinstance(case, LossCase):
        inputs = (rng.normal(size=(N, n_out)), case.target(rng, N, n_out))
        return Example(case.make(n_out), cast(inputs, dtype), cast(rng.normal(), dtype))
    layer = case.make(n_in, n_out)
    params = {name: rng.normal(size=shape) for name, shape in layer.param_shapes.items()}
    inputs = (params, apart(rng, N, n_in), *case.state(rng, N, n_in))
    width = n_out if "W" in params else n_in
    return Example(layer, cast(inputs, dtype), cast(rng.normal(size=(N, width)), dtype))


def examples(case: Any, dtype: str) -> Iterator[Example]:
    """One example per size; for an activation one more, at the kink and close to it, and where it saturates."""
    yield from (draw(case, sizes, dtype) for sizes in SIZES)
    if (
        isinstance(case, LayerCase)
        and not case.make(1, 1).param_shapes
        and not case.state(np.random.default_rng(), 1, 1)
    ):
        example = draw(case, (2, len(SPECIAL), 1), dtype)
        yield example._replace(inputs=({}, cast(np.stack([SPECIAL, SPECIAL[::-1]]), dtype)))


def hand(it: Any, inputs: tuple[Any, ...], upstream: Any) -> dict[str, Any]:
    """Results and gradients by the hand-derived code, each by its name."""
    y, cache = it.forward(*inputs)
    if not isinstance(inputs[0], dict):
        return {"E": y, "dz": it.backward(cache, upstream)}
    dx, dparams = it.backward(inputs[0], cache, upstream)
    return {"y": y, "dx": dx, **dparams}


def auto(case: Any, example: Example) -> dict[str, np.ndarray]:
    """The same by autograd in float64."""
    inputs = each(torch.tensor, cast(example.inputs, "float64"))
    params, x = ({}, inputs[0]) if isinstance(case, LossCase) else inputs[:2]
    leaves = [x.requires_grad_(), *(p.requires_grad_() for p in params.values())]
    y = case.reference(example.it, *inputs)
    grads = torch.autograd.grad(y, leaves, torch.tensor(np.asarray(example.upstream, dtype=float)))
    names = ("E", "dz") if isinstance(case, LossCase) else ("y", "dx", *("d" + name for name in params))
    return dict(zip(names, (a.detach().numpy() for a in (y, *grads)), strict=True))


def largest(*values: Any) -> float:
    """The largest magnitude in all these arrays; class indices do not count."""
    sizes = [0.0]
    each(lambda a: sizes.append(float(np.max(np.abs(a)))) if np.asarray(a).dtype.kind == "f" else None, tuple(values))
    return max(sizes)


def compare(found: dict[str, Any], truth: dict[str, Any], *given: Any, dtype: str = "float64") -> float:
    """AssertionError unless `found` has the names, shapes, dtype and (by THE RULE) the values of `truth`.

    given: inputs and upstream gradient. Returns the worst entry's share of what the rule allows.
    """
    assert set(found) == set(truth), f"names are {sorted(found)}, expected {sorted(truth)}"
    allowed = 64 * np.finfo(dtype).eps / 2 * largest(truth, *given)
    worst = 0.0
    for name, right in truth.items():
        value = np.asarray(found[name])
        assert value.shape == right.shape, f"{name}: shape is {value.shape}, expected {right.shape}"
        assert value.dtype == dtype, f"{name}: dtype is {value.dtype}, expected {dtype}"
        error = np.abs(value.astype(float) - right)
        k = np.unravel_index(np.argmax(np.where(np.isnan(error), np.inf, error)), error.shape)
        assert error[k] <= allowed, f"{name}{list(map(int, k))}: is {value[k]}, expected {right[k]} +- {allowed:.1e}"
        worst = max(worst, float(error[k]) / allowed)
    return worst


@pytest.fixture(scope="session")
def tools() -> SimpleNamespace:
    """The functions above, for tests that cannot import this file."""
    names = (draw, examples, hand, auto, compare, cast, each, largest)
    return SimpleNamespace(**{f.__name__: f for f in names}, LAYERS=LAYERS, LOSSES=LOSSES, SIZES=SIZES)


@pytest.fixture(params=LAYERS, ids=lambda case: case.name, scope="session")
def layer_case(request: pytest.FixtureRequest) -> LayerCase:
    return request.param


@pytest.fixture(params=LOSSES, ids=lambda case: case.name, scope="session")
def loss_case(request: pytest.FixtureRequest) -> LossCase:
    return request.param


@pytest.fixture(params=("float32", "float64"), scope="session")
def dtype(request: pytest.FixtureRequest) -> str:
    return request.param
