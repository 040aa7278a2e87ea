"""Every entry of the catalogue: planted as a wrong backward pass in a real layer, it is named."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest

import manual
from handgrad.explain.diagnosis import Diagnosis, diagnose
from handgrad.judge.judge import judge
from handgrad.judge.stage import Stage
from handgrad.judge.trial import Trial
from handgrad.judge.verdict import Verdict
from handgrad.subjects.network.stages import layer_stage, loss_stage
from manual import ACTIVATIONS
from manual.layers.gelu import tanh_of_cubic
from manual.layers.sigmoid import sigmoid

DTYPES = (np.float32, np.float64)
SPREADS = (1e-3, 0.1, 10.0, 300.0)
Change = Callable[..., Any]


class Made(NamedTuple):
    stage: Stage
    inputs: dict[str, Any]
    dy: Any


def wrong_layer(layer: Any, change: Change) -> Any:
    """The layer with change(self, params, cache, dy, dx, grads) after its backward pass."""
    base = type(layer)

    def backward(self: Any, params: Any, cache: Any, dy: Any) -> Any:
        dx, grads = base.backward(self, params, cache, dy)
        return change(self, params, cache, dy, dx, grads)

    cls = type(f"Wrong{base.__name__}", (base,), {"backward": backward})
    made = object.__new__(cls)
    made.__dict__.update(layer.__dict__)
    return made


def layer_case(
    layer: Any,
    change: Change,
    rng: np.random.Generator,
    dtype: Any,
    N: int,
    n: int,
    state: Any = None,
    spread: float = 1.0,
) -> Made:
    params = {k: rng.normal(size=s).astype(dtype) for k, s in layer.param_shapes.items()}
    x = rng.normal(size=(N, n)).astype(dtype)
    dy = rng.normal(size=layer.forward(params, x, *(() if state is None else (state,)))[0].shape).astype(dtype)
    return Made(layer_stage("stage", wrong_layer(layer, change), state), {"x": x, **params}, dy)


def named(made: Made) -> Diagnosis | None:
    judged = judge(Trial(*made))
    report = judged.report
    evidence = judged.evidence
    if report.verdict is Verdict.CERTIFIED:
        return None
    return diagnose(Trial(*made), evidence)


def only(key: str, f: Callable[..., Any]) -> Change:
    """A change of one tensor: f(params, cache, dy, right)."""

    def change(self: Any, p: Any, c: Any, dy: Any, dx: Any, g: Any) -> Any:
        return (f(p, c, dy, dx), g) if key == "dx" else (dx, {**g, key: f(p, c, dy, g[key])})

    return change


def every(f: Callable[[Any], Any]) -> Change:
    return lambda self, p, c, dy, dx, g: (f(dx), {k: f(v) for k, v in g.items()})


def with_upstream(f: Callable[[Any], Any]) -> Change:
    return lambda self, p, c, dy, dx, g: type(self).__mro__[1].backward(self, p, c, f(dy))


def drop_row(i: int) -> Change:
    def change(self: Any, p: Any, c: Any, dy: Any, dx: Any, g: Any) -> Any:
        keep = np.arange(dy.shape[0]) != i
        return dx, {"dW": dy[keep].T @ c.x[keep], "db": dy[keep].sum(axis=0)}

    return change


def row(i: int) -> Change:
    return lambda self, p, c, dy, dx, g: (dx, {"dW": dy[i : i + 1].T @ c.x[i : i + 1], "db": dy[i : i + 1].sum(axis=0)})


def eye_like(a: Any, i: int) -> Any:
    """Ones but for row i, which is zero."""
    keep = np.ones((a.shape[0], 1))
    keep[i] = 0
    return keep


LINEAR = {
    "2": (every(lambda v: 2 * v), r"2 times"),
    "1/2": (every(lambda v: 0.5 * v), r"0\.5 times"),
    "-1": (every(lambda v: -v), r"-1 times"),
    "lr on dx": (only("dx", lambda p, c, dy, v: 0.01 * v), r"0\.01 times"),
    "lr on all": (every(lambda v: 0.03 * v), r"0\.03 times"),
    "bias mean": (only("db", lambda p, c, dy, v: v / dy.shape[0]), r"1/N"),
    "N": (every(lambda v: v * 7), r"N, the batch size"),
    "N/(N-1)": (only("dW", lambda p, c, dy, v: v * (7 / 6)), r"N/\(N-1\)"),
    "(N-1)/N": (only("dW", lambda p, c, dy, v: v * (6 / 7)), r"\(N-1\)/N"),
    "outputs": (only("dx", lambda p, c, dy, v: v / p["W"].shape[0]), r"1 over the number of outputs"),
    "batch x outputs": (every(lambda v: v / 28), r"1 over batch size times outputs"),
    "fan-in": (only("db", lambda p, c, dy, v: v * 5), r"the number of inputs"),
    "zero": (only("db", lambda p, c, dy, v: 0 * v), r"the gradient is zero"),
    "zero dx": (only("dx", lambda p, c, dy, v: 0 * v), r"the gradient is zero"),
    "rows reversed": (only("dW", lambda p, c, dy, v: v[::-1]), r"the rows are permuted"),
    "columns rolled": (only("dx", lambda p, c, dy, v: v[:, [4, 0, 1, 2, 3]]), r"the columns are permuted"),
    "row left out": (only("dx", lambda p, c, dy, v: v * eye_like(v, 3)), r"row 3 .* left out"),
    "last sample dropped": (drop_row(6), r"sample 6 \(the last\) is left out"),
    "a sample dropped": (drop_row(2), r"sample 2 is left out"),
    "last sample only": (row(6), r"only sample 6 \(the last\)"),
    "first sample only": (row(0), r"only sample 0 \(the first\)"),
    "dW for W": (only("dx", lambda p, c, dy, v: dy @ (dy.T @ c.x)), r"dW stands where W"),
    "update first": (only("dx", lambda p, c, dy, v: dy @ (p["W"] - 0.5 * (dy.T @ c.x))), r"by 0\.5 dW"),
    "small update": (only("dx", lambda p, c, dy, v: dy @ (p["W"] - 0.01 * (dy.T @ c.x))), r"by 0\.01 dW"),
    "decay": (only("dW", lambda p, c, dy, v: v + 0.001 * p["W"]), r"^0\.001 W is added"),
    "ones": (with_upstream(lambda dy: 1 + 0 * dy), r"upstream gradient is ignored"),
    "squared upstream": (with_upstream(lambda dy: dy * dy), r"upstream gradient is used twice"),
    "path": (only("dx", lambda p, c, dy, v: v - dy[:, 2:3] @ p["W"][2:3]), r"path through unit 2 is not summed"),
    "one path": (only("dx", lambda p, c, dy, v: dy[:, 1:2] @ p["W"][1:2]), r"only the path through unit 1"),
    "x missing": (only("dW", lambda p, c, dy, v: dy.T @ (0 * c.x + 1)), r"the factor x is missing"),
    "db total": (only("db", lambda p, c, dy, v: 0 * v + dy.sum()), r"summed over the units as well"),
    "db one": (only("db", lambda p, c, dy, v: 0 * v + 1), r"dz/db = 1"),
    "dW transposed": (only("dW", lambda p, c, dy, v: v.T), r"transposed"),
    "db per sample": (only("db", lambda p, c, dy, v: dy), r"not reduced over the batch"),
    "db as row": (only("db", lambda p, c, dy, v: v[None, :]), r"another shape"),
    "dx summed": (only("dx", lambda p, c, dy, v: v.sum(axis=0)), r"the sum over the batch where none"),
    "dx averaged": (only("dx", lambda p, c, dy, v: 0 * v + v.mean(axis=0)), r"the mean over the rows"),
    "clipped": (only("dW", lambda p, c, dy, v: np.clip(v, -1.0, 1.0)), r"clipped at 1|only the sign is left"),
}  # fmt: skip
SQUARE = {
    "W^T": (only("dx", lambda p, c, dy, v: dy @ p["W"].T), r"W\^T stands where W"),
    "dW transposed": (only("dW", lambda p, c, dy, v: v.T), r"transposed"),
    "y for x": (only("dW", lambda p, c, dy, v: dy.T @ (c.x @ p["W"].T + p["b"])), r"the output stands where the input"),
}
MASKED = {
    "mask in dW": (only("dW", lambda p, c, dy, v: dy.T @ c.x), r"mask is forgotten"),
    "mask in dx": (only("dx", lambda p, c, dy, v: dy @ p["W"]), r"mask is forgotten"),
    "mask": (lambda s, p, c, dy, dx, g: (dy @ p["W"], {**g, "dW": dy.T @ c.x}), r"mask is forgotten"),
}


def dz(f: Callable[..., Any]) -> Change:
    """A wrong dz = f(cache, dh, right dz)."""
    return lambda self, p, c, dh, dx, g: (f(c, dh, dx), g)


def of(name: str) -> Change:
    """The backward pass of another activation, on the z that the cache has or that h gives back."""

    def change(self: Any, p: Any, c: Any, dh: Any, dx: Any, g: Any) -> Any:
        f = ACTIVATIONS[name]
        with np.errstate(divide="ignore"):
            z = c.h + np.log(-np.expm1(-c.h)) if hasattr(c, "h") else c.z  # softplus keeps h alone
        return f.backward({}, f.forward({}, z)[1], dh)

    return change


MISSING = r"the factor f'\(z\) is missing"
TANH = {
    "missing": (dz(lambda c, dh, v: dh), MISSING),
    "square": (dz(lambda c, dh, v: dh * (1 - c.h)), r"the square is missing"),
    "sign": (dz(lambda c, dh, v: dh * (1 + c.h * c.h)), r"sign of h\^2"),
    "at output": (dz(lambda c, dh, v: dh * (1 - np.tanh(c.h) ** 2)), r"taken at the output"),
    "f for f'": (dz(lambda c, dh, v: dh * c.h), r"activation stands where its derivative"),
    "squared": (dz(lambda c, dh, v: dh * (1 - c.h * c.h) * (1 - c.h * c.h)), r"f'\(z\) is squared"),
    "sigmoid": (dz(lambda c, dh, v: dh * (c.h * (1 - c.h))), r"sigmoid's derivative is used for tanh"),
    "ignored": (dz(lambda c, dh, v: 1 - c.h * c.h), r"upstream gradient is ignored"),
    "twice": (dz(lambda c, dh, v: v * dh), r"upstream gradient is used twice"),
    "added": (dz(lambda c, dh, v: dh + (1 - c.h * c.h)), r"f'\(z\) is added"),
    "minus": (dz(lambda c, dh, v: -v), r"-1 times"),
    "batch sum": (dz(lambda c, dh, v: 0 * v + v.sum(axis=0)), r"the sum over the rows"),
}
SIGMOID = {
    "missing": (dz(lambda c, dh, v: dh), MISSING),
    "h missing": (dz(lambda c, dh, v: dh * (1 - c.h)), r"the factor h is missing"),
    "f for f'": (dz(lambda c, dh, v: dh * c.h), r"activation stands where its derivative"),
    "tanh": (dz(lambda c, dh, v: dh * (1 - c.h * c.h)), r"derivative of tanh is used"),
    "squared": (dz(lambda c, dh, v: v * (c.h * (1 - c.h))), r"f'\(z\) is squared"),
    "at output": (dz(lambda c, dh, v: dh * (1 / (1 + np.exp(-c.h)) * (1 - 1 / (1 + np.exp(-c.h))))), r"at the output"),
}
SILU = {
    "first term": (dz(lambda c, dh, v: dh * sigmoid(c.z)), r"term of the product rule"),
    "second term": (dz(lambda c, dh, v: dh * (c.z * (sigmoid(c.z) * (1 - sigmoid(c.z))))), r"term of the product rule"),
    "gelu": (of("gelu"), r"backward pass is that of gelu\b"),
    "relu": (of("relu"), r"backward pass is that of relu\b"),
    "factor": (
        dz(lambda c, dh, v: dh * (sigmoid(c.z) + sigmoid(c.z) * (1 - sigmoid(c.z)))),
        r"factor of the product rule",
    ),
}
GELU = {"tanh": (of("gelu_tanh"), r"that of gelu_tanh\b"), "silu": (of("silu"), r"that of silu( or|$)")}
GELU_TANH = {
    "exact": (of("gelu"), r"that of gelu\b"),
    "f for f'": (dz(lambda c, dh, v: dh * (0.5 * c.z * (1 + tanh_of_cubic(c.z)))), r"stands"),
}
SOFTPLUS = {"tanh": (of("tanh"), r"that of tanh\b"), "missing": (dz(lambda c, dh, v: dh), MISSING),
            "again": (of("softplus"), r"")}  # fmt: skip
LEAKY = {
    "relu": (of("relu"), r"that of relu"),
    "slope": (dz(lambda c, dh, v: np.where(c.z > 0, dh, 0.1 * dh)), r"slope below zero is 0\.1"),
    "missing": (dz(lambda c, dh, v: dh), MISSING),
}
RELU = {
    "missing": (dz(lambda c, dh, v: dh), MISSING),
    "f for f'": (dz(lambda c, dh, v: dh * c.h), r"activation stands where"),
    "leaky": (dz(lambda c, dh, v: np.where(c.h > 0, dh, 0.01 * dh)), r"that of leaky_relu"),
    "at zero too": (dz(lambda c, dh, v: dh * dh * (c.h > 0)), r"used twice"),
}
SOFTMAX = {
    "diagonal": (dz(lambda c, dp, v: dp * (c.p * (1 - c.p))), r"only the diagonal"),
    "no sum": (dz(lambda c, dp, v: c.p * dp), r"sum over the classes is missing"),
    "twice": (dz(lambda c, dp, v: c.p * (v - np.sum(v * c.p, axis=1, keepdims=True))), r"applied twice"),
    "missing": (dz(lambda c, dp, v: dp), r"Jacobian is missing"),
    "batch": (dz(lambda c, dp, v: c.p * (dp - np.sum(dp * c.p, axis=0, keepdims=True))), r"sum runs over the batch"),
    "p missing": (dz(lambda c, dp, v: dp - np.sum(dp * c.p, axis=1, keepdims=True)), r"factor p is missing"),
    "mean": (dz(lambda c, dp, v: c.p * (dp - np.mean(dp * c.p, axis=1, keepdims=True))), r"mean over the classes"),
}


def norm_dx(axis: int, f: Callable[..., Any]) -> Change:
    """A wrong dx = f(dxhat, xhat, s, mean)."""

    def change(self: Any, p: Any, c: Any, dy: Any, dx: Any, g: Any) -> Any:
        return f(dy * p["gamma"], c.xhat, c.s, lambda a: np.mean(a, axis=axis, keepdims=True)), g

    return change


def norms(axis: int) -> dict[str, tuple[Change, str]]:
    return {
        "constants": (norm_dx(axis, lambda d, xh, s, m: d / s), r"treated as constants"),
        "no mean": (norm_dx(axis, lambda d, xh, s, m: (d - xh * m(d * xh)) / s), r"path through the mean"),
        "no variance": (norm_dx(axis, lambda d, xh, s, m: (d - m(d)) / s), r"path through the variance"),
        "no s": (norm_dx(axis, lambda d, xh, s, m: d - m(d) - xh * m(d * xh)), r"division by s is missing"),
        "variance": (norm_dx(axis, lambda d, xh, s, m: (d - m(d) - xh * m(d * xh)) / (s * s)), r"divided by the var"),
        "sign": (norm_dx(axis, lambda d, xh, s, m: (d - m(d) + xh * m(d * xh)) / s), r"a sign in dx"),
        "xhat": (norm_dx(axis, lambda d, xh, s, m: (d - m(d) - m(d * xh)) / s), r"xhat is missing before"),
        "dgamma": (only("dgamma", lambda p, c, dy, v: dy.sum(axis=0)), r"xhat is missing in dgamma"),
        "dbeta": (only("dbeta", lambda p, c, dy, v: (dy * p["gamma"]).sum(axis=0)), r"multiplied into dbeta"),
        "dbeta mean": (only("dbeta", lambda p, c, dy, v: dy.mean(axis=0)), r"1/N"),
        "upstream": (with_upstream(lambda dy: 1 + 0 * dy), r"upstream gradient is ignored"),
        "sample": (with_upstream(lambda dy: dy * eye_like(dy, 1)), r"sample 1 is left out|row 1 .* left out"),
    }


FROZEN = {
    "trained": (norm_dx(0, lambda d, xh, s, m: (d - m(d) - xh * m(d * xh)) / s), r"training's backward"),
    "no s": (norm_dx(0, lambda d, xh, s, m: d), r"division by s is missing"),
    "gamma": (lambda self, p, c, dy, dx, g: (dy / c.s, g), r"gamma is forgotten"),
}
DROPOUT = {
    "mask": (dz(lambda c, dh, v: dh), r"mask is not applied"),
    "scale": (dz(lambda c, dh, v: v * 0.75), r"1 - p"),
    "twice": (dz(lambda c, dh, v: v / 0.75), r"1 / \(1 - p\)"),
}


def layers() -> dict[str, tuple[dict[str, tuple[Change, str]], Callable[..., Made]]]:
    """Every table of plants, and how its stage is made."""
    act = lambda f: lambda change, rng, dt: layer_case(f, change, rng, dt, 5, 6)  # noqa: E731
    mask = np.array([[1, 0, 1], [0, 1, 1], [1, 1, 0], [1, 1, 1]])

    def frozen(change: Change, rng: np.random.Generator, dt: Any) -> Made:
        state = manual.Running(rng.normal(size=4).astype(dt), rng.uniform(0.5, 3, size=4).astype(dt))
        return layer_case(manual.BatchNorm1d(4), change, rng, dt, 6, 4, state)

    def dropped(change: Change, rng: np.random.Generator, dt: Any) -> Made:
        state = (rng.random((6, 7)) < 0.75).astype(dt)
        return layer_case(manual.Dropout(0.25), change, rng, dt, 6, 7, state)

    return {
        "linear": (LINEAR, lambda change, rng, dt: layer_case(manual.Linear(5, 4), change, rng, dt, 7, 5)),
        "square": (SQUARE, lambda change, rng, dt: layer_case(manual.Linear(4, 4), change, rng, dt, 6, 4)),
        "masked": (MASKED, lambda change, rng, dt: layer_case(manual.Linear(3, 4, mask=mask), change, rng, dt, 6, 3)),
        "tanh": (TANH, act(manual.Tanh())),
        "sigmoid": (SIGMOID, act(manual.Sigmoid())),
        "silu": (SILU, act(manual.SiLU())),
        "gelu": (GELU, act(manual.GELU())),
        "gelu_tanh": (GELU_TANH, act(manual.GELUTanh())),
        "softplus": (SOFTPLUS, act(manual.Softplus())),
        "leaky": (LEAKY, act(manual.LeakyReLU())),
        "relu": (RELU, act(manual.ReLU())),
        "softmax": (SOFTMAX, act(manual.Softmax())),
        "layer_norm": (norms(1), act(manual.LayerNorm(6))),
        "batch_norm": (norms(0), act(manual.BatchNorm1d(6))),
        "frozen": (FROZEN, frozen),
        "dropout": (DROPOUT, dropped),
    }


PLANTS = [(k, name) for k, (table, _) in layers().items() for name in table]


@pytest.mark.parametrize(("dtype", "seed"), [(np.float32, 101), (np.float64, 202)])
@pytest.mark.parametrize(("kind", "name"), PLANTS, ids=lambda v: v)
def test_a_planted_mistake_is_named(kind: str, name: str, dtype: Any, seed: int) -> None:
    table, make = layers()[kind]
    change, expected = table[name]
    found = named(make(change, np.random.default_rng(seed), dtype))
    if not expected:
        assert found is None
        return
    assert found is not None
    assert found.known, found
    assert re.search(expected, found.name), found


@pytest.mark.parametrize("part", [0, 1])
@pytest.mark.parametrize("spread", SPREADS)
def test_no_wrong_name_at_inputs_of_any_size(spread: float, part: int) -> None:
    """Tiny inputs make formulas alike, huge ones saturate them: then no name, or all that fit, the planted too.

    Every mistake at every size, in one of the two precisions, by turns.
    """
    counts = {"right": 0, "unknown": 0, "no difference": 0}
    wrong = []
    dtype = DTYPES[(SPREADS.index(spread) + part) % 2]
    plants = PLANTS[part::2]
    for kind, name in plants:
        table, make = layers()[kind]
        change, expected = table[name]
        made = make(change, np.random.default_rng(909), dtype)
        x = made.inputs["x"]
        found = named(made._replace(inputs={**made.inputs, "x": x * x.dtype.type(spread)}))
        if found is None:
            counts["no difference"] += 1
        elif not found.known:
            counts["unknown"] += 1
        elif re.search(expected, found.name):
            counts["right"] += 1
        else:
            wrong.append((kind, name, found.name))
    assert wrong == []
    assert counts["right"] > 0.7 * len(plants), counts


def q(c: Any) -> Any:
    return manual.SoftmaxCrossEntropy().weighted(*c)[0]


def D(c: Any) -> Any:
    return manual.SoftmaxCrossEntropy().weighted(*c)[1]


CROSS_ENTROPY = {
    "target": (lambda c, dE, v, t: dE * (c.p / D(c)), r"target is not subtracted"),
    "softmax": (lambda c, dE, v, t: dE * (-q(c) / D(c)), r"the softmax is missing"),
    "probabilities": (lambda c, dE, v, t: dE * (-q(c) / c.p / D(c)), r"gradient of the probabilities"),
    "diagonal": (lambda c, dE, v, t: dE * (-q(c) * (1 - c.p) / D(c)), r"only the diagonal"),
    "twice": (lambda c, dE, v, t: c.p * (v - np.sum(v * c.p, axis=1, keepdims=True)), r"applied twice"),
    "factor": (lambda c, dE, v, t: v * (c.p * (1 - c.p)), r"a factor p \(1 - p\) too many"),
    "sum": (lambda c, dE, v, t: v * 6, r"N, the batch size"),
    "classes": (lambda c, dE, v, t: v / 4, r"1 over the number of outputs"),
    "upstream": (lambda c, dE, v, t: v / dE, r"upstream gradient is ignored"),
}
BINARY = {
    "target": (lambda c, dE, v, t: dE / 24 * sigmoid(c.z), r"target is not subtracted"),
    "sigmoid": (lambda c, dE, v, t: dE / 24 * (c.z - c.t), r"the sigmoid is missing"),
    "factor": (lambda c, dE, v, t: v * (sigmoid(c.z) * (1 - sigmoid(c.z))), r"too many"),
    "zeros": (lambda c, dE, v, t: dE / 24 * (-c.t * (1 - sigmoid(c.z))), r"term of the zeros"),
    "sum": (lambda c, dE, v, t: v * 24, r"batch size times outputs"),
}
SQUARED = {
    "target": (lambda c, dE, v, t: dE * (c.e + t), r"target is not subtracted"),
    "squared": (lambda c, dE, v, t: dE * c.e * c.e, r"the error is squared"),
    "absolute": (lambda c, dE, v, t: dE * np.sign(c.e), r"derivative of the absolute error"),
    "2": (lambda c, dE, v, t: 2 * v, r"2 times"),
    "sign": (lambda c, dE, v, t: -v, r"-1 times"),
    "upstream": (lambda c, dE, v, t: c.e + 0, r"upstream gradient is ignored"),
}
LOSSES = {
    "cross_entropy": (CROSS_ENTROPY, manual.SoftmaxCrossEntropy()),
    "binary": (BINARY, manual.BinaryCrossEntropy()),
    "squared": (SQUARED, manual.HalfSquaredError()),
}


def loss_case(loss: Any, change: Callable[..., Any], rng: np.random.Generator, dtype: Any, target: Any = None) -> Made:
    base = type(loss)
    t = rng.random(size=(6, 4)) if target is None else target
    t = (t / t.sum(axis=1, keepdims=True)).astype(dtype) if target is None else t

    def backward(self: Any, cache: Any, dE: Any) -> Any:
        return change(cache, dE, base.backward(self, cache, dE), t)

    made = object.__new__(type(f"Wrong{base.__name__}", (base,), {"backward": backward}))
    made.__dict__.update(loss.__dict__)
    return Made(loss_stage("E", made, t), {"x": rng.normal(size=(6, 4)).astype(dtype)}, np.asarray(0.75, dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("kind", "name"), [(k, n) for k, (table, _) in LOSSES.items() for n in table], ids=lambda v: v)
def test_a_mistake_in_a_loss_is_named(kind: str, name: str, dtype: Any) -> None:
    table, loss = LOSSES[kind]
    change, expected = table[name]
    found = named(loss_case(loss, change, np.random.default_rng(303), dtype))
    assert found is not None
    assert found.known, found
    assert re.search(expected, found.name), found


@pytest.mark.parametrize(
    ("option", "expected"), [("label_smoothing", "label smoothing is"), ("class_weights", "weights are")]
)
def test_forgotten_options_of_the_loss_are_named(option: str, expected: str) -> None:
    loss = manual.SoftmaxCrossEntropy(**{"label_smoothing": 0.1, "class_weights": (0.5, 2.0, 1.0, 3.0)})
    without = manual.SoftmaxCrossEntropy(
        label_smoothing=0.0 if option == "label_smoothing" else 0.1,
        class_weights=None if option == "class_weights" else (0.5, 2.0, 1.0, 3.0),
    )
    rng, labels = np.random.default_rng(404), np.array([0, 3, 1, 2, 2, 0])

    class Forgetful(manual.SoftmaxCrossEntropy):
        def backward(self, cache: Any, dE: Any) -> Any:
            return without.backward(cache, dE)

    subject = Forgetful(label_smoothing=0.1, class_weights=loss.class_weights)
    made = Made(loss_stage("E", subject, labels), {"x": rng.normal(size=(6, 4))}, np.asarray(-1.25))
    found = named(made)
    assert found is not None
    assert found.known, found
    assert expected in found.name


def test_the_value_at_a_kink_is_named_and_its_convention_told() -> None:
    rng = np.random.default_rng(505)
    z = rng.normal(size=(5, 4))
    z[[0, 2, 3], [1, 1, 0]] = 0
    dy = rng.normal(size=(5, 4))
    right = layer_stage("h", manual.ReLU())
    one = replace(right, hand=lambda i, d: {**right.hand(i, d), "dx": d * (i["x"] >= 0)})
    found = named(Made(one, {"x": z}, dy))
    assert found is not None
    assert found.known
    assert found.name == "another value at the kink"
    assert "slope 0 on its left and 1 on its right; here 1 is used" in found.explanation


@pytest.mark.parametrize("name", ["relu", "silu", "softplus"])
def test_another_forward_pass_is_named(name: str) -> None:
    stage = layer_stage("h", manual.Tanh())
    other = layer_stage("h", manual.ACTIVATIONS[name])
    rng = np.random.default_rng(606)
    made = Made(replace(stage, hand=other.hand), {"x": rng.normal(size=(4, 5))}, rng.normal(size=(4, 5)))
    found = named(made)
    assert found is not None
    assert (found.name, found.tensor) == (f"the forward pass is that of {name}", "y, dx")


def test_a_forgotten_bias_is_named() -> None:
    stage = layer_stage("z", manual.Linear(3, 4))
    rng = np.random.default_rng(707)
    inputs = {"x": rng.normal(size=(6, 3)), "W": rng.normal(size=(4, 3)), "b": rng.normal(size=4)}
    without = replace(stage, hand=lambda i, dy: {**stage.hand(i, dy), "y": i["x"] @ i["W"].T})
    found = named(Made(without, inputs, rng.normal(size=(6, 4))))
    assert found is not None
    assert (found.name, found.equation) == ("the bias is forgotten", "linear.z")
