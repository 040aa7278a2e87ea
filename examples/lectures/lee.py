"""Seungchul Lee (UNIST), "Neural Networks": every system of the lecture, its numbers, and autograd's.

His conventions against ours:
- samples are rows in both; his formulas write W_ij from i to j, his listing has a row for each unit, as we have.
- the slides derive a sigmoid net with the loss 1/2 sum (O - t)^2; the listing trains tanh with an identity output.
- the listing prints the mean squared error, but its gradient, predicted - t, is that of 1/2 sum: 3/2 of the mean's.
- "print predicted" stands behind the update, but shows the forward pass before it; after the loop too.
- the bias is theta on the slides, b in the listing; Delta W = -eta delta O is added there, lr dW subtracted here.
"""

import sys
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from handgrad import verify
from handgrad.course.lecture import Number, System, autograd
from handgrad.course.plots import activation_curves
from handgrad.course.text import main
from handgrad.lectures.lee_training import (
    COEFFICIENTS,
    LOSS,
    NET,
    PARAMS,
    RATES,
    T,
    X,
    claims,
    curvature,
    edge,
    flat,
    listing,
    moved,
    notes,
    printed,
    train,
    train_by_torch,
    unflat,
)
from manual import (
    Linear,
    MeanSquaredError,
    Neuron,
    ReLU,
    Sigmoid,
    Tanh,
    evaluate,
    gradients,
    mlp,
    sgd,
)
from torch_ref import twin

MEAN = MeanSquaredError()


def activations() -> System:
    """sigma(x) = 1 / (1 + e^-x), sigma' = sigma (1 - sigma); tanh' = 1 - tanh^2; ReLU: 0 for x <= 0, x otherwise."""
    x = np.array([[-3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0]])
    numbers = []
    for name, layer in (("sigmoid", Sigmoid()), ("tanh", Tanh()), ("relu", ReLU())):
        h, cache = layer.forward({}, x)
        slope, _ = layer.backward({}, cache, np.ones_like(x))
        z = torch.tensor(x, requires_grad=True)
        auto = twin(layer)(z)
        auto.sum().backward()
        numbers += [Number(f"{name}(x)", h, auto.detach()), Number(f"{name}'(x)", slope, z.grad)]
    sigma = 1 / (1 + np.exp(-x))
    numbers += [Number("sigma (1 - sigma), as on the slide", sigma * (1 - sigma), numbers[1].autograd)]
    t = np.random.default_rng(0).normal(size=x.T.shape)
    nets = [mlp([1, 1, 1], name, name) for name in ("sigmoid", "tanh", "relu")]
    return System(
        "U-S1",
        "sigmoid, tanh, ReLU and their derivatives",
        numbers,
        reports=[verify(net, net.init(1), x.T, t, LOSS, seed=1) for net in nets],
        notes=("at x = 0 the ReLU's derivative is taken as 0, by torch as by us",),
    )


def unit() -> System:
    """unit(inputs, weights, b): f(v . w + b), one neuron."""
    v, w, b = (0.5, -1.0, 2.0), (0.3, 0.7, -0.2), 0.1
    neurons = {f: Neuron((0, 1, 2), w, b, f) for f in ("identity", "sigmoid", "tanh", "relu")}
    z = F.linear(*(torch.tensor([value], dtype=torch.float64) for value in (v, w, b)))
    by_torch = {"identity": z, "sigmoid": torch.sigmoid(z), "tanh": torch.tanh(z), "relu": torch.relu(z)}
    params = ({"W": np.array([w]), "b": np.array([b])}, {})
    x, t = np.array([v]), np.array([[0.7]])
    return System(
        "U-S2",
        "unit(inputs, weights, b)",
        [Number(f, evaluate([n], v).h[n], by_torch[f].item()) for f, n in neurons.items()],
        reports=[verify(mlp([3, 1], output=f), params, x, t, LOSS, seed=2) for f in neurons],
    )


def delta_rules(x: Any, t: Any, W1: Any, theta1: Any, W2: Any, theta2: Any) -> dict[str, Any]:
    """The slides' rules for one sample, index by index; W[i][j] leads from node i to node j, delta is dE/dtheta.

    delta_k = (O_k - t_k) O_k (1 - O_k), delta_j = O_j (1 - O_j) sum_k delta_k W_jk, dE/dW_ij = O_i delta_j.
    """

    def layer(O: Any, W: Any, theta: Any) -> list[Any]:  # noqa: E741  the slides' letter
        nets = (sum(O[i] * W[i][j] for i in range(len(O))) + theta[j] for j in range(len(theta)))
        return [1 / (1 + np.exp(-net)) for net in nets]

    Oj = layer(x, W1, theta1)
    Ok = layer(Oj, W2, theta2)
    dk = [(o - tk) * o * (1 - o) for o, tk in zip(Ok, t, strict=True)]
    dj = [o * (1 - o) * sum(dk[k] * W2[j][k] for k in range(len(dk))) for j, o in enumerate(Oj)]
    return {"h1": Oj, "h2": Ok, "dz2": dk, "dz1": dj, "dW2": np.outer(Oj, dk).T, "dW1": np.outer(x, dj).T}


