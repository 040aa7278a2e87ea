"""A whole network as one function: a mistake in one of its layers is named; right code and noise get no name."""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from handgrad import Report, Verdict, verify_function
from handgrad.explain.diagnosis import diagnose
from handgrad.judge.compare import Evidence
from handgrad.judge.stage import Stage
from handgrad.judge.trial import Trial
from handgrad.subjects.network.stages import autograd

Sigmoid, Tanh = (lambda z: 1 / (1 + np.exp(-z)), lambda h: h * (1 - h)), (np.tanh, lambda h: 1 - h * h)
TORCH = {id(Sigmoid): torch.sigmoid, id(Tanh): torch.tanh}


class Pass(NamedTuple):
    """What a listing keeps of its forward pass."""

    x: Any
    W1: Any
    W2: Any
    h: Any
    y: Any


class Wrong(NamedTuple):
    """One line of the backward pass instead of the right one: dz2, dh, dz1, and the four (or five) results."""

    dz2: Callable[..., Any] = lambda c, f, dy: dy * f[1](c.y)
    dh: Callable[..., Any] = lambda c, f, dz2: dz2 @ c.W2
    dz1: Callable[..., Any] = lambda c, f, dh: dh * f[1](c.h)
    db1: Callable[..., Any] = lambda c, dh, dz1: dz1.sum(axis=0)


def listing(f: Any, wrong: Wrong) -> tuple[Any, Any, Any]:
    """z = f(f(x W1^T + b1) W2^T + b2) as somebody writes it: forward, backward, and the torch function."""

    def forward(x: Any, W1: Any, b1: Any, W2: Any, b2: Any) -> Any:
        h = f[0](x @ W1.T + b1)
        y = f[0](h @ W2.T + b2)
        return y, Pass(x, W1, W2, h, y)

    def backward(dy: Any, c: Pass) -> Any:
        dz2 = wrong.dz2(c, f, dy)
        dh = wrong.dh(c, f, dz2)
        dz1 = wrong.dz1(c, f, dh)
        return dz1 @ c.W1, dz1.T @ c.x, wrong.db1(c, dh, dz1), dz2.T @ c.h, dz2.sum(axis=0)

    g = TORCH[id(f)]
    return forward, backward, lambda x, W1, b1, W2, b2: g(g(x @ W1.T + b1) @ W2.T + b2)


def numbers(*shapes: tuple[int, ...], seed: int = 1, dtype: Any = np.float64) -> list[Any]:
    rng = np.random.default_rng(seed)
    return [rng.normal(size=s).astype(dtype) for s in shapes]


def name(report: Report) -> str:
    """The name given where everything is ordinary; empty for none."""
    assert report.verdict is Verdict.REFUTED, report.text()
    found = report.stages[0].diagnosis
    return found.name if found is not None and found.known else ""


