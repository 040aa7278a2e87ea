"""What the files of Selker's lecture share: his networks on both floors, autograd's side of them, and training.

The lower floor is one neuron at a time, plain numbers and no matrices, as the problems ask for it: `manual.Neuron`,
`evaluate`, `backprop`. The upper one is `manual`'s layers. Neither has biases, and every activation is tanh.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from handgrad import verify
from handgrad.course.lecture import Number, System, torch_twin
from handgrad.course.text import main
from handgrad.report.report import Report
from manual import (
    SGD,
    HalfSquaredError,
    Network,
    Neuron,
    Params,
    Pass,
    backprop,
    evaluate,
    gradients,
    mlp,
    output_names,
)

Float = NDArray[np.float64]
Ints = NDArray[np.int64]
Rows: TypeAlias = Ints | slice  # which samples make one update

HALF = HalfSquaredError()


# Both floors, and autograd.


class Floors(NamedTuple):
    """Every quantity of one pass under our names: by layers, neuron by neuron, by autograd."""

    layers: Mapping[str, Any]
    neurons: Mapping[str, Any]
    autograd: Mapping[str, Any]

    def numbers(self, **names: str) -> tuple[Number, ...]:
        """his name = ours: layers against autograd, then neurons against autograd."""
        return tuple(
            Number(f"{his}{how}", floor[ours], self.autograd[ours])
            for how, floor in (("", self.layers), (", neuron by neuron", self.neurons))
            for his, ours in names.items()
        )


def floors(W: Sequence[Float], x: Float, t: Float | None = None) -> Floors:
    """A tanh network with these weights on one sample; without a target E = sum of the outputs, so dE/do = 1."""
    net, params = with_weights(*W)
    return Floors(by_layers(net, params, x, t), by_neurons(W, x, t), by_autograd(net, params, x, t))


def with_weights(*W: Float) -> tuple[Network, tuple[Params, ...]]:
    """The tanh network without biases that has these weights."""
    net = mlp([W[0].shape[1], *(len(M) for M in W)], "tanh", "tanh", bias=False)
    return net, tuple(p for M in W for p in ({"W": M}, {}))


def by_layers(net: Network, params: Sequence[Params], x: Float, t: Float | None) -> Mapping[str, Any]:
    """The upper floor: matrices."""
    if t is not None:
        return gradients(net, params, x, t, HALF)
    o, trace = net.forward(params, x)
    return Pass(net, params, o.sum(), trace, net.backward_trace(params, trace, np.ones_like(o)))


def as_neurons(W: Sequence[Float]) -> list[list[Neuron]]:
    """Layer by layer one neuron per row of W, each reading the whole layer before it."""
    before: Sequence[Neuron | int] = range(W[0].shape[1])
    layers = []
    for M in W:
        before = [Neuron(tuple(before), tuple(row)) for row in M.tolist()]
        layers.append(before)
    return layers


def by_neurons(W: Sequence[Float], x: Float, t: Float | None) -> dict[str, Any]:
    """The lower floor, one sample x (1, n_in): the same quantities in the same shapes."""
    layers = as_neurons(W)
    values = evaluate(layers[-1], x[0].tolist())
    o = [values.h[n] for n in layers[-1]]
    do = [1.0] * len(o) if t is None else [a - b for a, b in zip(o, t[0].tolist(), strict=True)]
    blame = backprop(layers[-1], values, do)
    found: dict[str, Any] = {"loss": sum(o) if t is None else sum(d * d for d in do) / 2, "dx": [blame.dx]}
    for l, layer in enumerate(layers, 1):  # noqa: E741
        found |= {f"z{l}": [[values.z[n] for n in layer]], f"h{l}": [[values.h[n] for n in layer]]}
        found |= {f"dz{l}": [[blame.dz[n] for n in layer]], f"dW{l}": [blame.dw[n] for n in layer]}
    return found | {f"dh{len(layers)}": [do]}


def by_autograd(net: Network, params: Sequence[Params], x: Float, t: Float | None) -> dict[str, Any]:
    """The torch twin, by autograd."""
    module, h = torch_twin(net, params), torch.tensor(x, requires_grad=True)
    found = {"x": h}
    for name, layer in zip(output_names(net.layers), module.children(), strict=True):
        h = found[name] = layer(h)
        h.retain_grad()
    E = h.sum() if t is None else ((h - torch.from_numpy(t)) ** 2).sum() / 2
    E.backward()
    weights = {f"W{l}": q for l, q in enumerate(module.parameters(), 1)}  # noqa: E741
    values = {k: v.detach().numpy() for k, v in found.items()}
    return {"loss": E.item()} | values | {f"d{k}": v.grad.numpy() for k, v in (found | weights).items()}


def judged(W: Sequence[Float], x: Float, t: Float, name: str) -> Report:
    """The judge on the network with these weights."""
    net, params = with_weights(*W)
    return verify(net, params, x, t, HALF, seed=1, name=name)


def rounding_of(E: Any) -> Float:
    """How far rounding may move errors E = 1/2 sum (o - t)^2, relative to themselves, where o and t are about 0.5.

    The distance of o from t is sqrt(2 E); two units in the last place of 0.5 in each of four outputs move it by 2^-51.
    Where it is as small as that, nothing but rounding is left of E.
    """
    share = 2.0**-51 / np.sqrt(2 * np.asarray(E))
    return np.asarray(1e-9 + 2 * share + share**2)


# Training: forward, error, backward, subtract. `order` says which samples make each update.


def one_by_one(samples: int, passes: int) -> list[slice]:
    """The slides' order: an update after every sample."""
    return [slice(i, i + 1) for _ in range(passes) for i in range(samples)]


