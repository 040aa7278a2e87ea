"""Eum, lecture 7, second part: initial weights, signals through 20 layers, vanishing gradient, left out connections.

Imported by eum.py, which runs it all. Here also: one pass of a network by torch, every quantity under its lecture name.
"""

import sys
from functools import cache
from math import sqrt
from typing import Any

import numpy as np
import torch

from handgrad import verify
from handgrad.course.lecture import Number, System, autograd, torch_twin
from handgrad.course.text import main
from handgrad.report.report import Report
from manual import HalfSquaredError, Linear, Network, Sigmoid, gradients, mlp, sgd
from manual.initial import INITIALS
from manual.layers.activations import activation
from manual.layers.sigmoid import sigmoid

HALF = HalfSquaredError()


# E-S8


class Ends:
    """A generator that draws what initial values depend on: a uniform's upper end, a normal's standard deviation."""

    def uniform(self, low: float, high: float, shape: Any) -> Any:
        return np.full(shape, high)

    def normal(self, mean: float, std: float, shape: Any) -> Any:
        return np.full(shape, std)


class TorchEnds(torch.Tensor):
    """The same for torch.nn.init."""

    def uniform_(self, low: float = 0, high: float = 1, **_: Any) -> Any:
        return self.fill_(high)

    def normal_(self, mean: float = 0, std: float = 1, **_: Any) -> Any:
        return self.fill_(std)


RULES = {
    "xavier_uniform": torch.nn.init.xavier_uniform_,
    "xavier_normal": torch.nn.init.xavier_normal_,
    "he_uniform": lambda W: torch.nn.init.kaiming_uniform_(W, nonlinearity="relu"),
    "he_normal": lambda W: torch.nn.init.kaiming_normal_(W, nonlinearity="relu"),
}
FANS = ((2, 2), (3, 4), (784, 100), (256, 256))
SIGNALS = {  # activation, standard deviation of the weights
    "tanh, Xavier": ("tanh", sqrt(2 / 512)),
    "tanh, N(0,0.01^2)": ("tanh", 0.01),
    "tanh, N(0,1)": ("tanh", 1.0),
    "relu, He": ("relu", sqrt(2 / 256)),
    "relu, Xavier": ("relu", sqrt(2 / 512)),
    "sigmoid, Xavier": ("sigmoid", sqrt(2 / 512)),
}
SHOWN = (1, 5, 10, 20)  # layers


def limits(rule: str) -> tuple[list[float], list[float]]:
    """The limit or standard deviation for each of FANS: manual's, torch's."""
    ours = [float(INITIALS[rule](Ends(), (n_out, n_in))[0, 0]) for n_in, n_out in FANS]  # type: ignore[arg-type]
    theirs = [
        float(RULES[rule](torch.empty(n_out, n_in, dtype=torch.float64).as_subclass(TorchEnds))[0, 0])
        for n_in, n_out in FANS
    ]
    return ours, theirs


@cache
def propagation(name: str) -> dict[str, Any]:
    """500 normal samples through 20 layers of 256 units and an upstream of 1/16 back, by manual and by torch.

    rms: root mean square of h after each layer, dW: norm of each layer's gradient; (20,) both, and "torch rms", ...
    """
    f, std = SIGNALS[name]
    rng = np.random.RandomState(0)  # the reference values were drawn so
    h = rng.randn(500, 256)
    weights = [rng.randn(256, 256) * std for _ in range(20)]
    net = Network(tuple(layer for _ in weights for layer in (Linear(256, 256, bias=False), activation(f))))
    params = [p for W in weights for p in ({"W": W}, {})]
    dy = np.full(h.shape, 1 / 16)
    _, trace = net.forward(params, h)
    _, dparams = net.backward(params, trace, dy)

    module = torch_twin(net, params)
    out, hidden = torch.tensor(h), []
    for i, layer in enumerate(module):
        out = layer(out)
        if i % 2:
            hidden.append(out.detach().square().mean().sqrt().item())
    out.backward(torch.tensor(dy))
    return {
        "rms": np.array([np.sqrt(np.mean(stage.y**2)) for stage in trace[1::2]]),
        "dW": np.array([np.linalg.norm(d["dW"]) for d in dparams[::2]]),
        "torch rms": np.array(hidden),
        "torch dW": np.array([layer.weight.grad.norm().item() for layer in list(module)[::2]]),
    }