SHAPES = ((5, 3), (4, 3), (4,), (2, 4), (2,))
SQUARE = ((5, 3), (3, 3), (3,), (3, 3), (3,))
HIDDEN = {
    "dW for W": (Wrong(dh=lambda c, f, dz: dz @ (dz.T @ c.h)), r"^dW2 stands where W2 belongs$", SHAPES),
    "transpose": (Wrong(dh=lambda c, f, dz: dz @ c.W2.T), r"^W2\^T stands where W2 belongs$", SQUARE),
    "W lost": (Wrong(dh=lambda c, f, dz: dz.sum(1, keepdims=True) + 0 * c.h), r"^the factor W2 is missing$", SHAPES),
    "one path": (Wrong(dh=lambda c, f, dz: dz[:, :1] @ c.W2[:1]), r"^only the path through unit 0 of layer 2", SHAPES),
    "a path lost": (Wrong(dh=lambda c, f, dz: dz[:, :2] @ c.W2[:2]), r"^the path through unit 2 of layer 2", SQUARE),
    "W lost, one path": (Wrong(dh=lambda c, f, dz: dz[:, :1] + 0 * c.h),
                         r"^the factor W2 is missing, and only the path through unit 0 of layer 2 is used$", SHAPES),
    "W and f' lost": (Wrong(dh=lambda c, f, dz: dz.sum(1, keepdims=True) + 0 * c.h, dz1=lambda c, f, dh: dh),
                      r"^the factors W2 and f'\(z\) of layer 1 are missing$", SHAPES),
    "updated": (Wrong(dh=lambda c, f, dz: dz @ (c.W2 - 0.3 * (dz.T @ c.h))),
                r"^W2 was updated before the gradient was passed back \(by 0\.3 dW2\)$", SHAPES),
    "f' lost": (Wrong(dz1=lambda c, f, dh: +dh), r"^the factor f'\(z\) is missing in layer 1$", SHAPES),
    "f' at h": (Wrong(dz1=lambda c, f, dh: dh * f[1](f[0](c.h))), r"taken at the output in layer 1$", SHAPES),
    "f' squared": (Wrong(dz1=lambda c, f, dh: dh * f[1](c.h) * f[1](c.h)), r"f'\(z\) is squared in layer 1$", SHAPES),
    "f for f'": (Wrong(dz1=lambda c, f, dh: dh * c.h), r"its derivative belongs in layer 1$", SHAPES),
    "db1": (Wrong(db1=lambda c, dh, dz: dh.sum(axis=0)), r"^f'\(z\) is missing in db1$", SHAPES),
    "db1 by fan-in": (Wrong(db1=lambda c, dh, dz: 3 * dz.sum(axis=0)), r"db1 is added up over the inputs", SHAPES),
}  # fmt: skip
OUTPUT = {
    "f' lost": (Wrong(dz2=lambda c, f, dy: +dy), r"^the factor f'\(z\) is missing in layer 2$", SHAPES),
    "f' at y": (Wrong(dz2=lambda c, f, dy: dy * f[1](f[0](c.y))), r"taken at the output in layer 2$", SHAPES),
    "f' at the outputs": (
        Wrong(dz2=lambda c, f, dy: dy * f[1](f[0](c.y)), dz1=lambda c, f, dh: dh * f[1](f[0](c.h))),
        r"^the derivative is taken at the output in every layer$", SHAPES),
}  # fmt: skip


@pytest.mark.parametrize(("f", "dtype"), [(Sigmoid, np.float64), (Tanh, np.float32)], ids=["sigmoid", "tanh"])
@pytest.mark.parametrize(
    ("table", "key"), [(t, k) for t in (HIDDEN, OUTPUT) for k in t], ids=lambda v: v if isinstance(v, str) else ""
)
def test_a_mistake_in_one_line_is_named(table: Any, key: str, dtype: Any, f: Any) -> None:
    wrong, expected, shapes = table[key]
    report = verify_function(*listing(f, wrong), numbers(*shapes, dtype=dtype), seed=3)
    assert re.search(expected, name(report)), (name(report), report.stages[0].diagnosis)
    tensors = {t.name for t in report.stages[0].isolated.tensors if t.verdict is Verdict.REFUTED}
    lower = {"db1"} if key.startswith("db1") else {"dx", "dW1", "db1"}
    assert tensors == (lower if table is HIDDEN else lower | {"dW2", "db2"})


def test_right_code_is_certified_and_noise_gets_no_name() -> None:
    for f in (Sigmoid, Tanh):
        assert verify_function(*listing(f, Wrong()), numbers(*SHAPES), seed=3).verdict is Verdict.CERTIFIED
        for seed in range(6):
            rng = np.random.default_rng(seed)
            noise = rng.uniform(0.5, 1.5, size=((5, 4), (1, 4), (5, 1))[seed % 3])
            dh, dz1 = lambda c, f, dz, n=noise: dz @ c.W2 * n, lambda c, f, dh, n=noise: dh * n
            line = {"dh": dh} if seed % 2 else {"dz1": dz1}
            assert name(verify_function(*listing(f, Wrong(**line)), numbers(*SHAPES, seed=seed), seed=seed)) == ""