RULES = mlp([3, 2, 2], "sigmoid", "sigmoid")
RULES_PARAMS = (
    {"W": np.array([[0.1, -0.2, 0.3], [0.4, 0.5, -0.6]]), "b": np.array([0.05, -0.15])}, {},
    {"W": np.array([[0.7, -0.8], [0.2, 0.9]]), "b": np.array([-0.1, 0.25])}, {},
)  # fmt: skip
RULES_X, RULES_T = np.array([[0.5, -1.0, 2.0]]), np.array([[0.2, 0.8]])


def sigmoid_rules() -> System:
    """delta_k, delta_j, dE/dW = O delta, dE/dtheta = delta; Delta W = -eta delta O, Delta theta = -eta delta."""
    p, auto = (f(RULES, RULES_PARAMS, RULES_X, RULES_T, LOSS) for f in (gradients, autograd))
    W1, b1, W2, b2 = (p for layer in RULES_PARAMS for p in layer.values())
    slides = delta_rules(RULES_X[0], RULES_T[0], W1.T, b1, W2.T, b2)
    names = {"O_k": "h2", "O_j": "h1", "delta_k": "dz2", "delta_j": "dz1"}
    names |= {"dE/dW2": "dW2", "dE/dtheta2": "db2", "dE/dW1": "dW1", "dE/dtheta1": "db1"}
    new, eta = sgd(RULES_PARAMS, p.dparams, 0.1), 0.1
    updates = [(f"{k}{i // 2 + 1} after one update, eta 0.1", k, i) for i in (2, 0) for k in ("W", "b")]
    return System(
        "U-S3",
        "sigmoid delta rules, 3-2-2",
        (
            *(Number(name, p[ours], auto[ours]) for name, ours in names.items()),
            Number("E", p["loss"], auto["loss"]),
            *(Number(f"{name} by the slides' sums", slides[ours], auto[ours].reshape(np.shape(slides[ours])))
              for name, ours in names.items() if ours in slides),
            *(Number(name, new[i][k], RULES_PARAMS[i][k] - eta * auto[f"d{k}{i // 2 + 1}"]) for name, k, i in updates),
        ),
        reports=(verify(RULES, RULES_PARAMS, RULES_X, RULES_T, LOSS, seed=3),),
    )  # fmt: skip


def unknown_function() -> System:
    """In[3]-In[4]: t = 2 x1 - x2 + 5 x3 for three inputs."""
    t, _ = Linear(3, 1, bias=False).forward({"W": COEFFICIENTS}, X)
    auto = F.linear(torch.from_numpy(X), torch.from_numpy(COEFFICIENTS))
    return System("U-S4", "data: unknown_function", (Number("t", t, auto, ("4.", "29.", "9.")),))


def regression() -> System:
    """In[5]-In[10]: hidden_linout = x W1^T + b1, predicted = tanh(..) W2^T + b2; mse = mean (t - predicted)^2."""
    p, auto, mean = gradients(NET, PARAMS, X, T, LOSS), autograd(NET, PARAMS, X, T, LOSS), MEAN.forward
    y = torch.from_numpy(auto["z2"])
    counts = [sum(a.size for a in layer.values()) for layer in PARAMS]
    auto_counts = [sum(q.numel() for q in stage.parameters()) for stage in twin(NET).children()]
    hidden = ("0.99999977", "0.98367486", "0.99999939", "0.9800964", "0.99999834", "0.97574313")
    weights = [w for layer in PARAMS for w in layer.values()]
    return System(
        "U-S5",
        "3-2-1 tanh regression: forward",
        (
            Number("predicted", p["z2"], auto["z2"], ("2.98367463", "2.98009578", "2.97574147")),
            Number("hidden_linout", p["z1"], auto["z1"]),
            Number("hidden_output", p["h1"], auto["h1"], hidden),
            Number("mse", mean(p["z2"], T)[0], F.mse_loss(y, torch.from_numpy(T)), ("238.120007837",)),
            Number("1/2 sum, whose gradient follows", p["loss"], auto["loss"]),
            Number("predicted by his listing", listing(*weights, 0.0, X, T)[2], auto["z2"]),
            Number("parameters of the hidden layer", counts[0], auto_counts[0], ("8",)),
            Number("parameters of the output layer", counts[2], auto_counts[2]),
            Number("parameters", sum(counts), sum(auto_counts), ("11",)),
        ),
    )


