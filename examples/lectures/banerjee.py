"""Rajdeep Banerjee, "A Gentle Introduction to Neural Network": every system of the slides, its numbers, and autograd's.

His conventions against ours:
- samples are columns, z = W x + b; ours are rows, z = x W^T + b. W is (next x previous) in both.
- the loss is 1/n sum (yhat - y)^2 with "n = 2", that is 1/2 sum (yhat - y)^2; the right 1/n has the gradient 2/n.
- every neuron has a bias, but his listing never trains one.
- the derivative of the sigmoid is taken at z, e^-z / (1 + e^-z)^2; ours comes from the output, h (1 - h).
- L counts the hidden layers, so the output is layer L + 1.
"""

import sys
from typing import Any

import numpy as np
import torch
from torch.autograd.functional import jacobian
from torch.nn.functional import linear

from handgrad import verify
from handgrad.course.lecture import Number, System, autograd, torch_twin
from handgrad.course.plots import activation_curves
from handgrad.course.text import main
from handgrad.lectures.banerjee_batches import batches, epochs, left_out
from handgrad.lectures.banerjee_network import (
    NET,
    PARAMS,
    PRINTED,
    W1,
    W2,
    Trained,
    X,
    Y,
    b1,
    b2,
    equations,
    pseudocode,
    sigmoid_derivative,
    train,
    train_by_torch,
)
from manual import (
    BinaryStep,
    HalfSquaredError,
    Linear,
    MeanSquaredError,
    Network,
    Neuron,
    NotDifferentiableError,
    Sign,
    evaluate,
    gradients,
    mlp,
)

HALF, MEAN = HalfSquaredError(), MeanSquaredError()  # 1/2 sum; 1/n sum, which is the mean where there is one output
DATA, CHECKPOINTS = [(X, Y)] * 5000, [0, 9, 99, 999, 2499, 4999]
RUNS = {"right": (NET, False), "with biases": (NET, True), "as printed": (PRINTED, False)}  # biases trained?
XOR = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), np.array([[0.0], [1.0], [1.0], [0.0]])
XOR_STEPS = 500