def test_two_mistakes_at_once_get_no_wrong_name() -> None:
    """Two wrong lines: both told in one name, or none; never one of them alone."""
    lines = {"dh": Wrong(dh=lambda c, f, dz: dz @ (dz.T @ c.h)).dh, "dz1": Wrong(dz1=lambda c, f, dh: dh * c.h).dz1}
    report = verify_function(*listing(Sigmoid, Wrong(**lines)), numbers(*SHAPES), seed=3)
    assert name(report) == ""


def columns(wrong: bool) -> tuple[Any, Any, Any]:
    """h = f(W x + b) for samples in columns, dh1 = dw2.T dz2 where W2.T dz2 belongs."""

    def forward(x: Any, W1: Any, W2: Any, b1: Any, b2: Any) -> Any:
        h = Sigmoid[0](W1 @ x + b1)
        y = Sigmoid[0](W2 @ h + b2)
        return y, (x, W1, W2, h, y)

    def backward(dy: Any, cache: Any) -> Any:
        x, W1, W2, h, y = cache
        dz2 = dy * y * (1 - y)
        dw2 = dz2 @ h.T
        dz1 = (dw2 if wrong else W2).T @ dz2 * h * (1 - h)
        return W1.T @ dz1, dz1 @ x.T, dw2, dz1.sum(axis=1, keepdims=True), dz2.sum(axis=1, keepdims=True)

    return forward, backward, lambda x, W1, W2, b1, b2: torch.sigmoid(W2 @ torch.sigmoid(W1 @ x + b1) + b2)


def test_samples_in_columns() -> None:
    inputs = numbers((2, 3), (5, 2), (1, 5), (5, 1), (1, 1))
    assert verify_function(*columns(wrong=False), inputs, seed=1).verdict is Verdict.CERTIFIED
    report = verify_function(*columns(wrong=True), inputs, seed=1)
    assert name(report) == "dW2 stands where W2 belongs"


def from_to(spread: bool) -> tuple[Any, Any, Any]:
    """Without biases, W [from][to], and dW1 of a one-layer network."""

    def forward(x: Any, W1: Any, W2: Any) -> Any:
        h = Sigmoid[0](x @ W1)
        y = Sigmoid[0](h @ W2)
        return y, (x, W1, W2, h, y)

    def backward(dy: Any, cache: Any) -> Any:
        x, W1, W2, h, y = cache
        D2 = dy * y * (1 - y)
        D1 = D2 @ W2.T * h * (1 - h)
        dW1 = x.T @ D2
        return D1 @ W1.T, dW1 + np.zeros(W1.shape) if spread else dW1, h.T @ D2

    return forward, backward, lambda x, W1, W2: torch.sigmoid(torch.sigmoid(x @ W1) @ W2)


@pytest.mark.parametrize("spread", [True, False])
def test_the_layers_between_are_left_out(spread: bool) -> None:
    report = verify_function(*from_to(spread), numbers((6, 3), (3, 4), (4, 1)), seed=1)
    assert name(report) == "the error of the output stands where that of layer 1 belongs"


X, T = numbers((1, 3), (1, 2), seed=5)


def to_a_loss(dz2: Callable[..., Any], dh: Callable[..., Any]) -> tuple[Any, Any, Any]:
    """E of one sample, which is no input: parameters alone come in, a number comes out."""

    def forward(W1: Any, b1: Any, W2: Any, b2: Any) -> Any:
        h = np.tanh(X @ W1.T + b1)
        y = Sigmoid[0](h @ W2.T + b2)
        return 0.5 * np.sum((y - T) ** 2), Pass(X, W1, W2, h, y)

    def backward(dE: Any, c: Pass) -> Any:
        d2 = dz2(c, dE * (c.y - T))
        d1 = dh(c, d2) * (1 - c.h * c.h)
        return d1.T @ c.x, d1.sum(axis=0), d2.T @ c.h, d2.sum(axis=0)

    def reference(W1: Any, b1: Any, W2: Any, b2: Any) -> Any:
        y = torch.sigmoid(torch.tanh(torch.tensor(X) @ W1.T + b1) @ W2.T + b2)
        return 0.5 * ((y - torch.tensor(T)) ** 2).sum()

    return forward, backward, reference