def initialisation() -> System:
    """Var w = 2 / (n_in + n_out) (Xavier, 2010), 2 / n_in (He, 2015): signals that neither die nor saturate."""
    numbers = [
        Number(f"{rule} for {', '.join(f'{a}x{b}' for a, b in FANS)}", *limits(rule), separate=True)
        for rule in ("xavier_uniform", "xavier_normal", "he_uniform", "he_normal")
    ]
    at = [layer - 1 for layer in SHOWN]
    for name in SIGNALS:
        p = propagation(name)
        # A sum of 256 products rounds by up to 256 units of 2^-53. Where every unit saturates, that grows on its way up
        # as much as the gradient does on its way down.
        within = max(1e-12, 256 * 2.0**-53 * p["dW"][0] / p["dW"][-1])
        numbers += [
            Number(f"{name}: rms h, layers 1, 5, 10, 20", p["rms"][at], p["torch rms"][at],
                   within=within, separate=True),
            Number(f"{name}: norm of dW", p["dW"][at], p["torch dW"][at], within=within, separate=True),
            Number(f"{name}: first over last", p["dW"][0] / p["dW"][-1], p["torch dW"][0] / p["torch dW"][-1],
                   within=within),
        ]  # fmt: skip
    gain = propagation("relu, He")["rms"][-1] / propagation("relu, Xavier")["rms"][-1]
    wild = propagation("tanh, N(0,1)")
    notes = [
        f"ReLU halves the variance and He's 2 gives it back: after 20 layers {gain:.6g} times Xavier's signal, 2^10",
        f"tanh, N(0,1): the gradient grows by {wild['dW'][0] / wild['dW'][-1]:.1g} on its way back, and so does the "
        f"rounding: two right passes are {abs(wild['dW'][0] / wild['torch dW'][0] - 1):.0e} apart in the first dW",
    ]
    reports = [judged(name) for name in ("tanh, Xavier", "relu, He")]
    return System("E-S8", "initial weights: Xavier, He; 20 layers of 256", numbers, reports, notes)


def judged(name: str) -> Report:
    """The judge on 20 layers of 64 units with weights of the same kind: what 256 would cost is seconds more."""
    f, std = SIGNALS[name]
    rng = np.random.default_rng(8)
    net = Network(tuple(layer for _ in range(20) for layer in (Linear(64, 64, bias=False), activation(f))))
    params = [p for _ in range(20) for p in ({"W": rng.normal(size=(64, 64)) * 2 * std}, {})]  # Var w is 1 / units
    return verify(net, params, rng.normal(size=(4, 64)), np.zeros((4, 64)), HALF, seed=8, name=f"20 layers, {name}")


# E-S9


DEPTHS = (1, 2, 3, 5, 10, 20, 30)


def chain(depth: int) -> tuple[Any, ...]:
    """Sigmoid neurons in a row, all w = 1 and b = 0; x = 0.5, t = 0."""
    net = Network(tuple(layer for _ in range(depth) for layer in (Linear(1, 1), Sigmoid())))
    params = tuple({k: np.full(s, float(k == "W")) for k, s in shapes.items()} for shapes in net.param_shapes)
    return net, params, np.array([[0.5]]), np.array([[0.0]]), HALF


@cache
def chains() -> dict[str, Any]:
    """dE/dw of the first and of the last neuron for every depth, by hand and by torch."""
    hand, auto = ([run(*chain(L)) for L in DEPTHS] for run in (gradients, autograd))
    return {
        f"{who} {which}": np.array([p[f"dW{L if which == 'last' else 1}"].item() for p, L in zip(passes, DEPTHS)])  # noqa: B905
        for who, passes in (("hand", hand), ("torch", auto))
        for which in ("first", "last")
    }


