"""The same lines on every array library, eager and compiled: NumPy's results, to rounding (conftest: THE RULE)."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from importlib.util import find_spec
from typing import Any, NamedTuple

import array_api_strict
import numpy as np
import pytest
import torch

import manual
from manual.namespace import at_hand
from manual.optimizers.adam import bias_correction

needs_jax = pytest.mark.skipif(find_spec("jax") is None, reason="JAX is not installed")


class Library(NamedTuple):
    to: Callable[[np.ndarray], Any]
    back: Callable[[Any], np.ndarray]
    compiled: Callable[[Callable[..., Any]], Callable[..., Any]]
    scope: Any


def eager(f: Callable[..., Any]) -> Callable[..., Any]:
    return f


def torch_compile(f: Callable[..., Any]) -> Callable[..., Any]:
    torch.compiler.reset()  # no guards left over from the case before
    return torch.compile(f, backend="eager", fullgraph=True)


@contextmanager
def dynamo_scope() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Dynamo detected a call to a `functools.lru_cache`", UserWarning)
        yield


def library(name: str) -> Library:
    if name.startswith("jax"):
        import jax

        return Library(jax.numpy.asarray, np.asarray, jax.jit if name == "jax.jit" else eager, jax.enable_x64(True))
    return {
        "torch": Library(torch.asarray, np.asarray, eager, nullcontext()),
        "torch.compile": Library(torch.asarray, np.asarray, torch_compile, dynamo_scope()),
        "array-api-strict": Library(array_api_strict.asarray, np.from_dlpack, eager, nullcontext()),
    }[name]


JAX_EAGER = pytest.param("jax", marks=needs_jax)
LIBRARIES = ["torch", "torch.compile", "array-api-strict", JAX_EAGER, pytest.param("jax.jit", marks=needs_jax)]


def check(case: Any, name: str, tools: Any) -> None:
    """In float32, where a result that slipped into float64 shows."""
    example = tools.draw(case, (4, 3, 5), "float32")
    expected = tools.hand(*example)
    lib = library(name)
    with lib.scope:
        f = lib.compiled(lambda inputs, upstream: tools.hand(example.it, inputs, upstream))
        arguments = tools.each(lambda a: lib.to(np.asarray(a)), example[1:])
        found = f(*arguments)
        kind = type(arguments[-1])
        assert all(isinstance(a, kind) for a in found.values()), "a result left its array library"
        found = tools.each(lib.back, found)
    tools.compare(found, expected, *example[1:], dtype="float32")


@pytest.mark.parametrize("name", LIBRARIES)
def test_layer(layer_case: Any, name: str, tools: Any) -> None:
    check(layer_case, name, tools)


@pytest.mark.parametrize("name", LIBRARIES)
def test_losses(name: str, tools: Any) -> None:
    """All of them, by their mean: the reduction is a Python number, the same on every library."""
    for case in tools.LOSSES:
        if case.make(5).reduction == "mean":
            check(case, name, tools)


NET = manual.Network(
    (
        manual.Linear(4, 6),
        manual.BatchNorm1d(6),
        manual.SiLU(),
        manual.Dropout(0.25),
        manual.Linear(6, 5, bias=False),
        manual.LayerNorm(5),
        manual.GELU(),
        manual.Linear(5, 3),
    )
)
LOSS = manual.SoftmaxCrossEntropy(label_smoothing=0.05)
STEPS = 5


def step(params: Any, batch: Any) -> tuple[Any, Any]:
    """One step of training, the form that a scan takes."""
    x, labels, mask = batch
    y, trace = NET.forward(params, x, [None, None, None, mask, None, None, None, None])
    E, cache = LOSS.forward(y, labels)
    _, dparams = NET.backward(params, trace, LOSS.backward(cache, 1.0))
    return manual.sgd(params, dparams, 0.1), E


def training_data(dtype: str) -> tuple[Any, Any]:
    """Initial parameters, and the batches of all steps, stacked."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(STEPS, 8, 4)).astype(dtype)
    mask = (rng.random((STEPS, 8, 6)) > 0.25).astype(dtype)
    return NET.init(1, dtype=dtype), (x, rng.integers(3, size=(STEPS, 8)), mask)


def loop(one: Callable[..., Any], params: Any, batches: Any) -> tuple[Any, list[Any]]:
    losses = []
    for k in range(STEPS):
        params, E = one(params, tuple(stacked[k, ...] for stacked in batches))
        losses.append(E)
    return params, losses


def flat(params: Any, losses: Any) -> dict[str, np.ndarray]:
    trained = {f"{i} {name}": np.asarray(p) for i, layer in enumerate(params) for name, p in layer.items()}
    return trained | {"losses": np.stack([np.asarray(E) for E in losses])}


@pytest.mark.parametrize("name", [name for name in LIBRARIES if name is not JAX_EAGER])  # slow, and jit runs its lines
def test_training(name: str, tools: Any) -> None:
    data = training_data("float64")
    expected = flat(*loop(step, *data))
    lib = library(name)
    with lib.scope:
        found = flat(*tools.each(lib.back, tuple(map(tuple, loop(lib.compiled(step), *tools.each(lib.to, data))))))
    assert expected["losses"][-1] != expected["losses"][0]
    tools.compare(found, expected, data)