def one_step() -> System:
    """In[11]-In[16]: delta_output = p - t, delta_hidden = delta_output W2 (1 - tanh^2); dW = delta^T h, lr 0.001."""
    p, auto = gradients(NET, PARAMS, X, T, LOSS), autograd(NET, PARAMS, X, T, LOSS)
    mean, auto_mean = gradients(NET, PARAMS, X, T, MEAN), autograd(NET, PARAMS, X, T, MEAN)
    new, by_torch = sgd(PARAMS, p.dparams, 0.001), unflat(train_by_torch((0.001,), 1)[0].v[-1])
    fresh, fresh_auto = gradients(NET, new, X, T, MEAN), autograd(NET, by_torch, X, T, MEAN)
    weights = [w for layer in PARAMS for w in layer.values()]
    delta_output, delta_hidden, _, *his = listing(*weights, 0.001, X, T)
    names = {"delta_output": "dz2", "delta_hidden": "dz1", "dW2": "dW2", "db2": "db2", "dW1": "dW1", "db1": "db1"}
    return System(
        "U-S6",
        "3-2-1: one update, lr 0.001",
        (
            Number("printed after the update: predicted before it", p["z2"], auto["z2"],
                   ("2.98367463", "2.98009578", "2.97574147")),
            Number("predicted after the update", fresh["z2"], fresh_auto["z2"]),
            Number("mse after the update", fresh["loss"], fresh_auto["loss"]),
            *(Number(name, p[ours], auto[ours]) for name, ours in names.items()),
            Number("dx", p["dx"], auto["dx"]),
            *(Number(f"{name} of the mse", mean[name], auto_mean[name]) for name in ("dW2", "db2", "dW1", "db1")),
            *(Number(f"{k}{i // 2 + 1} after", new[i][k], by_torch[i][k]) for i in (0, 2) for k in ("W", "b")),
            Number("delta_output by his listing", delta_output, auto["dz2"]),
            Number("delta_hidden by his listing", delta_hidden, auto["dz1"]),
            Number("W1, b1, W2, b2 after, by his listing", flat([dict(enumerate(his))]), flat(by_torch), separate=True),
        ),
        reports=(verify(NET, PARAMS, X, T, LOSS, seed=6), verify(NET, PARAMS, X, T, MEAN, seed=6)),
        notes=(f"his gradient is {(p['db2'] / mean['db2']).item():.12g} times that of the mse he prints (U-E1)",),
    )  # fmt: skip


def thousand() -> System:
    """In[17]: 1,000 iterations at lr 0.001, and what the lecture says about the learning rate and the result."""
    by_torch = dict(zip(RATES, train_by_torch(RATES, 2000), strict=True))
    path = train(0.001, 1000).v
    return System(
        "U-S7",
        "3-2-1: 1,000 iterations, lr 0.001",
        (*printed(by_torch), *edge(by_torch[0.001]), *claims(by_torch)),
        reports=[verify(NET, unflat(path[i]), X, T, LOSS, seed=7, name=f"3-2-1 at iteration {i}")
                 for i in (300, 792, 900, 999)],
        notes=notes(),
    )  # fmt: skip


# Plots.


def plot_curvature(ax: Any) -> None:
    """lr x curvature along both runs, and the 2 that it must not pass."""
    for lr, iterations in ((0.001, 1000), (0.0005, 2000)):
        products = curvature(train(lr, iterations).v[:-1], lr)  # of every iteration: beyond 2 it leaps
        top = int(products.argmax())
        (line,) = ax.plot(np.arange(iterations) * lr, products, label=f"lr {lr:g}, at most {products[top]:.3g}")
        ax.plot(top * lr, products[top], "o", color=line.get_color())
    ax.axhline(2, color="black", linewidth=0.8)
    ax.set(xlabel="lr x iteration", ylabel="lr x largest curvature", title="The edge of stability")
    ax.legend()


def plot_one_ulp(ax: Any) -> None:
    """How a change of the start by one unit in the last place grows."""
    for lr, iterations in ((0.001, 1000), (0.0005, 2000)):
        apart = np.maximum(moved(lr, iterations).max(axis=1), 1e-17)
        ax.semilogy(np.arange(iterations) * lr, apart, label=f"lr {lr:g}")
    ax.set(xlabel="lr x iteration", ylabel="predictions moved by", title="One unit in the last place of the start")
    ax.legend()


def plot_rates(ax: Any) -> None:
    """The mean squared error at slow, good, dead and diverging learning rates."""
    for lr in (1e-5, 1e-4, 0.0005, 0.001, 0.003, 0.1, 0.25, 0.3):
        mse = train(lr, 1600 if lr == 0.25 else 1000).mse[:1000]
        ax.semilogy(np.where(mse < 1e9, mse, np.nan), label=f"lr {lr:g}")
    ax.set(xlabel="iteration", ylabel="mean squared error", title="Learning rates", ylim=(1, 1e9))
    ax.legend(ncols=2)


SYSTEMS = (activations, unit, sigmoid_rules, unknown_function, regression, one_step, thousand)
PLOTS = {
    "activations": activation_curves("sigmoid", "tanh", "relu"),
    "curvature": plot_curvature,
    "one_ulp": plot_one_ulp,
    "rates": plot_rates,
}


if __name__ == "__main__":
    sys.exit(main(SYSTEMS, PLOTS))