def vanishing() -> System:
    """sigma' <= 1/4, so each layer with |w| <= 1 takes at least three quarters of the gradient."""
    c = chains()
    bound = 0.25 ** (np.array(DEPTHS) - 1.0)
    a = np.array([0.0, 2.0, 5.0, 10.0, 20.0, 40.0])
    h = torch.tensor(a, requires_grad=True)
    torch.sigmoid(h).sum().backward()
    slope, _ = Sigmoid().backward({}, Sigmoid().forward({}, a)[1], np.ones(6))
    rounding = 1e-12 + 2.0**-51 / np.maximum(slope, 2.0**-51)  # h (1 - h) is as inexact as h is near 1
    report = verify(*chain(20), seed=1, name="20 sigmoid neurons in a row")
    floor = report.stages[0].isolated.tensors[-1]
    numbers = (
        Number("dE/dw of the first, L = 20", c["hand first"][5], c["torch first"][5]),
        *(Number(f"dE/dw of the first, L = {L}", c["hand first"][i], c["torch first"][i])
          for i, L in enumerate(DEPTHS) if L != 20),
        Number("dE/dw of the last, all L", c["hand last"], c["torch last"], separate=True),
        Number("sigma'(0, 2, 5, 10, 20, 40)", slope, h.grad, within=rounding, separate=True),
    )  # fmt: skip
    notes = [
        f"below the bound 0.25^(L-1) at every depth: {bool((c['hand first'] <= bound).all())}; "
        f"at L = 30 {c['hand first'][-1]:.3g} against {bound[-1]:.3g}",
        f"small is not inexact: at L = 20 a relative error of {floor.floor_median:.0e} in {floor.name} would be seen",
        f"at z = 40 the output is {sigmoid(np.array(40.0)):.17g} in float64 and its slope {slope[-1]:g}: the gradient "
        "is not small there, it is gone",
    ]
    return System("E-S9", "vanishing gradient: sigmoid neurons in a row", numbers, (report,), notes)


# E-S10


MASK = np.array([[1, 1, 0], [0, 1, 1], [1, 0, 1], [0, 0, 1]])  # [unit, input]


def partial() -> System:
    """z = x (W o M)^T + b: a connection that is left out is a weight under a mask, and so is its gradient."""
    net = Network((Linear(3, 4, mask=MASK), Sigmoid(), Linear(4, 2), Sigmoid()))
    rng = np.random.default_rng(7)
    params = net.init(rng)
    x, t = rng.normal(size=(5, 3)), rng.uniform(size=(5, 2))
    hand, auto = gradients(net, params, x, t, HALF), autograd(net, params, x, t, HALF)
    zeroed = ({**params[0], "W": params[0]["W"] * MASK}, *params[1:])
    full = gradients(mlp([3, 4, 2], "sigmoid", "sigmoid"), zeroed, x, t, HALF)
    stay = sgd(params, hand.dparams, 0.5)[0]["W"] == params[0]["W"]
    linear = sum(isinstance(layer, Linear) for layer in net.layers)
    numbers = (
        Number("y, partially connected", hand.y, auto["h2"]),
        Number("dW1 under the mask", hand["dW1"], auto["dW1"]),
        Number("dx", hand["dx"], auto["dx"]),
        Number("full network, left out weights 0: y", full.y, auto["h2"]),
        Number("full network, left out weights 0: dW1 o M", full["dW1"] * MASK, auto["dW1"]),
    )
    loose = 0.5 * np.abs(full["dW1"][MASK == 0]).max()
    notes = [
        f"left out: {(MASK == 0).sum()} of {MASK.size} connections; a step leaves {stay[MASK == 0].sum()} of their "
        f"weights as they are; without the mask they would move by up to {loose:.2g}",
        f"L = {linear} layers in Eum's count: {linear - 1} hidden and the output layer; the input is none",
    ]
    report = verify(net, params, x, t, HALF, seed=1, name="3-4-2 with connections left out")
    return System("E-S10", "fully and partially connected; what L layers are", numbers, (report,), notes)


def plot_signal(ax: Any) -> None:
    """The size of the signal, layer by layer."""
    for name in SIGNALS:
        ax.semilogy(range(1, 21), propagation(name)["rms"], label=name)
    ax.set(xlabel="layer", ylabel="root mean square of h", title="20 layers of 256 units")
    ax.legend()


def plot_vanishing(ax: Any) -> None:
    """The first neuron's gradient against the depth, below its bound."""
    ax.semilogy(DEPTHS, chains()["hand first"], "o-", label="dE/dw of the first neuron")
    ax.semilogy(DEPTHS, [0.25 ** (L - 1) for L in DEPTHS], "--", label="0.25^(L-1)")
    ax.set(xlabel="depth L", ylabel="gradient", title="sigmoid neurons in a row")
    ax.legend()


if __name__ == "__main__":
    sys.exit(main((initialisation, vanishing, partial)))
