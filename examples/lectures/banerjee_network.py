"""What the files of Banerjee's lecture share: his 2-5-1 network, his listing, training, and autograd's side of it.

His samples are columns, ours are rows: his x, z, h are the transposes of ours, while W, b and their gradients are the
same. The slides print no data and no weights, so those below are chosen.
"""

import sys
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from handgrad.course.lecture import Number, System, autograd, torch_twin
from handgrad.course.text import main
from manual import Array, Grads, HalfSquaredError, Linear, Loss, Network, Params, Sigmoid, mlp, sgd
from manual.layers.linear import LinearCache
from torch_ref import from_torch, twin

Float = NDArray[np.float64]

X, Y = np.array([[0.6, -0.9]]), np.array([[0.9]])  # one data point
W1 = np.array([[0.1, -0.4], [0.5, 0.3], [-0.2, 0.6], [0.7, -0.1], [-0.3, 0.2]])
b1 = np.array([0.1, -0.1, 0.2, 0.0, -0.2])
W2 = np.array([[0.4, -0.6, 0.3, 0.8, -0.5]])
b2 = np.array([0.15])
NET = mlp([2, 5, 1], "sigmoid", "sigmoid")
PARAMS: tuple[Params, ...] = ({"W": W1, "b": b1}, {}, {"W": W2, "b": b2}, {})


# The listing's form: columns, every z kept, the derivative taken at z.


def sigmoid(z: Float) -> Float:
    return 1 / (1 + np.exp(-z))


def sigmoid_derivative(z: Float) -> Float:
    """In[8] as printed: right, until e^-z overflows."""
    return np.exp(-z) / (1 + np.exp(-z)) ** 2


def equations(x: Float, y: Float) -> dict[str, Float]:
    """Forward equations 1-4 and backward equations 1-5 in columns, with W2^T in equation 3; x (2, 1), y (1, 1)."""
    z1 = W1 @ x + b1[:, None]
    h1 = sigmoid(z1)
    z2 = W2 @ h1 + b2[:, None]
    yhat = sigmoid(z2)
    dz2 = (yhat - y) * sigmoid_derivative(z2)  # 1
    dW2 = dz2 @ h1.T  # 2
    dh1 = W2.T @ dz2  # 3, printed dz2 W2
    dz1 = dh1 * sigmoid_derivative(z1)  # 4
    dW1 = dz1 @ x.T  # 5
    return {"z1": z1, "h1": h1, "z2": z2, "yhat": yhat, "dz2": dz2, "dW2": dW2, "dh1": dh1, "dz1": dz1, "dW1": dW1}


def pseudocode(W: Sequence[Float], b: Sequence[Float], x: Float, y: Float) -> list[Float]:
    """dW^1 .. dW^(L+1) of L hidden layers by the corrected pseudocode: x (n_0, n), y (n_(L+1), n), loss 1/n sum."""
    L = len(W) - 1
    z, h = {}, {0: x}
    for l in range(1, L + 2):  # noqa: E741  printed: 1 .. L, which never reaches the output
        z[l] = W[l - 1] @ h[l - 1] + b[l - 1][:, None]
        h[l] = sigmoid(z[l])
    dz = {L + 1: 2 / x.shape[1] * (h[L + 1] - y) * sigmoid_derivative(z[L + 1])}  # printed: dz^0, without sigma'
    dW = {L + 1: dz[L + 1] @ h[L].T}
    for l in range(L, 0, -1):  # noqa: E741
        dz[l] = W[l].T @ dz[l + 1] * sigmoid_derivative(z[l])
        dW[l] = dz[l] @ h[l - 1].T
    return [dW[l] for l in sorted(dW)]  # noqa: E741


class GradientForWeight(Linear):
    """The listing's line dh1 = np.dot(dw2.T, dz2): the gradient dW stands where the weight W belongs."""

    def backward(self, params: Params, cache: LinearCache, dz: Array) -> tuple[Array, Grads]:
        _, grads = super().backward(params, cache, dz)
        return dz @ grads["dW"], grads


PRINTED = Network((Linear(2, 5), Sigmoid(), GradientForWeight(5, 1), Sigmoid()))


# Training, and autograd's side.


class Trained(NamedTuple):
    """costs[i] and ys[i] belong to the weights before update i."""

    params: Sequence[Params]
    costs: Float
    ys: Sequence[Float]


Batches = Iterable[tuple[Float, Float]]


def train(
    net: Network, params: Sequence[Params], batches: Batches, loss: Loss, lr: float, *, biases: bool = True
) -> Trained:
    """One update a batch. The listing never trains its biases: biases=False."""
    costs, ys = [], []
    for x, t in batches:
        y, trace = net.forward(params, x)
        E, cache = loss.forward(y, t)
        _, dparams = net.backward(params, trace, loss.backward(cache, 1.0))
        if not biases:
            dparams = tuple({**d, "db": np.zeros_like(d["db"])} if d else d for d in dparams)
        params = sgd(params, dparams, lr)
        costs.append(float(E))
        ys.append(y)
    return Trained(params, np.array(costs), ys)


def train_by_torch(
    net: Network, params: Sequence[Params], batches: Batches, loss: Loss, lr: float, *, biases: Sequence[bool] = (True,)
) -> list[Trained]:
    """The same by twins and torch.optim.SGD, one for each entry of `biases`, which says whether its biases are trained.

    Side by side to save time: in the gradient of the sum of their losses each has its own.
    """
    modules, criterion = [torch_twin(net, params) for _ in biases], twin(loss)
    for module, trained in zip(modules, biases, strict=True):
        for name, parameter in module.named_parameters():
            parameter.requires_grad_(trained or name.endswith("weight"))
    optimizer = torch.optim.SGD([p for module in modules for p in module.parameters() if p.requires_grad], lr)
    passes = []
    for x, t in batches:
        ys = [module(torch.from_numpy(x)) for module in modules]
        costs = [criterion(y, torch.from_numpy(t)) for y in ys]
        optimizer.zero_grad()
        sum(costs).backward()
        optimizer.step()
        passes.append([(E.item(), y.detach().numpy()) for E, y in zip(costs, ys, strict=True)])
    return [
        Trained(from_torch(net, module.state_dict()), np.array([E for E, _ in run]), [y for _, y in run])
        for module, run in zip(modules, zip(*passes, strict=True), strict=True)
    ]


def columns() -> System:
    """His equations in columns beside autograd in rows."""
    his, auto = equations(X.T, Y.T), autograd(NET, PARAMS, X, Y, HalfSquaredError())
    rows = {"yhat": auto["h2"].T, "dz2": auto["dz2"].T, "dW2": auto["dW2"], "dz1": auto["dz1"].T, "dW1": auto["dW1"]}
    return System("2-5-1", "his equations, one column a sample", [Number(n, his[n], v) for n, v in rows.items()])


if __name__ == "__main__":
    sys.exit(main((columns,)))
