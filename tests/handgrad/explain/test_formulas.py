"""Every row of every table a second time: the wrong formula, typed from its name with nothing but arrays.

The diagnosis looks for a row's own formula, so only a second one can tell whether it is right. Each function below
gives the rows of one table in their order, on the numbers of one stage of tables.py. A row that is not here fails.
"""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pytest

from handgrad.explain.catalogue import CATALOGUE
from tests.handgrad.explain.tables import ROWS, STAGES, Made, Tensors, numbered, place_of, spoil

Rows = Iterator[Tensors]


class Second(NamedTuple):
    """Some rows of one table on one stage."""

    label: str
    stage: str
    first: int  # the place of the first of them
    rows: Callable[[Made], Rows]


SECOND: list[Second] = []


def table(label: str, stage: str, first: int = 0) -> Callable[[Callable[[Made], Rows]], None]:
    return lambda rows: SECOND.append(Second(label, stage, first, rows))


def sigmoid(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


def mean(a: Any, axis: int = 1) -> Any:
    return a.mean(axis, keepdims=True)


def total(a: Any, axis: int = 1) -> Any:
    return a.sum(axis, keepdims=True)


@table("activations.DROPOUT", "dropout")
def dropout(made: Made) -> Rows:
    yield {"dx": made.dy}
    yield {"dx": made.dy / 0.75}


@table("activations.ANY", "tanh")
def any_activation(made: Made) -> Rows:
    dh, h = made.dy, np.tanh(made.inputs["x"])
    D = 1 - h * h
    yield {"dx": dh}
    yield {"dx": dh * (1 - np.tanh(h) ** 2)}
    yield {"dx": dh * D**2}
    yield {"dx": dh / D}
    yield {"dx": dh + D}
    yield {"dx": dh * h}


@table("activations.ANY", "clipped exponential", first=6)
def its_own_slope(made: Made) -> Rows:
    yield {"dx": made.dy * np.exp(np.minimum(made.inputs["x"], 0.3))}


@table("activations.OF, tanh", "tanh")
def tanh(made: Made) -> Rows:
    dh, z, h = made.dy, made.inputs["x"], np.tanh(made.inputs["x"])
    for D in (1 - h, 1 + h**2, 1 - z**2, h * (1 - h)):
        yield {"dx": dh * D}


@table("activations.OF, sigmoid", "sigmoid")
def of_sigmoid(made: Made) -> Rows:
    dh, z, h = made.dy, made.inputs["x"], sigmoid(made.inputs["x"])
    for D in (1 - h, h * (1 + h), h * (1 - h**2), z * (1 - z), 1 - h**2):
        yield {"dx": dh * D}


@table("activations.OF, silu", "silu")
def product_rule(made: Made) -> Rows:
    dh, z, g = made.dy, made.inputs["x"], sigmoid(made.inputs["x"])
    for D in (g, z * g * (1 - g), g + g * (1 - g)):
        yield {"dx": dh * D}


@table("general.SIGNS", "tanh")
def signs(made: Made) -> Rows:
    dz = made.dy * (1 - np.tanh(made.inputs["x"]) ** 2)
    yield {"dx": np.abs(dz)}
    yield {"dx": np.sign(dz)}


@table("general.SPREAD", "tanh")
def spread(made: Made) -> Rows:
    dz = made.dy * (1 - np.tanh(made.inputs["x"]) ** 2)
    for one in (total(dz, 0), mean(dz, 0), total(dz), mean(dz)):
        yield {"dx": one + 0 * dz}


@table("upstream.TABLE", "tanh")
def upstream(made: Made) -> Rows:
    dh, D = made.dy, 1 - np.tanh(made.inputs["x"]) ** 2
    for other in (1, dh**2, mean(dh, 0), total(dh, 0)):
        yield {"dx": other * D}


@table("linear.TABLE", "masked")
def masked(made: Made) -> Rows:
    x, W, b, dz = *(made.inputs[k] for k in ("x", "W", "b")), made.dy
    yield {"dx": dz @ W, "dW": dz.T @ x, "y": x @ W.T + b}


@table("linear.TABLE", "square", first=1)
def linear(made: Made) -> Rows:
    yield {"dx": made.dy @ made.inputs["W"].T}


@table("linear.TABLE", "square in the other layout", first=2)
def turned(made: Made) -> Rows:
    yield {"dx": made.dy @ made.inputs["W"]}


@table("linear.TABLE", "square", first=3)
def linear_outputs(made: Made) -> Rows:
    x, W, b, dz = *(made.inputs[k] for k in ("x", "W", "b")), made.dy
    yield {"dW": dz.T @ (x @ W.T + b)}
    yield {"y": x @ W + b}


@table("linear.TABLE", "square in the other layout", first=5)
def turned_forward(made: Made) -> Rows:
    yield {"y": made.inputs["x"] @ made.inputs["W"].T}


@table("linear.TABLE", "square", first=6)
def gradient_for_weight(made: Made) -> Rows:
    yield {"dx": made.dy @ (made.dy.T @ made.inputs["x"])}


@table("linear.TABLE", "square", first=8)  # row 7 takes the given dW: test_tables.py has it
def linear_too(made: Made) -> Rows:
    x, W, dz = made.inputs["x"], made.inputs["W"], made.dy
    yield {"dW": np.array([[dz[:, k].sum()] * 4 for k in range(4)])}
    yield {"db": np.array([dz.sum()] * 4)}
    yield {"db": dz.sum(axis=1)}
    yield {"y": x @ W.T}
    yield {"dx": np.array([[dz[i].sum()] * 4 for i in range(4)])}
    yield {"dx": dz * W}
    yield {"dx": dz * W.T}
    yield {"dW": dz.T * x}
    yield {"dW": dz * x}


@table("linear.FORWARD", "linear")
def forward(made: Made) -> Rows:
    x, W, b, dz = *(made.inputs[k] for k in ("x", "W", "b")), made.dy
    yield {"y": (x[:, None, :] * W + b[:, None]).sum(axis=2), "db": 5 * dz.sum(axis=0)}


@table("linear.BIAS", "block")
def bias(made: Made) -> Rows:
    yield {"db1": made.dy.sum(axis=0)}
    yield {"db1": np.array([6.0, 6.0, 6.0])}
    yield {"db1": np.ones(3)}


@table("losses.CROSS_ENTROPY", "cross-entropy")
def cross_entropy(made: Made) -> Rows:
    z, labels, w = made.inputs["x"], made.stage.constants, np.array([0.5, 2.0, 1.0, 3.0])
    one, dE = np.eye(4)[labels], made.dy / w[labels].sum()
    smooth, p = 0.9 * one + 0.1 / 4, np.exp(z) / total(np.exp(z))
    q = w * smooth
    dz = (p * total(q) - q) * dE
    yield {"dx": p * total(q) * dE}
    yield {"dx": -q * dE}
    yield {"dx": -q / p * dE}
    yield {"dx": -q * (1 - p) * dE}
    yield {"dx": p * (dz - total(dz * p))}
    yield {"dx": dz * p * (1 - p)}
    yield {"dx": (z * total(q) - q) * dE}
    yield {"dx": (p - q) * dE}
    yield {"dx": (p * total(w * one) - w * one) * dE}
    yield {"dx": (p - smooth) * made.dy / 6}


@table("losses.BINARY_CROSS_ENTROPY", "binary")
def binary_cross_entropy(made: Made) -> Rows:
    z, t = made.inputs["x"], made.stage.constants
    s, c = sigmoid(z), made.dy / z.size
    for error in (s, z - t, (s - t) * s * (1 - s), (s - t) / s / (1 - s), -t * (1 - s), (1 - t) * s):
        yield {"dx": error * c}


@table("losses.SQUARED_ERROR", "mean squared")
def squared_error(made: Made) -> Rows:
    y, t = made.inputs["x"], made.stage.constants
    for error in (y, -t, (y - t) ** 2, np.sign(y - t), y + t, y * t, np.ones_like(y)):
        yield {"dx": 2 * error * made.dy / y.size}


@table("norms.TABLE", "layer norm")
def layer_norm(made: Made) -> Rows:
    x, gamma, beta, dy = *(made.inputs[k] for k in ("x", "gamma", "beta")), made.dy
    xc, s, n = x - mean(x), np.sqrt(mean((x - mean(x)) ** 2) + 1e-5), 6
    xhat, d = xc / s, dy * gamma
    m, v = mean(d), xhat * mean(d * xhat)
    yield {"dx": d / s}
    yield {"dx": (d - v) / s}
    yield {"dx": (d - m) / s}
    yield {"dx": (dy - mean(dy) - xhat * mean(dy * xhat)) / s}
    yield {"dx": d - m - v}
    yield {"dx": (d - m - v) / s**2}
    yield {"dx": (d - m - mean(d * xhat)) / s}
    yield {"dx": (d - m - xc * mean(d * xc)) / s}
    yield {"dx": (d + m - v) / s}
    yield {"dx": (d - m + v) / s}
    yield {"dx": (d - total(d) - xhat * total(d * xhat)) / s}
    yield {"dx": dy}
    yield {"dx": (d - m - v * n / (n - 1)) / s}
    yield {"dx": (d - (m + v) * n / (n - 1)) / s}
    for wrong in (1, x, xc, gamma * xhat + beta, gamma * xhat):
        yield {"dgamma": (dy * wrong).sum(axis=0)}
    yield {"dbeta": (dy * gamma).sum(axis=0)}
    yield {"dbeta": (dy * xhat).sum(axis=0)}


@table("norms.FROZEN_TABLE", "frozen")
def frozen(made: Made) -> Rows:
    x, gamma, dy, running = made.inputs["x"], made.inputs["gamma"], made.dy, made.stage.constants
    s, d = np.sqrt(running.var + 1e-5), dy * gamma
    xhat = (x - running.mean) / s
    yield {"dx": (d - mean(d, 0) - xhat * mean(d * xhat, 0)) / s}
    yield {"dx": dy / s}
    yield {"dx": d}
    yield {"dx": d / s**2}
    yield {"dgamma": dy.sum(axis=0)}
    yield {"dgamma": (dy * x).sum(axis=0)}


@table("softmax.TABLE", "softmax")
def softmax(made: Made) -> Rows:
    p, dp = np.exp(made.inputs["x"]) / total(np.exp(made.inputs["x"])), made.dy
    s = total(dp * p)
    dz = p * (dp - s)
    for wrong in (
        dp * p * (1 - p), p * dp, dp - s, p * (dz - total(dz * p)), dp, p * (dp - mean(dp * p)), p * (dp - total(dp)),
        p * (dp + s), p * (dp - total(dp * p, 0)), p * (dp - (dp * p).sum()),
    ):  # fmt: skip
        yield {"dx": wrong}


class Net(NamedTuple):
    """h1 = tanh(x W1^T + b1), h2 = sigmoid(h1 W2^T + b2), and their right backward pass."""

    x: Any
    W1: Any
    b1: Any
    W2: Any
    b2: Any
    dh2: Any

    @property
    def h1(self) -> Any:
        return np.tanh(self.x @ self.W1.T + self.b1)

    @property
    def h2(self) -> Any:
        return sigmoid(self.h1 @ self.W2.T + self.b2)

    @property
    def dz2(self) -> Any:
        return self.dh2 * self.h2 * (1 - self.h2)

    def back(self, dz2: Any = None, dh1: Any = None, dz1: Any = None) -> Tensors:
        """The backward pass from one of these on, where it is wrong."""
        dz2 = self.dz2 if dz2 is None else dz2
        dh1 = dz2 @ self.W2 if dh1 is None else dh1
        dz1 = dh1 * (1 - self.h1**2) if dz1 is None else dz1
        return {"dW2": dz2.T @ self.h1, "db2": dz2.sum(0), "dW1": dz1.T @ self.x, "db1": dz1.sum(0)}


def net(made: Made) -> Net:
    return Net(**made.inputs, dh2=made.dy)


@table("network.DZ", "square network")
def wrong_dz(made: Made) -> Rows:
    n = net(made)
    D, at_output = n.h2 * (1 - n.h2), sigmoid(n.h2) * (1 - sigmoid(n.h2))
    for slope in (1, at_output, D**2, n.h2):
        yield n.back(dz2=n.dh2 * slope)


@table("network.DH", "square network")
def wrong_dh(made: Made) -> Rows:
    n = net(made)
    for dh1 in (n.dz2 @ (n.dz2.T @ n.h1), total(n.dz2) + np.zeros((3, 3)), n.dz2 @ n.W2.T, n.dz2 * n.W2):
        yield n.back(dh1=dh1)


@table("network.PATHS", "square network")
def wrong_paths(made: Made) -> Rows:
    n = net(made)
    path = np.outer(n.dz2[:, 1], n.W2[1])
    for dh1 in (path, n.dz2[:, [1]] + np.zeros((3, 3)), n.dz2 @ n.W2 - path):
        yield n.back(dh1=dh1)


@table("network.PARAMETERS", "square network")
def wrong_parameters(made: Made) -> Rows:
    n = net(made)
    yield {"dW2": np.array([[s] * 3 for s in n.dz2.sum(axis=0)])}
    yield {"dW2": n.dz2.T @ n.h2}
    yield {"db1": (n.dz2 @ n.W2).sum(axis=0)}
    yield {"db2": 3 * n.dz2.sum(axis=0)}


@table("network.OUTPUT", "network in a loss")
def wrong_output(made: Made) -> Rows:
    n = Net(np.array([[0.3, -0.8, 1.1]]), **made.inputs, dh2=None)
    n = n._replace(dh2=made.dy * (n.h2 - 0.3))
    for slope in (1, (n.h2 * (1 - n.h2)) ** 2, sigmoid(n.h2) * (1 - sigmoid(n.h2))):
        yield n.back(dz2=n.dh2 * slope)


@cache
def made_on(stage: str) -> dict[str, list[Tensors]]:
    """What the catalogue makes on this stage, by the place of the row."""
    found: dict[str, list[Tensors]] = {}
    with numbered():
        for source in CATALOGUE:
            for name, tensors in spoil(STAGES[stage], source):
                if (place := place_of(name)) is not None:
                    found.setdefault(place, []).append(tensors)
    return found


def same(found: Tensors, expected: Tensors) -> bool:
    """Whether these tensors are the same but for the rounding of two ways to write a formula."""
    pairs = [(found[k], v) for k, v in expected.items()]
    return all(a.shape == b.shape and np.allclose(a, b, rtol=1e-9, atol=1e-12) for a, b in pairs)


@pytest.mark.parametrize("second", SECOND, ids=lambda second: f"{second.label}, {second.stage}")
def test_every_row_is_what_its_name_says(second: Second) -> None:
    for i, expected in enumerate(second.rows(STAGES[second.stage]), second.first):
        place = f"{second.label} {i}"
        made = made_on(second.stage).get(place, [])
        assert any(same(tensors, expected) for tensors in made), f"row <{place}> is not what its name says"


def test_every_row_is_here() -> None:
    here = {f"{s.label} {i}" for s in SECOND for i, _ in enumerate(s.rows(STAGES[s.stage]), s.first)}
    assert sorted(map(str, ROWS - here)) == [], "rows without their formula here: type it once more"