def right_dz2(c: Any, dy: Any) -> Any:
    return dy * c.y * (1 - c.y)


@pytest.mark.parametrize(
    ("dz2", "dh", "expected"),
    [
        (right_dz2, lambda c, dz: dz @ (dz.T @ c.h), r"^dW2 stands where W2 belongs$"),
        (right_dz2, lambda c, dz: dz @ (c.W2 - 0.5 * (dz.T @ c.h)), r"^W2 was updated .*by 0\.5 dW2"),
        (lambda c, dy: +dy, lambda c, dz: dz @ c.W2, r"^the factor f'\(z\) of the output \(sigmoid\) is missing$"),
    ],
)
def test_a_loss_of_parameters_alone(dz2: Any, dh: Any, expected: str) -> None:
    inputs = numbers((4, 3), (4,), (2, 4), (2,))
    right = verify_function(*to_a_loss(right_dz2, lambda c, dz: dz @ c.W2), inputs, seed=2)
    assert right.verdict is Verdict.CERTIFIED
    assert re.search(expected, name(verify_function(*to_a_loss(dz2, dh), inputs, seed=2)))


def test_no_batch_size_is_read_off_a_weight() -> None:
    """W1 has 4 rows: a factor 4 is no batch size, for no batch is seen."""
    forward, backward, reference = to_a_loss(right_dz2, lambda c, dz: dz @ c.W2)
    four = lambda dE, c: [4 * g for g in backward(dE, c)]  # noqa: E731
    report = verify_function(forward, four, reference, numbers((4, 3), (4,), (2, 4), (2,)), seed=2)
    assert name(report) == "every entry is 4 times the right one"


def name_of_value(change: Callable[..., Any], out: Any = Sigmoid[0]) -> str:
    """The name of a forward pass that hands change(h) on to the output layer, and ends in another f perhaps."""
    _, _, reference = listing(Sigmoid, Wrong())
    inputs = dict(zip(("x", "W1", "b1", "W2", "b2"), numbers(*SHAPES), strict=True))
    dy = np.random.default_rng(4).normal(size=(5, 2))
    expected = lambda i, d: autograd(lambda t: reference(**t), i, d)  # noqa: E731

    def hand(i: Any, d: Any) -> Any:
        h = Sigmoid[0](i["x"] @ i["W1"].T + i["b1"])
        return {**expected(i, d), "y": out(change(h) @ i["W2"].T + i["b2"])}

    right, given = expected(inputs, dy), hand(inputs, dy)
    evidence = {k: Evidence(given[k], v, 1e-13 * np.abs(v)) for k, v in right.items()}
    found = diagnose(Trial(Stage("f", hand, expected), inputs, dy), evidence)
    assert found is not None
    return found.name if found.known else ""


def test_a_wrong_forward_pass_is_named() -> None:
    assert name_of_value(lambda h: h[:, [0, 2, 1, 3]]) == "the units 1 and 2 are exchanged on their way into layer 2"
    assert name_of_value(lambda h: h, lambda z: z) == "the activation is missing in layer 2"
    assert name_of_value(lambda h: h[:, [1, 2, 0, 3]]) == ""
    assert name_of_value(lambda h: h * 1.01) == ""


def test_one_layer_with_its_activation() -> None:
    """No depth to tell of: the names are those of a stage."""

    def forward(x: Any, W: Any, b: Any) -> Any:
        h = np.tanh(x @ W.T + b)
        return h, (x, W, h)

    def lost(dh: Any, c: Any) -> Any:
        return dh @ c[1], dh.T @ c[0], dh.sum(axis=0)

    inputs = numbers((5, 3), (4, 3), (4,))
    report = verify_function(forward, lost, lambda x, W, b: torch.tanh(x @ W.T + b), inputs, seed=1)
    assert name(report) == "the factor f'(z) is missing"