@needs_jax
def test_training_in_a_scan(dtype: str, tools: Any) -> None:
    import jax

    data = training_data(dtype)
    expected = flat(*loop(step, *data))
    with jax.enable_x64(True):
        params, losses = jax.jit(lambda params, batches: jax.lax.scan(step, params, batches))(*data)
        found = flat(params, list(losses))
    tools.compare(found, expected, data, dtype=dtype)
    assert not jax.config.jax_enable_x64, "x64 outlived the test"


# No bias stands before a norm here: its gradient is nothing but rounding, of which Adam would make whole steps.
SMALL = manual.mlp([4, 6, 3], "tanh")
OPTIMIZERS = (
    manual.SGD(0.1, momentum=0.9, dampening=0.3, weight_decay=0.1),
    manual.SGD(0.1, momentum=0.9, nesterov=True),
    manual.Adam(0.1, betas=(0.9, 0.999), weight_decay=0.1),
    manual.AdamW(0.1, betas=(0.0, 0.99)),
)
each_optimizer = pytest.mark.parametrize("opt", OPTIMIZERS, ids=str)


def optimizer_step(opt: Any) -> Callable[..., Any]:
    """One step of training with an optimizer, which takes and returns its state with the parameters."""

    def step(carry: Any, batch: Any) -> tuple[Any, Any]:
        (params, state), (x, labels, _) = carry, batch
        y, trace = SMALL.forward(params, x)
        E, cache = LOSS.forward(y, labels)
        _, dparams = SMALL.backward(params, trace, LOSS.backward(cache, 1.0))
        return opt.step(params, dparams, state), E

    return step


def optimizer_data(opt: Any, dtype: str) -> tuple[Any, Any, Any]:
    """Initial parameters, batches, and what the trained parameters and the losses are on NumPy."""
    params, batches = SMALL.init(1, dtype=dtype), training_data(dtype)[1]
    (trained, state), losses = loop(optimizer_step(opt), (params, opt.initial(params)), batches)
    assert state.step == STEPS
    return params, batches, flat(trained, losses)


@pytest.mark.parametrize(("opt", "dtype"), [*zip(OPTIMIZERS, ("float32", "float64") * 2, strict=True)], ids=str)
@pytest.mark.parametrize("name", LIBRARIES)
def test_optimizer(name: str, opt: Any, dtype: str, tools: Any) -> None:
    """Every optimizer on every library in one of the two precisions; in a scan it runs in both."""
    params, batches, expected = optimizer_data(opt, dtype)
    lib = library(name)
    with lib.scope:
        params, given = tools.each(lib.to, (params, batches))
        (trained, state), losses = loop(lib.compiled(optimizer_step(opt)), (params, opt.initial(params)), given)
        assert all(type(a) is type(params[0]["W"]) for kept in state[1:] for p in kept for a in p.values())
        assert int(state.step) == STEPS
        found = flat(tools.each(lib.back, trained), [lib.back(E) for E in losses])
    tools.compare(found, expected, batches, dtype=dtype)


@needs_jax
@each_optimizer
@pytest.mark.parametrize("x64", [False, True])
def test_optimizer_in_a_scan(opt: Any, x64: bool, dtype: str, tools: Any) -> None:
    import jax

    if dtype == "float64" and not x64:
        pytest.skip("float64 needs x64")
    params, batches, expected = optimizer_data(opt, dtype)
    batches = tools.each(lambda a: a.astype("int32") if a.dtype == "int64" else a, batches)
    with jax.enable_x64(x64):
        train = jax.jit(lambda carry, batches: jax.lax.scan(optimizer_step(opt), carry, batches))
        (trained, state), losses = train((params, opt.initial(params)), batches)
        assert int(state.step) == STEPS
        found = flat(trained, list(losses))
    tools.compare(found, expected, batches, dtype=dtype)


@needs_jax
@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9, 0.999])
def test_a_traced_count_costs_adam_no_digits(beta: float) -> None:
    """In float32, 1 - 0.999^t would lose three of its seven digits at the first step."""
    import jax

    with jax.enable_x64(False):
        found = {t: float(jax.jit(lambda t: bias_correction(beta, t))(t)) for t in (1, 2, 10, 1000, 10**6)}
    for t, c in found.items():
        assert c == pytest.approx(bias_correction(beta, t), rel=4 * 2.0**-24), t


@pytest.mark.parametrize("name", LIBRARIES)
def test_gradients_by_name(name: str, tools: Any) -> None:
    """The checked front door, which is not for compiled code, on every library."""
    net, (x, labels, _) = manual.mlp([4, 5, 3], "tanh"), training_data("float64")[1]
    arguments = (net.init(0), x[0], labels[0])
    lib = library(name)
    with lib.scope:
        found = manual.gradients(net, *tools.each(lib.to, arguments), LOSS)
        found = {key: np.asarray(lib.back(value)) for key, value in found.items()}
    expected = {key: np.asarray(value) for key, value in manual.gradients(net, *arguments, LOSS).items()}
    tools.compare(found, expected)


@needs_jax
def test_what_is_asked_once_is_asked_of_numpy() -> None:
    import jax.numpy as jnp

    x, t = np.ones(3), torch.ones(3)
    assert at_hand(x) is x
    assert at_hand(t) is t
    assert type(at_hand(jnp.ones(3))) is np.ndarray