class Trained(NamedTuple):
    """The last parameters, and the error of every update's samples before that update."""

    params: Sequence[Params]
    errors: Float


def train(net: Network, params: Sequence[Params], x: Float, t: Float, optimizer: SGD, order: Iterable[Rows]) -> Trained:
    """E = 1/2 sum (o - t)^2, W <- W - lr dE/dW; he mentions momentum, which `optimizer` may have."""
    errors, state = [], optimizer.initial(params)
    for rows in order:
        y, trace = net.forward(params, x[rows])
        E, cache = HALF.forward(y, t[rows])
        _, dparams = net.backward(params, trace, HALF.backward(cache, 1.0))
        params, state = optimizer.step(params, dparams, state)
        errors.append(float(E))
    return Trained(params, np.array(errors))


def train_by_torch(params: Sequence[Params], x: Float, t: Float, lr: float, order: Iterable[Rows]) -> Trained:
    """The same in torch, gradients by autograd; without modules and optimizer, which take three times as long here."""
    weights = [torch.tensor(p["W"], requires_grad=True) for p in params[::2]]
    inputs, targets, errors = torch.from_numpy(x), torch.from_numpy(t), []
    for rows in order:
        h = inputs[rows]
        for W in weights:
            h = torch.tanh(h @ W.T)
        E = ((h - targets[rows]) ** 2).sum() / 2
        grads = torch.autograd.grad(E, weights)
        weights = [(W.detach() - lr * dW).requires_grad_() for W, dW in zip(weights, grads, strict=True)]
        errors.append(E.item())
    return Trained([p for W in weights for p in ({"W": W.detach().numpy()}, {})], np.array(errors))


def train_neurons(W: Float, x: Float, t: Float, lr: float, order: Iterable[slice]) -> tuple[Float, Float]:
    """One layer of neurons, w <- w - lr dE/dw; W afterwards and the error of every update."""
    layer, errors = as_neurons([W])[0], []
    for rows in order:
        values = evaluate(layer, x[rows][0].tolist())
        away = [values.h[n] - d for n, d in zip(layer, t[rows][0].tolist(), strict=True)]
        dw = backprop(layer, values, away).dw
        layer = [Neuron(n.sources, tuple(w - lr * d for w, d in zip(n.weights, dw[n], strict=True))) for n in layer]
        errors.append(sum(a * a for a in away) / 2)
    return np.array([n.weights for n in layer]), np.array(errors)


def two_floors() -> System:
    """A network of three neurons on both floors."""
    both = floors([np.array([[1.0], [0.5]]), np.array([[2.0, 1.0]])], np.array([[0.5]]), np.array([[0.0]]))
    names = {"o": "h2", "E": "loss", "dE/dw out": "dW2", "dE/dw in": "dW1", "dE/di": "dx"}
    return System("1-2-1", "the diamond by layers, and neuron by neuron", both.numbers(**names))


if __name__ == "__main__":
    sys.exit(main((two_floors,)))
