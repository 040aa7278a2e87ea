"""Ando Ki's mistakes in print: each formula as printed goes to the judge, and so does the right one."""

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from handgrad import verify, verify_function
from handgrad.course.lecture import Erratum
from handgrad.course.text import errata_main
from handgrad.judge.verdict import Verdict
from handgrad.lectures.ando_ki_neurons import CHAIN, NEURON
from handgrad.lectures.ando_ki_train import X, Y, start
from handgrad.report.report import Report
from manual import (
    Array,
    Grads,
    HalfSquaredError,
    Layer,
    Linear,
    Network,
    Params,
    Sigmoid,
    SquaredError,
    Tanh,
    mlp,
)
from manual.layers.linear import LinearCache
from manual.layers.sigmoid import SigmoidCache, sigmoid
from manual.layers.tanh import TanhCache

SSE, HALF = SquaredError(), HalfSquaredError()
LISTING = mlp([3, 4, 1], "sigmoid", "sigmoid", bias=False)
TANH = mlp([3, 4, 1], "tanh", "tanh", bias=False)
NEURONS = mlp([2, 1, 1], "sigmoid", "sigmoid")
SQUARE = mlp([2, 2, 2, 2], "tanh", "tanh")
BATCH = np.array([[0.5, -1.0, 2.0], [1.5, 0.25, -0.5], [-0.75, 1.0, 0.5], [0.1, 0.9, -1.2]])


def instead(net: Network, layers: dict[int, Layer]) -> Network:
    """The network with some of its layers replaced."""
    return Network(tuple(layers.get(i, layer) for i, layer in enumerate(net.layers)))


# E1: the derivative on the activation slide


def tanh_as_printed(z: Any) -> Any:
    """[(e^z + e^-z) x (e^z + e^-z) + (e^z + e^-z)] / (e^z + e^-z), which is 2 cosh z + 1."""
    s = np.exp(z) + np.exp(-z)
    return (s * s + s) / s


def tanh_derivative() -> Erratum:
    z = np.array([[-2, -1, -0.5, 0, 0.5], [1, 2, 3, 0.1, -3]])

    def judged(derivative: Callable[[Any], Any]) -> Report:
        return verify_function(np.tanh, lambda dh, z: dh * derivative(z), torch.tanh, [z], seed=1, name="tanh")

    return Erratum(
        "A-E1",
        "d tanh(z)/dz = [(e^z + e^-z) (e^z + e^-z) + (e^z + e^-z)] / (e^z + e^-z)",
        "[(e^z + e^-z)^2 - (e^z - e^-z)^2] / (e^z + e^-z)^2 = 1 - tanh(z)^2; the printed one is 2 cosh(z) + 1",
        judged(tanh_as_printed),
        judged(lambda z: 1 - np.tanh(z) ** 2),
    )


# E2: the bias inside the sum


class BiasInTheSum(Linear):
    """z = sum (x_j W_j + b): the bias is added once for every input."""

    def forward(self, params: Params, x: Array) -> tuple[Array, LinearCache]:
        z, cache = super().forward(params, x)
        return z + (self.n_in - 1) * params["b"], cache

    def backward(self, params: Params, cache: LinearCache, dz: Array) -> tuple[Array, Grads]:
        dx, grads = super().backward(params, cache, dz)
        return dx, {**grads, "db": self.n_in * grads["db"]}


class ItsGradientAlone(BiasInTheSum):
    """The forward pass is right, the gradient that of the printed sum."""

    def forward(self, params: Params, x: Array) -> tuple[Array, LinearCache]:
        return Linear.forward(self, params, x)


def bias_in_the_sum() -> Erratum:
    net = mlp([3, 1], output="sigmoid")
    return Erratum(
        "A-E2",
        "z = sum (x_j W_j + b)",
        "z = sum (x_j W_j) + b",
        verify(instead(net, {0: BiasInTheSum(3, 1)}), NEURON, BATCH, Y, HALF, seed=2),
        verify(net, NEURON, BATCH, Y, HALF, seed=2),
    )


def bias_in_the_sum_derived() -> Erratum:
    net = mlp([3, 1], output="sigmoid")
    return Erratum(
        "A-E2",
        "d sum (x_j W_j + b) / db, so dL/db = n (y - e) g'(z)",
        "dL/db = (y - e) g'(z): one bias, counted once",
        verify(instead(net, {0: ItsGradientAlone(3, 1)}), NEURON, BATCH, Y, HALF, seed=2),
        verify(net, NEURON, BATCH, Y, HALF, seed=2),
    )


# E3, E4, E5: the neuron slides


