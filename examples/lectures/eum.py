"""Suyong Eum, Practical Machine Learning, lecture 7: Neural Networks. Run it, and read it beside the slides.

Eum                                           here
w_ij(l), from i to j; bias w_0j, x_0 = 1      W[j, i] and b[j]: row j holds the weights into unit j
a the weighted sum, z = sigma(a)              z the weighted sum, h = sigma(z)
one sample                                    one sample per row
L layers: L - 1 hidden and the output layer   Linear layers are counted, the input is none
w + eta dE/dw (wrong, see eum_errata.py)      w - eta dE/dw

E-S4 and E-S7 stand in eum_worked.py, E-S8 to E-S10 in eum_signal.py. With --plots FOLDER it draws three curves.
"""

import sys
from typing import Any

import numpy as np
import torch

from handgrad import verify, verify_function
from handgrad.course.lecture import Number, System, autograd, torch_twin
from handgrad.course.text import main
from handgrad.lectures.eum_signal import (
    HALF,
    initialisation,
    partial,
    plot_signal,
    plot_vanishing,
    vanishing,
)
from handgrad.lectures.eum_worked import plot_update, toy, worked_example
from handgrad.report.report import Report
from manual import (
    BinaryStep,
    Linear,
    Network,
    Neuron,
    NotDifferentiableError,
    Sigmoid,
    Softmax,
    SoftmaxCrossEntropy,
    backprop,
    evaluate,
    gradients,
    mlp,
)
from manual.layers.activations import activation
from manual.layers.sigmoid import sigmoid

