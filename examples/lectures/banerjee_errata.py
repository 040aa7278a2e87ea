"""Banerjee's mistakes in print: each formula as printed goes to the judge, and so does the right one."""

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from handgrad import verify, verify_function
from handgrad.course.lecture import Erratum
from handgrad.course.text import errata_main
from handgrad.lectures.banerjee_batches import batch
from handgrad.lectures.banerjee_network import NET, PARAMS, PRINTED, W1, Float, X, Y, b1, sigmoid_derivative
from handgrad.report.report import Report
from manual import Array, Grads, HalfSquaredError, Linear, MeanSquaredError, Network, Params, Sigmoid, StageGrads
from manual.layers.linear import LinearCache
from manual.layers.sigmoid import SigmoidCache, sigmoid
from manual.losses.squared_error import SquaredErrorCache
from manual.network import Stage

HALF, MEAN = HalfSquaredError(), MeanSquaredError()
BATCH = batch(4)


def gradient_for_weight() -> Erratum:
    return Erratum(
        "B-E1",
        "dh1 = np.dot(dw2.T, dz2)",
        "dh1 = np.dot(W2.T, dz2): the weight, not its gradient",
        verify(PRINTED, PARAMS, X, Y, HALF, seed=1),
        verify(NET, PARAMS, X, Y, HALF, seed=1),
    )


def transpose() -> Erratum:
    """Equation 3 in columns: z2 = W2 h1 + b2 with h1 (5, 1), W2 (1, 5)."""

    def forward(h1: Any, W2: Any, b2: Any) -> Any:
        return W2 @ h1 + b2

    def printed(dz2: Any, h1: Any, W2: Any, b2: Any) -> Any:
        return dz2 @ W2, dz2 @ h1.T, dz2

    def right(dz2: Any, h1: Any, W2: Any, b2: Any) -> Any:
        return W2.T @ dz2, dz2 @ h1.T, dz2

    p = [sigmoid(W1 @ X.T + b1[:, None]), PARAMS[2]["W"], PARAMS[2]["b"][:, None]]
    return Erratum(
        "B-E2",
        "dh^1 = dz^2 W^2",
        "dh^1 = (W^2)^T dz^2, of the shape of h^1; else dz^1 becomes 5x5 by broadcasting",
        verify_function(forward, printed, forward, p, seed=2, name="z2 = W2 h1 + b2"),
        verify_function(forward, right, forward, p, seed=2, name="z2 = W2 h1 + b2"),
    )


class NAlwaysTwo(MeanSquaredError):
    """dL/dyhat = yhat - y whatever n is."""

    def backward(self, cache: SquaredErrorCache, dE: Array) -> Array:
        return dE * cache.e


def loss_scale() -> Erratum:
    x, y = batch(8)
    return Erratum(
        "B-E3",
        "L = 1/n sum (yhat - y)^2, so dL/dyhat = yhat - y",
        "dL/dyhat = 2/n (yhat - y); the printed one is n/2 times that, right for n = 2 or the loss 1/2 sum",
        verify(NET, PARAMS, x, y, NAlwaysTwo(), seed=3),
        verify(NET, PARAMS, x, y, MEAN, seed=3),
    )


class SlopeOne(Sigmoid):
    """sigma' = 1 in our case."""

    def backward(self, params: Params, cache: SigmoidCache, dh: Array) -> tuple[Array, Grads]:
        return 1 * dh, {}


def output_derivative() -> Erratum:
    printed = Network((*NET.layers[:3], SlopeOne()))
    params = (*PARAMS[:2], {**PARAMS[2], "b": np.array([-0.3])}, {})  # z2 of both signs, which no ReLU passes alike
    return Erratum(
        "B-E4",
        "dz^0 = yhat - y, since sigma'(z) = 1",
        "dz^(L+1) = (yhat - y) sigma'(z^(L+1)); without sigma' for an identity output or cross-entropy alone",
        verify(printed, params, *BATCH, MEAN, seed=4),
        verify(NET, params, *BATCH, MEAN, seed=4),
    )


class Pseudocode(Network):
    """The backward pass of the pseudocode by its own indices: layer l is the l-th Linear with its Sigmoid."""

    output: int | None = None  # the index given to the output's dz and dW; None for L + 1

    def backward_trace(
        self, params: Sequence[Params], trace: Sequence[Stage], dy: Array, *, need_dx: bool = True
    ) -> tuple[StageGrads, ...]:
        L = len(self.layers) // 2 - 1
        top = L + 1 if self.output is None else self.output
        at = {l: 2 * l - 2 for l in range(1, L + 2)} | {top: 2 * L}  # noqa: E741
        back: dict[int, StageGrads] = {}

        def step(l: int, dh: Array) -> Array:  # noqa: E741
            i = at[l]
            dz, none = self.layers[i + 1].backward(params[i + 1], trace[i + 1].cache, dh)
            below, dW = self.layers[i].backward(params[i], trace[i].cache, dz)
            back[i], back[i + 1] = StageGrads(dz, below, dW), StageGrads(dh, dz, none)
            return below

        dh = {top: step(top, dy)}  # 5 and 6
        for l in range(L, 0, -1):  # 7  # noqa: E741
            dh[l] = step(l, dh[l + 1])  # 7.1 reads what belongs to l + 1
        return tuple(back[i] for i in sorted(back))