class PrimeLost(Sigmoid):
    """g2(z2) stands where g2'(z2) belongs."""

    def backward(self, params: Params, cache: SigmoidCache, dh: Array) -> tuple[Array, Grads]:
        return dh * cache.h, {}


def prime_lost() -> Erratum:
    return Erratum(
        "A-E3",
        "da2/dz2 = dg2(z2)/dz2 = g2(z2)",
        "da2/dz2 = g2'(z2)",
        verify(instead(NEURONS, {1: PrimeLost()}), CHAIN, BATCH[:, :2], Y, HALF, seed=3),
        verify(NEURONS, CHAIN, BATCH[:, :2], Y, HALF, seed=3),
    )


class MinusLost(HalfSquaredError):
    """a3 y stands where a3 - y belongs."""

    def forward(self, y: Array, t: Array) -> tuple[Array, Any]:
        return super().forward(y, t)[0], (y, t)

    def backward(self, cache: Any, dE: Array) -> Array:
        y, t = cache
        return dE * (y * t)


def minus_lost() -> Erratum:
    return Erratum(
        "A-E4",
        "delta3 = (a3 y) * g3'(z3)",
        "delta3 = (a3 - y) * g3'(z3)",
        verify(NEURONS, CHAIN, BATCH[:, :2], BATCH[:, 2:], MinusLost(), seed=4),
        verify(NEURONS, CHAIN, BATCH[:, :2], BATCH[:, 2:], HALF, seed=4),
    )


def neuron(x: Any, W: Any, b: Any) -> Any:
    """y = g(z), z = sum x_j W_j + b, for samples in rows; W (1, n), b (1,)."""
    y = sigmoid(x @ W.T + b)
    return y, (x, W, y)


def neuron_backward(dy: Any, cache: Any) -> Any:
    x, W, y = cache
    dz = dy * y * (1 - y)
    return dz @ W, dz.T @ x, dz.sum(axis=0)


def neuron_as_printed(dy: Any, cache: Any) -> Any:
    """dL/db = dL/dy, if b is the bias that it is in z = sum x_j W_j + b."""
    return *neuron_backward(dy, cache)[:2], dy.sum(axis=0)