ROWS = np.array([[1.0, 1.0], [1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])  # in the order of the slide
GATES = {"OR": ([1.0, 1.0], -0.5), "NAND": ([-1.0, -1.0], 1.5), "AND": ([1.0, 1.0], -1.5)}
XOR = np.array([[0.0], [1.0], [1.0], [0.0]])


def gate_network(f: Any, scale: float) -> tuple[Network, Any]:
    """z1 = OR(x), z2 = NAND(x), y = AND(z1, z2): the weights of the lost figure, times `scale`."""
    hidden = {"W": np.array([GATES["OR"][0], GATES["NAND"][0]]), "b": np.array([GATES["OR"][1], GATES["NAND"][1]])}
    top = {"W": np.array([GATES["AND"][0]]), "b": np.array([GATES["AND"][1]])}
    params = ({k: scale * v for k, v in hidden.items()}, {}, {k: scale * v for k, v in top.items()}, {})
    return Network((Linear(2, 2), f, Linear(2, 1), f)), params


def by_torch(net: Network, params: Any, x: Any) -> list[Any]:
    """The output of every layer of the twin."""
    h, found = torch.tensor(x), []
    for layer in torch_twin(net, params):
        h = layer(h).detach()
        found.append(h)
    return found


def hidden_layer() -> System:
    """z1 = w2 x2 + w1 x1 + w0, z2 = w5 x2 + w4 x1 + w3; AND on top gives XOR, which one unit cannot."""
    steps, weights = gate_network(BinaryStep(), 1)
    y, trace = steps.forward(weights, ROWS)
    auto = by_torch(steps, weights, ROWS)
    single = Network((Linear(2, 1), BinaryStep()))
    gate = ({"W": np.array([GATES["AND"][0]]), "b": np.array([GATES["AND"][1]])}, {})

    smooth, steep = gate_network(Sigmoid(), 20)
    p, q = gradients(smooth, steep, ROWS, XOR, HALF), autograd(smooth, steep, ROWS, XOR, HALF)
    A = np.column_stack([ROWS, np.ones(4)])
    best = np.linalg.lstsq(A, XOR, rcond=None)[0]
    theirs = torch.linalg.lstsq(torch.tensor(A), torch.tensor(XOR)).solution
    theirs_off = torch.tensor(A) @ theirs - torch.tensor(XOR)
    try:
        gradients(steps, weights, ROWS, XOR, HALF)
        refusal = "the step has a gradient"
    except NotDifferentiableError as error:
        refusal = str(error)
    numbers = (
        Number("y = XOR, step", y, auto[3], ["0", "1", "1", "0"]),
        Number("z2 = NAND, step", trace[1].y[:, 1], auto[1][:, 1], ["0", "1", "1", "1"]),
        Number("z1 = OR, step", trace[1].y[:, 0], auto[1][:, 0]),
        Number("AND alone, step", single.forward(gate, ROWS)[0], by_torch(single, gate, ROWS)[1]),
        Number("y, sigmoid, weights x 20", p.y, q["h2"]),
        Number("z1, sigmoid", p["h1"][:, 0], q["h1"][:, 0]),
        Number("z2, sigmoid", p["h1"][:, 1], q["h1"][:, 1]),
        Number("one linear unit: its outputs", A @ best, torch.tensor(A) @ theirs),
        Number("one linear unit: squared error", np.sum((A @ best - XOR) ** 2), (theirs_off**2).sum()),
    )
    report = verify(smooth, steep, ROWS, XOR, HALF, seed=1, name="the sigmoid version")
    notes = [f"the step version cannot be trained: {refusal}"]
    return System("E-S1", "hidden layer: XOR = AND(OR, NAND)", numbers, (report,), notes)


POINTS = np.array([-2.0, -0.5, 0.0, 0.5, 2.0])
TABLE = {
    "identity": lambda x: x,
    "logistic": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "leaky_relu": lambda x: torch.nn.functional.leaky_relu(x, 0.01),
}


def layer_of(name: str) -> Any:
    """manual's layer for a row of the table."""
    return activation("sigmoid" if name == "logistic" else name)


def judged(layer: Any, f: Any, name: str) -> Report:
    """The layer beside torch's function, at ordinary and special inputs, kinks among them."""
    return verify_function(
        lambda x: layer.forward({}, x), lambda dy, c: layer.backward({}, c, dy)[0], f, [(3, 4)], seed=1, name=name
    )


def step_from_zero(x: Any) -> Any:
    """Eum's binary step, 1 for x >= 0 (manual's is 1 for z > 0): the two differ at 0 alone."""
    return 1 - BinaryStep().forward({}, -x)[0]


def slopes(name: str, x: Any) -> Any:
    """f'(x) by manual's backward pass, from an upstream of ones."""
    layer = layer_of(name)
    return layer.backward({}, layer.forward({}, x)[1], np.ones_like(x))[0]


def quotients(name: str, x: Any, h: float = 1e-6) -> tuple[Any, Any, Any]:
    """(f(x) - f(x - h)) / h, (f(x + h) - f(x)) / h and the central quotient: what the values alone say of f'."""
    f = step_from_zero if name == "binary_step" else lambda v: layer_of(name).forward({}, v)[0]
    left, here, right = f(x - h), f(x), f(x + h)
    return (here - left) / h, (right - here) / h, (right - left) / (2 * h)


def activations() -> System:
    """f and f' of the table. At 0 the step has no f', and the rectifiers have one from each side."""
    numbers, reports = [], []
    for name, f in TABLE.items():
        leaf, layer = torch.tensor(POINTS, requires_grad=True), layer_of(name)
        slope = torch.autograd.grad(f(leaf).sum(), leaf)[0]
        numbers.append(Number(f"{name}: f'(x)", slopes(name, POINTS), slope, separate=True))
        numbers.append(Number(f"{name}: f(x)", layer.forward({}, POINTS)[0], f(leaf), separate=True))
        reports.append(judged(layer, f, name))
    heaviside = torch.heaviside(torch.tensor(POINTS), torch.ones(1, dtype=torch.float64))
    numbers.append(Number("binary_step: f(x)", step_from_zero(POINTS), heaviside))
    notes = []
    for name in ("relu", "leaky_relu"):
        left, right, _ = quotients(name, np.zeros(1))
        notes.append(
            f"{name} at 0: {left[0]:g} from the left, {right[0]:g} from the right, so no number is its derivative "
            f"there (print: 1); torch and manual take {slopes(name, np.zeros(1))[0]:g} by convention"
        )
    return System("E-S2", "activation functions and their derivatives", numbers, reports, notes)


OUT, T = np.array([[-5.0, -1.0, 1.0, 5.0]]), np.array([[0.0, 0.0, 0.0, 1.0]])


def normalised(o: Any) -> Any:
    """s / sum s, s = sigma(o): sigmoids made to sum to 1, and what the backward pass needs."""
    s = sigmoid(o)
    S = s.sum(axis=1, keepdims=True)
    return -np.sum(T * np.log(s / S)), (s, S)


def normalised_backward(dH: Any, cache: Any) -> Any:
    s, S = cache
    # forward: H = -sum t ln s + ln S, s = sigma(o), S = sum s, sum t = 1
    # so:      dH/do = s (1 - s) (1/S - t/s)
    return dH * (s * (1 - s) * (1 / S - T / s))


def torch_normalised(o: torch.Tensor) -> torch.Tensor:
    s = torch.sigmoid(o)
    return -(torch.tensor(T) * torch.log(s / s.sum(1, keepdim=True))).sum()


def softmax_table() -> System:
    """y = e^o / sum e^o, H = -sum t ln y, dH/do = y - t; beside it sigmoids and sigmoids divided by their sum."""
    soft, H = Softmax().forward({}, OUT)[0], SoftmaxCrossEntropy("sum")
    value, cache = H.forward(OUT, T)
    leaf, t = torch.tensor(OUT, requires_grad=True), torch.tensor(T)
    s = torch.sigmoid(leaf)
    auto, other = torch.nn.functional.cross_entropy(leaf, t), torch_normalised(leaf)
    dauto, dother = (torch.autograd.grad(e, leaf)[0] for e in (auto, other))
    bad, (own, S) = normalised(OUT)
    numbers = (
        Number("H", value, auto, ["0.020621"], "E-E2"),
        Number("-ln(0.97959), of the printed softmax", -np.log(0.97959), None, ["0.020621"]),
        Number("softmax", soft, torch.softmax(leaf, 1), ["0.00004", "0.00243", "0.01794", "0.97959"]),
        Number("sigmoid", own, s, ["0.00669", "0.26894", "0.73106", "0.99331"]),
        Number("sigmoid over its sum", own / S, s / s.sum(), ["0.00334", "0.13447", "0.36553", "0.49666"], "E-E2"),
        Number("sum of the sigmoids", S.item(), s.sum()),
        Number("dH/do = y - t", H.backward(cache, 1.0), dauto),
        Number("H of normalised sigmoids", bad, other),
        Number("its gradient", normalised_backward(1.0, (own, S)), dother),
    )
    same = Network((Linear(4, 4),))
    reports = (
        verify(same, ({"W": np.eye(4), "b": np.zeros(4)},), OUT, T, H, seed=1, name="y - t"),
        verify_function(normalised, normalised_backward, torch_normalised, [OUT], seed=1, name="normalised sigmoids"),
    )
    notes = [
        f"for the right class softmax says {soft[0, 3]:.5f}, the normalised sigmoid {(own / S)[0, 3]:.5f}: "
        f"H {float(value):.6f} against {bad:.6f}"
    ]
    return System("E-S3", "softmax and cross-entropy", numbers, reports, notes)


def neuron_chain() -> System:
    """a = w1 z1 + w2 z2 + w3 z3: dE/dw = dE/dsigma . dsigma/da . da/dw."""
    z, w, t = (0.5, -1.0, 2.0), (0.3, 0.7, -0.2), 0.8
    unit = Neuron((0, 1, 2), w, activation="sigmoid")
    values = evaluate([unit], z)
    a, s = values.z[unit], values.h[unit]
    factors = (s - t, s * (1 - s), np.array(z))
    dw = backprop([unit], values, [s - t]).dw[unit]
    net, params = Network((Linear(3, 1, bias=False), Sigmoid())), ({"W": np.array([w])}, {})
    batch = (net, params, np.array([z]), np.array([[t]]), HALF)
    hand, auto = gradients(*batch), autograd(*batch)
    dsigma, da = auto["dh1"].item(), auto["dz1"].item()
    numbers = (
        Number("dE/dw, the neuron", dw, auto["dW1"].ravel()),
        Number("dE/dw, the layer", hand["dW1"].ravel(), auto["dW1"].ravel()),
        Number("dE/dw, product of the factors", factors[0] * factors[1] * factors[2], auto["dW1"].ravel()),
        Number("a", a, auto["z1"].item()),
        Number("sigma(a)", s, auto["h1"].item()),
        Number("E", hand["loss"], auto["loss"]),
        Number("dE/dsigma", factors[0], dsigma),
        Number("dsigma/da", factors[1], da / dsigma),
        Number("da/dw", factors[2], auto["dW1"].ravel() / da),
    )
    report = verify(*batch, seed=1, name="one neuron")
    return System("E-S5", "one neuron: the chain of three factors", numbers, (report,))


def next_layer() -> System:
    """dE/dz1 = sum over the K outputs of (y_k - t_k) y_k (1 - y_k) w_1k: one path through each."""
    net, rng = mlp([2, 2, 4], "sigmoid", "sigmoid"), np.random.default_rng(6)
    params, x, t = net.init(rng, biases="normal"), rng.normal(size=(1, 2)), rng.uniform(size=(1, 4))
    hand, auto = gradients(net, params, x, t, HALF), autograd(net, params, x, t, HALF)
    y, w = hand.y[0], params[2]["W"].T  # w[i, k], from hidden unit i to output k, as Eum indexes
    paths = [(y[k] - t[0, k]) * y[k] * (1 - y[k]) * w[0, k] for k in range(4)]
    numbers = (
        Number("dE/dz1, all paths summed", sum(paths), auto["dh1"][0, 0]),
        Number("dE/dz, both units", hand["dh1"], auto["dh1"]),
        Number("dE/dw(1)", hand["dW1"], auto["dW1"]),
        Number("dE/dw(2)", hand["dW2"], auto["dW2"]),
    )
    notes = [f"through the first output alone dE/dz1 would be {paths[0]:.6g}, through all {sum(paths):.6g}"]
    report = verify(net, params, x, t, HALF, seed=1, name="2-2-4")
    return System("E-S6", "next layer: the sum over K = 4 outputs", numbers, (report,), notes)


def plot_xor(ax: Any) -> None:
    """XOR of the step units: two lines, one for each hidden unit; the output is 1 between them."""
    net, params = gate_network(BinaryStep(), 1)
    x = np.linspace(-0.5, 1.5, 201)
    grid = np.stack(np.meshgrid(x, x), axis=-1).reshape(-1, 2)
    y = net.forward(params, grid)[0].reshape(201, 201)
    ax.contourf(x, x, y, levels=[-0.5, 0.5, 1.5], colors=["white", "gainsboro"])
    for name in ("OR", "NAND"):
        (w1, w2), b = GATES[name]
        ax.plot(x, -(b + w1 * x) / w2, label=f"{name}: {w1:+g} x1 {w2:+g} x2 {b:+g} = 0")
    for value, marker in ((1, "o"), (0, "x")):
        at = ROWS[XOR[:, 0] == value]
        ax.plot(at[:, 0], at[:, 1], marker, color="black", markersize=10, linestyle="", label=f"XOR = {value}")
    ax.set(xlabel="x1", ylabel="x2", xlim=(-0.5, 1.5), ylim=(-0.5, 1.5), title="XOR: no one line separates, two do")
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    ax.set_aspect("equal")


SYSTEMS = (
    hidden_layer, activations, softmax_table, toy, neuron_chain, next_layer, worked_example, initialisation, vanishing,
    partial,
)  # fmt: skip
PLOTS = {"eum_xor": plot_xor, "eum_update": plot_update, "eum_signal": plot_signal, "eum_vanishing": plot_vanishing}

if __name__ == "__main__":
    sys.exit(main(SYSTEMS, PLOTS))