class IndexZero(Pseudocode):
    """dz^0 and dW^0 at the output."""

    output = 0


def index_slip() -> Erratum:
    return Erratum(
        "B-E5",
        "dz^0 = .., dW^0 = dz^0 (h^L)^T, then dh^l = (W^(l+1))^T dz^(l+1) from l = L",
        "dz^(L+1), dW^(L+1): the output is layer L + 1 (and the forward loop must reach it)",
        verify(IndexZero(NET.layers), PARAMS, *BATCH, MEAN, seed=5),
        verify(Pseudocode(NET.layers), PARAMS, *BATCH, MEAN, seed=5),
    )


class WeightsOnly(Linear):
    """backward_prop returns dw1, dw2."""

    def backward(self, params: Params, cache: LinearCache, dz: Array) -> tuple[Array, Grads]:
        dx, grads = super().backward(params, cache, dz)
        return dx, {"dW": grads["dW"]}


def no_biases() -> Erratum:
    printed = Network((WeightsOnly(2, 5), Sigmoid(), WeightsOnly(5, 1), Sigmoid()))
    return Erratum(
        "B-E7",
        "backward_prop returns dw1, dw2; b1, b2 are never updated",
        "db2 = sum dz2, db1 = sum dz1: 6 of the 21 parameters are never trained",
        verify(printed, PARAMS, *BATCH, MEAN, seed=7),
        verify(NET, PARAMS, *BATCH, MEAN, seed=7),
    )


def overflow() -> Erratum:
    def printed(dh: Float, z: Float) -> Float:
        return dh * sigmoid_derivative(z)

    def right(dh: Float, cache: SigmoidCache) -> Float:
        return Sigmoid().backward({}, cache, dh)[0]

    finding = verify_function(sigmoid, printed, torch.sigmoid, [(3, 4)], seed=8, name="sigma'(z) as printed")
    return Erratum(
        "B-E8",
        "np.exp(-z) / ((1 + np.exp(-z))**2)",
        "s (1 - s), s = sigmoid(z): the printed one is 0 below z = -355 and nan below -710, where s (1 - s) is e^z",
        finding,
        verify_function(lambda z: Sigmoid().forward({}, z), right, torch.sigmoid, [(3, 4)], seed=8, name="s (1 - s)"),
        reason(finding),
    )


def reason(report: Report) -> str:
    """The judge's reason for the wrong stage, where it has one besides the numbers: a shape, a nan."""
    assert report.culprit is not None
    worst = report.culprit.isolated.worst
    return f"{report.culprit.name}: {worst.name}: {worst.reason}"


def chain_rule() -> Erratum:
    """f = u v w with v = w^2, u = sin v: w acts through u, through v, and itself."""

    def forward(w: Any) -> tuple[Any, Any]:
        v = w * w
        return np.sin(v) * v * w, (w, v)

    def printed(df: Any, cache: Any) -> Any:
        w, v = cache
        return df * ((v * w) * np.cos(v) * (2 * w))

    def right(df: Any, cache: Any) -> Any:
        w, v = cache
        u = np.sin(v)
        return df * ((v * w) * np.cos(v) * (2 * w) + (u * w) * (2 * w) + u * v)

    def reference(w: torch.Tensor) -> torch.Tensor:
        return torch.sin(w * w) * (w * w) * w

    w = np.array([1.3, 0.4, -0.7])
    return Erratum(
        "B-E9",
        "df(u,v,w)/dw = df/du du/dv dv/dw",
        "f_u u_v v_w + f_v v_w + f_w: every path; the printed one is right for f = f(u) alone",
        verify_function(forward, printed, reference, [w], seed=9, name="f = u v w"),
        verify_function(forward, right, reference, [w], seed=9, name="f = u v w"),
    )


def one_dimensional() -> Erratum:
    """z1 = np.dot(W1, x) + b1 with b1 (5, 1)."""

    def forward(W1: Any, b1: Any) -> tuple[Any, Any]:
        return W1 @ X[0] + b1, X.T

    def right_forward(W1: Any, b1: Any) -> tuple[Any, Any]:
        return W1 @ X.T + b1, X.T

    def backward(dz: Any, x: Any) -> Any:
        return dz @ x.T, dz

    def reference(W1: torch.Tensor, b1: torch.Tensor) -> torch.Tensor:
        return W1 @ torch.from_numpy(X.T) + b1

    p = [W1, b1[:, None]]
    finding = verify_function(forward, backward, reference, p, seed=13, name="z1 = W1 x + b1")
    return Erratum(
        "B-E13",
        "np.dot(W1, x) + b1, x given as two numbers",
        "x is a (2, 1) column; else z1 becomes 5x5 by broadcasting",
        finding,
        verify_function(right_forward, backward, reference, p, seed=13, name="z1 = W1 x + b1"),
        reason(finding),
    )


ERRATA = (
    gradient_for_weight, transpose, loss_scale, output_derivative, index_slip, no_biases, overflow, chain_rule,
    one_dimensional,
)  # fmt: skip

if __name__ == "__main__":
    sys.exit(errata_main(ERRATA))