def by_torch(x: torch.Tensor, W: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return torch.sigmoid(torch.nn.functional.linear(x, W, b))


def bias_for_output() -> Erratum:
    inputs = [BATCH, NEURON[0]["W"], NEURON[0]["b"]]
    return Erratum(
        "A-E5",
        "b = g(z), dL/db = dL/dy, while z = sum x_j W_j + b",
        "dL/db = (y - e) g'(z) for the bias; the output needs a letter of its own",
        verify_function(neuron, neuron_as_printed, by_torch, inputs, seed=5, name="one neuron"),
        verify_function(neuron, neuron_backward, by_torch, inputs, seed=5, name="one neuron"),
    )


# E6, E7: the matrix between the layers


class NoTranspose(Linear):
    """delta^l = w^(l+1) delta^(l+1), read as it stands with a matrix w and a column delta; here delta is a row."""

    def backward(self, params: Params, cache: LinearCache, dz: Array) -> tuple[Array, Grads]:
        return dz @ params["W"].T, super().backward(params, cache, dz)[1]


def transpose() -> Erratum:
    x, t, params = BATCH[:, :2], np.tanh(BATCH[:, 1:]), SQUARE.init(6)
    printed = instead(SQUARE, {i: NoTranspose(2, 2) for i in (2, 4)})
    return Erratum(
        "A-E6",
        "delta^l = delta^(l+1) w^(l+1) g'(z^l), for vectors",
        "delta^l = (w^(l+1))^T delta^(l+1) o g'(z^l), a sample a column; with a sample a row, as the judge has it, "
        "that is dh = dz W, and the printed one dz W^T; for one neuron a layer both are the same",
        verify(printed, params, x, t, HALF, seed=6),
        verify(SQUARE, params, x, t, HALF, seed=6),
    )


def two_layers(In: Any, W1: Any, W2: Any) -> Any:
    """z = f(h W2), h = f(In W1), W [from][to] as in the listing."""
    h = sigmoid(In @ W1)
    z = sigmoid(h @ W2)
    return z, (In, W1, W2, h, z)


def two_layers_backward(dz: Any, cache: Any) -> Any:
    In, W1, W2, h, z = cache
    D2 = dz * z * (1 - z)
    D1 = D2 @ W2.T * h * (1 - h)
    return D1 @ W1.T, In.T @ D1, h.T @ D2


def one_layer_as_printed(dz: Any, cache: Any) -> Any:
    """dLoss/dW1 = 2 (z - y) x f' x x: neither W2 nor the second f' is in it. dz is 2 (z - y)."""
    In, _W1, _W2, _h, z = cache
    dIn, _, dW2 = two_layers_backward(dz, cache)
    return dIn, In.T @ (dz * z * (1 - z)), dW2


def broadcast(dz: Any, cache: Any) -> Any:
    """The same, spread over the columns of W1 as `W1 -= d_W1` would do it."""
    dIn, dW1, dW2 = one_layer_as_printed(dz, cache)
    return dIn, np.broadcast_to(dW1, cache[1].shape), dW2


def listing_by_torch(In: torch.Tensor, W1: torch.Tensor, W2: torch.Tensor) -> torch.Tensor:
    return torch.sigmoid(torch.sigmoid(In @ W1) @ W2)


def matrix_missing() -> Erratum:
    found = missing("dLoss/dW = 2 (z - y) x f' x x, with m = W1 x + b1, z = f(W2 f(m) + b2)", one_layer_as_printed)
    wrong = (f"{t.name}: {t.reason}" for t in found.finding.stages[0].isolated.tensors if t.verdict is Verdict.REFUTED)
    return replace(found, says="; ".join(wrong))


def matrix_missing_broadcast() -> Erratum:
    return missing("the same, a column, subtracted from every column of W1", broadcast)


def missing(printed: str, backward: Callable[[Any, Any], Any]) -> Erratum:
    """E7 on the first weights of seed 1."""
    params = start(LISTING, "rand", 1)
    inputs = [X, params[0]["W"].T, params[2]["W"].T]
    return Erratum(
        "A-E7",
        printed,
        "dLoss/dW1 = 2 (z - y) f'(W2 h + b2) W2 f'(m) x: through W2 and the second f'",
        verify_function(two_layers, backward, listing_by_torch, inputs, seed=7, name="z = f(W2 f(W1 x))"),
        verify_function(two_layers, two_layers_backward, listing_by_torch, inputs, seed=7, name="z = f(W2 f(W1 x))"),
    )


# E8, E11: the slides put into the listing


class SlideTanh(Tanh):
    """activation(Out, True) with the slide's 1.0 - np.tanh(z)**2, which gets the output for z."""

    def backward(self, params: Params, cache: TanhCache, dh: Array) -> tuple[Array, Grads]:
        return dh * (1.0 - np.tanh(cache.h) ** 2), {}


class SlideSigmoid(Sigmoid):
    """The same with sigmoid(z) (1 - sigmoid(z))."""

    def backward(self, params: Params, cache: SigmoidCache, dh: Array) -> tuple[Array, Grads]:
        return dh * (sigmoid(cache.h) * (1 - sigmoid(cache.h))), {}


def derivative_at_output() -> Erratum:
    return at_output(TANH, SlideTanh(), "def d_tanh(z): 1.0 - np.tanh(z)**2, called as activation(Out, True)")


def derivative_at_output_sigmoid() -> Erratum:
    return at_output(LISTING, SlideSigmoid(), "the same for the sigmoid: sigma(z) (1 - sigma(z)), called with Out")


def at_output(net: Network, slide: Layer, printed: str) -> Erratum:
    params = start(net, "rand", 1)
    return Erratum(
        "A-E8",
        printed,
        "1 - o^2 for tanh and o (1 - o) for the sigmoid, where the output o is what is passed in",
        verify(instead(net, {1: slide, 3: slide}), params, X, Y, SSE, seed=8),
        verify(net, params, X, Y, SSE, seed=8),
    )


class ListingsFactor(HalfSquaredError):
    """The derivation's loss 1/2 (y - e)^2 with the listing's gradient, 2 (y - e)."""

    def backward(self, cache: Any, dE: Array) -> Array:
        return dE * (2 * cache.e)


def loss_scale() -> Erratum:
    params = start(LISTING, "rand", 1)
    return Erratum(
        "A-E11",
        "2 (Out - Desired) in the listing, L = 1/2 (y - e)^2 on the slides",
        "each is right for its own loss: 2 (z - y) for sum (z - y)^2, y - e for 1/2 (y - e)^2",
        verify(LISTING, params, X, Y, ListingsFactor(), seed=11),
        verify(LISTING, params, X, Y, SSE, seed=11),
    )


ERRATA = (
    tanh_derivative,
    bias_in_the_sum,
    bias_in_the_sum_derived,
    prime_lost,
    minus_lost,
    bias_for_output,
    transpose,
    matrix_missing,
    matrix_missing_broadcast,
    derivative_at_output,
    derivative_at_output_sigmoid,
    loss_scale,
)


if __name__ == "__main__":
    sys.exit(errata_main(ERRATA))