def perceptron() -> System:
    """sign(w x + b), sign(z) = 1 if z > 0, -1 otherwise: at 0 it is -1, where numpy's and torch's sign give 0."""
    z = np.array([[2.5], [1e-300], [0.0], [-0.0], [-1e-300], [-3.0]])
    x = np.array([[1.0, 0.2, 0.6], [0.0, 0.0, 0.4], [-1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    net, step = Network((Linear(3, 1), BinaryStep())), BinaryStep()
    params = ({"W": np.array([[0.5, -1.0, 0.25]]), "b": np.array([-0.1])}, {})
    h, trace = net.forward(params, x)
    module = torch_twin(net, params)
    target = np.ones((4, 1))
    asked = {
        "gradients": lambda: gradients(net, params, x, target, HALF),
        "the judge": lambda: verify(net, params, x, target, HALF),
        "the torch twin": lambda: module(torch.from_numpy(x)).sum().backward(),
    }
    return System(
        "B-S1",
        "Rosenblatt's perceptron",
        (
            Number("sign of 2.5, 1e-300, 0, -0, -1e-300, -3", 2 * step.forward({}, z)[0] - 1,
                   2 * module[1](torch.from_numpy(z)) - 1, ("1", "1", "-1", "-1", "-1", "-1")),
            Number("z of four inputs", trace[0].y, module[0](torch.from_numpy(x))),
            Number("y of four inputs", 2 * h - 1, 2 * module(torch.from_numpy(x)) - 1),
        ),
        notes=(
            f"our Sign, like numpy's, gives {Sign().forward({}, np.zeros((1, 1)))[0].item():g} at 0: "
            "his is 2 BinaryStep - 1",
            *(f"asked for a gradient, {who} refuses: {refusal(ask)}" for who, ask in asked.items()),
        ),
    )  # fmt: skip


def refusal(ask: Any) -> str:
    """What is said instead of a gradient. RuntimeError if one is given."""
    try:
        ask()
    except NotDifferentiableError as error:
        return str(error)
    raise RuntimeError("a gradient passed through a step: it would be 0 and stop all learning without a word")


def single_neuron() -> System:
    """f = sigma(w x + b), sigma'(z) = e^-z / (1 + e^-z)^2."""
    x, net = np.array([[1.0, 0.2, 0.6]]), mlp([3, 1], output="sigmoid")
    params = ({"W": np.array([[0.5, -1.0, 0.25]]), "b": np.array([-0.1])}, {})
    p, auto = gradients(net, params, x, Y, HALF), autograd(net, params, x, Y, HALF)
    scalar = Neuron((0, 1, 2), (0.5, -1.0, 0.25), -0.1, "sigmoid")
    z = np.linspace(-30, 30, 13)
    slope = jacobian(torch.sigmoid, torch.from_numpy(z)).diagonal()
    rounding = 1e-12 + 2.0**-51 / sigmoid_derivative(z)  # torch's comes from the output, which is near 1 at z = 30
    return System(
        "B-S2",
        "single sigmoid neuron",
        (
            Number("f", p["h1"], auto["h1"]),
            Number("z", p["z1"], auto["z1"]),
            Number("f by one neuron, no matrices", evaluate([scalar], x[0].tolist()).h[scalar], auto["h1"].item()),
            Number("dw", p["dW1"], auto["dW1"]),
            Number("sigma'(z) as printed, z = -30 to 30", sigmoid_derivative(z), slope, within=rounding, separate=True),
        ),
        reports=(verify(net, params, x, Y, HALF, seed=2),),
        notes=(
            "sigma'(z) from z = 20 on: torch takes it from the output, h (1 - h), and 1 - h has lost most digits "
            "where h is near 1; the printed formula, and ours, keep them. The limit is that rounding",
        ),
    )


def forward() -> System:
    """z1 = W1 x + b1, h1 = sigma(z1), z2 = W2 h1 + b2, yhat = sigma(z2)."""
    p, auto, columns = gradients(NET, PARAMS, X, Y, HALF), autograd(NET, PARAMS, X, Y, HALF), equations(X.T, Y.T)
    ours = {"z1": "z1", "h1": "h1", "z2": "z2", "yhat": "h2"}
    sizes = [k.size for layer in PARAMS for k in layer.values()]
    return System(
        "B-S3",
        "2-5-1 in columns: forward",
        (
            *(Number(his, p[name].T, auto[name].T) for his, name in reversed(ours.items())),
            *(Number(f"{his}, his columns", columns[his], auto[name].T) for his, name in ours.items()),
            Number("L", p["loss"], auto["loss"]),
            Number("the shape of W1", p["W1"].shape, auto["W1"].shape, ("5", "2")),
            Number("parameters", sum(sizes), sum(q.numel() for q in torch_twin(NET, PARAMS).parameters())),
        ),
    )


def backward() -> System:
    """dz2 = (yhat - y) sigma'(z2), dW2 = dz2 h1^T, dh1 = W2^T dz2, dz1 = dh1 o sigma'(z1), dW1 = dz1 x^T.

    The computational graph: (i) dL/dyhat, (ii) dyhat/dz2, (iii) dz2/dW2, (iv) dz2/dh1, (v) dh1/dz1, (vi) dz1/dW1.
    """
    p, auto, columns = gradients(NET, PARAMS, X, Y, HALF), autograd(NET, PARAMS, X, Y, HALF), equations(X.T, Y.T)
    h1, h2 = p["h1"], p["h2"]
    factor = {"i": h2 - Y, "ii": h2 * (1 - h2), "iii": h1, "iv": p["W2"], "v": h1 * (1 - h1), "vi": X}
    z1, z2, W, V = (torch.from_numpy(a) for a in (p["z1"], p["z2"], W1, W2))
    x, h, b, c = (torch.from_numpy(a) for a in (X, h1, b1, b2))
    by_torch = {
        "i": auto["dh2"],
        "ii": jacobian(torch.sigmoid, z2)[0, 0],
        "iii": jacobian(lambda V: linear(h, V, c), V)[0, 0],
        "iv": jacobian(lambda h: linear(h, V, c), h)[0, 0],
        "v": jacobian(torch.sigmoid, z1)[0, :, 0].diagonal()[None],
        "vi": jacobian(lambda W: linear(x, W, b), W)[0, 0, :1],
    }
    output = factor["i"] * factor["ii"]
    hidden = (output @ factor["iv"]) * factor["v"]
    five = ("dz2", "dW2", "dh1", "dz1", "dW1")
    return System(
        "B-S4",
        "2-5-1: equations 1-5 and the graph's factors",
        (
            *(Number(n, p[n] if "W" in n else p[n].T, auto[n] if "W" in n else auto[n].T) for n in reversed(five)),
            *(Number(n, p[n], auto[n]) for n in ("db2", "db1")),
            *(Number(f"equation {i}: {n} in columns", columns[n], auto[n] if "W" in n else auto[n].T)
              for i, n in enumerate(five, 1)),
            *(Number(f"factor ({name})", value, by_torch[name]) for name, value in factor.items()),
            Number("(i)(ii)(iii) = dW2", output.T @ factor["iii"], auto["dW2"]),
            Number("(i)(ii)(iv)(v)(vi) = dW1", hidden.T @ factor["vi"], auto["dW1"]),
        ),
        reports=(verify(NET, PARAMS, X, Y, HALF, seed=4),),
    )  # fmt: skip


def training() -> System:
    """W <- W - alpha dW with alpha = 0.01, num_iterations = 5000; the listing leaves the biases as they are."""
    runs = {name: train(net, PARAMS, DATA, HALF, 0.01, biases=biases) for name, (net, biases) in RUNS.items()}
    fixed, biased = train_by_torch(NET, PARAMS, DATA, HALF, 0.01, biases=(False, True))
    by_torch = {"right": of_run(fixed), "with biases": of_run(biased)}  # autograd cannot make the printed mistake
    numbers = [
        Number(f"{name}: {what}", value, by_torch[name][what] if name in by_torch else None,
               within=1e-9, separate=" .. " in what)
        for name, run in runs.items()
        for what, value in of_run(run).items()
    ]  # fmt: skip
    right, printed = ([xor(net, seed).costs[-1] for seed in range(3)] for net in (NET, PRINTED))
    rose, first, *_, last = numbers[-1].ours, *runs["as printed"].costs
    return System(
        "B-S5",
        "2-5-1: 5,000 steps, alpha 0.01",
        numbers,
        [verify(NET, runs[name].params, X, Y, HALF, seed=5, name=f"2-5-1 trained, {name}") for name in by_torch],
        (
            f"with the printed line the cost goes from {first:.3g} to {last:.3g} and rises {rose} times: "
            "a falling cost is no evidence of a right gradient",
            f"XOR, alpha 1, cost after {XOR_STEPS} steps from 3 seeds: right {', '.join(f'{c:.2g}' for c in right)}; "
            f"as printed {', '.join(f'{c:.2g}' for c in printed)}",
        ),
    )


def of_run(run: Trained) -> dict[str, Any]:
    """What is shown of one training."""
    ends = {f"{k}{i // 2 + 1}": run.params[i][k] for i in (0, 2) for k in ("W", "b")}
    rises = int(np.sum(np.diff(run.costs) >= 0))
    ys = np.array([run.ys[i].item() for i in CHECKPOINTS])
    at = {"last cost": run.costs[-1], "cost 0, 9, 99 .. 4999": run.costs[CHECKPOINTS], "yhat 0, 9, 99 .. 4999": ys}
    return {**at, **ends, "updates that did not lower the cost": rises}


def xor(net: Network, seed: int) -> Trained:
    """The 2-5-1 network on XOR, biases trained."""
    return train(net, NET.init(seed, "normal"), [XOR] * XOR_STEPS, HALF, 1.0)


def hidden_layers() -> System:
    """L hidden layers: dz^(L+1) = 2/n (yhat - y) o sigma'(z^(L+1)), dz^l = W^(l+1)T dz^(l+1) o sigma'(z^l)."""
    rng = np.random.default_rng(6)
    numbers, reports = [], []
    for sizes in ([2, 4, 3, 1], [2, 5, 1], [2, 3, 4, 3, 2, 1]):
        net, L = mlp(sizes, "sigmoid", "sigmoid"), len(sizes) - 2
        params = net.init(rng, "normal", "normal")
        x, y = rng.uniform(-1, 1, (3, 2)), rng.uniform(0, 1, (3, 1))
        p, auto = gradients(net, params, x, y, MEAN), autograd(net, params, x, y, MEAN)
        his = pseudocode([q["W"] for q in params[::2]], [q["b"] for q in params[::2]], x.T, y.T)
        for l, dW in enumerate(his, 1):  # noqa: E741
            numbers += [
                Number(f"L = {L}: dW{l}", p[f"dW{l}"], auto[f"dW{l}"]),
                Number(f"L = {L}: dW{l}, his columns", dW, auto[f"dW{l}"]),
            ]
        reports.append(verify(net, params, x, y, MEAN, seed=6, name="-".join(map(str, sizes))))
    return System("B-S6", "L hidden layers, the pseudocode corrected", numbers, reports)


def plot_cost(ax: Any) -> None:
    """The slides' cost curve, and the same curve with the wrong line: nothing in it tells them apart."""
    for name, (net, biases) in RUNS.items():
        ax.plot(train(net, PARAMS, DATA, HALF, 0.01, biases=biases).costs, label=name)
    ax.set(xlabel="iteration", ylabel="cost", title="2-5-1, one data point, alpha = 0.01")
    ax.legend()


def plot_xor(ax: Any) -> None:
    """The cost on XOR: here the wrong line shows."""
    for name, net in (("right", NET), ("as printed (wrong)", PRINTED)):
        ax.semilogy(xor(net, 0).costs, label=name)
    ax.set(xlabel="iteration", ylabel="cost", title="2-5-1 on XOR, alpha = 1, biases trained")
    ax.legend()


SYSTEMS = (
    perceptron, single_neuron, forward, backward, training, hidden_layers, batches, epochs, left_out,
)  # fmt: skip
PLOTS = {"sigmoid": activation_curves("sigmoid"), "cost": plot_cost, "xor": plot_xor}

if __name__ == "__main__":
    sys.exit(main(SYSTEMS, PLOTS))
