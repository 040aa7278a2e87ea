"""An answer key to Selker's problems 1 to 12, for which none was ever published.

An answer is a formula typed out by hand with math.tanh alone, or the class that the problem asks for; beside it stands
what autograd makes of the same network. The figures' numbers are those of the author's own published problem set.
"""

import sys
from collections.abc import Sequence
from math import atanh, exp, expm1, tanh

import numpy as np
import torch

from handgrad.course.lecture import Number, System
from handgrad.course.text import main
from handgrad.lectures.selker import DIAMOND, FIGURE_4, FIGURE_4_INPUT, ZERO, cycle
from handgrad.lectures.selker_letters import LETTERS, encode, indices
from handgrad.lectures.selker_network import by_autograd, one_by_one, train_by_torch, with_weights


class Neuron:
    """Problem 3's class: it knows the neurons it reads and its weights, and it keeps its activation.

    `manual.Neuron` keeps nothing and serves any network; this one walks back along every path, which is fine for a few
    layers. An input has no neurons to read: its activation is set from outside.
    """

    def __init__(self, inputs: Sequence["Neuron"] = (), weights: Sequence[float] = ()) -> None:
        self.inputs, self.weights = list(inputs), list(weights)
        self.activation = 0.0
        self.slopes = [0.0] * len(self.weights)  # dE/dw, gathered over all paths

    def evaluate(self) -> float:
        """tanh of the weighted sum of what the inputs evaluate to."""
        if self.inputs:
            self.activation = tanh(sum(i.evaluate() * w for i, w in zip(self.inputs, self.weights, strict=True)))
        return self.activation

    def backprop(self, slope: float) -> None:
        """Given dE/d(activation) along one path: gather dE/dw, and hand every input its share."""
        dz = slope * tanh_deriv_from_output(self.activation)
        for k, (i, w) in enumerate(zip(self.inputs, self.weights, strict=True)):
            self.slopes[k] += dz * i.activation
            i.backprop(dz * w)

    def learn(self, rate: float) -> None:
        """Subtract, once every path has been walked: a weight that changes before that would be passed back wrong."""
        self.weights = [w - rate * d for w, d in zip(self.weights, self.slopes, strict=True)]
        self.slopes = [0.0] * len(self.weights)


def tanh_deriv_from_output(h: float) -> float:
    return 1 - h * h


def inputs(values: Sequence[float]) -> list[Neuron]:
    """Neurons that only hold a value."""
    found = [Neuron() for _ in values]
    for neuron, value in zip(found, values, strict=True):
        neuron.activation = float(value)
    return found


def simple_network() -> tuple[Neuron, list[Neuron]]:
    """Problem 4: Figure 4 as an output neuron, and the two hidden ones that it reads."""
    x = inputs(FIGURE_4_INPUT[0])
    hidden = [Neuron(x, row) for row in FIGURE_4[0].tolist()]
    return Neuron(hidden, FIGURE_4[1][0].tolist()), hidden


def abcd_network(letter: str, weight: float = 0.5493) -> list[Neuron]:
    """Problem 5: 28 neurons that read the 28 numbers of a letter."""
    code = inputs(encode(letter)[0].tolist())
    return [Neuron(code, row) for row in cycle(weight).tolist()]


def run_and_train(layer: Sequence[Neuron], letter: str, after: str, rate: float) -> None:
    """One letter: evaluate, take the error's derivative o - t, backpropagate, subtract."""
    for i, value in zip(layer[0].inputs, encode(letter)[0].tolist(), strict=True):
        i.activation = value
    for neuron, target in zip(layer, encode(after)[0].tolist(), strict=True):
        neuron.backprop(neuron.evaluate() - target)
        neuron.learn(rate)


# The problems. `t` asks torch.


def t(x: float) -> torch.Tensor:
    return torch.tensor(x, dtype=torch.float64, requires_grad=True)


def problem_1() -> System:
    """tanh(x) = (e^x - e^-x) / (e^x + e^-x)."""

    def stable(x: float) -> float:
        less = expm1(-2 * abs(x))  # e^-2|x| - 1, between -1 and 0, with all its digits near 0
        return (-1 if x >= 0 else 1) * less / (2 + less)

    x = [-1.0, 0.0, 1.0, 2.0, 0.5, -3.0]
    far = [-1000.0, 710.0]
    near = [1e-9, -1e-20]
    return System(
        "P1",
        "tanh",
        (
            Number("(e^x - e^-x) / (e^x + e^-x)", [(exp(v) - exp(-v)) / (exp(v) + exp(-v)) for v in x], torch_tanh(x)),
            Number("(1 - e^-2x) / (1 + e^-2x), x >= 0", [*map(stable, x)], torch_tanh(x)),
            Number("the same at -1000, 710", [*map(stable, far)], torch_tanh(far)),
            *(Number(f"the same at {v:g}", stable(v), torch_tanh([v])[0]) for v in near),
        ),
        notes=("e^710 is too large for a float: divide both by e^|x| and only e^-2|x| is left",),
    )


def torch_tanh(x: Sequence[float]) -> torch.Tensor:
    return torch.tanh(torch.tensor(x, dtype=torch.float64))


def problem_2() -> System:
    """Figure 4 on paper: tanh(2 tanh(0.5 1 + 1 0.5) + 1 tanh(0.5 0.5 + 1 2))."""
    top, bottom = tanh(0.5 * 1 + 1 * 0.5), tanh(0.5 * 0.5 + 1 * 2)
    auto = figure_4()
    return System(
        "P2",
        "Figure 4 on paper",
        (
            Number("output", tanh(2 * top + 1 * bottom), auto["h2"].item()),
            Number("hidden", [top, bottom], auto["h1"][0]),
        ),
    )


def figure_4() -> dict[str, np.ndarray]:
    return by_autograd(*with_weights(*FIGURE_4), FIGURE_4_INPUT, ZERO)


def problem_3() -> System:
    """Neuron.evaluate: tanh of the sum of activation times weight."""
    neuron = Neuron(inputs([0.3, -0.7]), [0.5, 2.0])
    return System(
        "P3", "Neuron.evaluate", [Number("o", neuron.evaluate(), torch.tanh(t(0.3 * 0.5 - 0.7 * 2.0)).item())]
    )


def problem_4() -> System:
    """simple_network: Figure 4 by the class; the number of problem 2."""
    return System("P4", "simple_network", [Number("output", simple_network()[0].evaluate(), figure_4()["h2"].item())])


def problem_5() -> System:
    """abcd_network: b reads a, c reads b, d reads c, a reads d; fed with its own guesses it goes on."""
    text, values = "a", []
    while len(text) < 12:
        scores = [neuron.evaluate() for neuron in abcd_network(text[-1])]
        values.append(max(scores))
        text += LETTERS[scores.index(max(scores))]
    auto = by_autograd(*with_weights(cycle(0.5493)), encode(text[:-1]), None)["h1"]
    return System(
        "P5",
        "abcd_network",
        (Number("highest outputs", values, auto.max(1)), Number("its letters", indices(text[1:]), auto.argmax(1))),
        notes=(f"it writes {text}",),
    )


def problem_6() -> System:
    """tanh_deriv(x) = 1 - tanh(x)^2."""
    x = [-1.0, 0.0, 1.0, 2.0, 0.5, -3.0]
    auto = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    torch.tanh(auto).sum().backward()
    return System("P6", "tanh_deriv", [Number("1 - tanh^2", [1 - tanh(v) ** 2 for v in x], auto.grad)])


def problem_7() -> System:
    """f(i, w) = i w: df/dw = i, df/di = w."""
    i, w = t(0.5), t(2.0)
    (i * w).backward()
    return System("P7", "one connection", (Number("df/dw = i", 0.5, w.grad), Number("df/di = w", 2.0, i.grad)))


def problem_8() -> System:
    """o = tanh(i w): do/dw = i (1 - o^2), do/di = w (1 - o^2)."""
    i, w = t(0.5), t(2.0)
    torch.tanh(i * w).backward()
    o = tanh(0.5 * 2)
    return System(
        "P8",
        "two neurons",
        (
            Number("do/dw = i (1 - o^2)", 0.5 * (1 - o * o), w.grad),
            Number("do/di = w (1 - o^2)", 2 * (1 - o * o), i.grad),
        ),
    )


def problem_9() -> System:
    """h = tanh(i w1), o = tanh(h w2)."""
    i, w1, w2 = t(0.5), t(2.0), t(0.5)
    torch.tanh(torch.tanh(i * w1) * w2).backward()
    h = tanh(0.5 * 2)
    o = tanh(h * 0.5)
    back = (1 - o * o) * 0.5 * (1 - h * h)
    return System(
        "P9",
        "three neurons",
        (
            Number("do/dw1 = (1 - o^2) w2 (1 - h^2) i", back * 0.5, w1.grad),
            Number("do/di = (1 - o^2) w2 (1 - h^2) w1", back * 2, i.grad),
            Number("do/dw2 = (1 - o^2) h", (1 - o * o) * h, w2.grad),
        ),
    )


def problem_10() -> System:
    """d(a + b + c + ...)/da = 1: a sum hands its derivative to every argument as it is."""
    a = torch.tensor([0.3, -0.2, 0.5], dtype=torch.float64, requires_grad=True)
    a.sum().backward()
    return System("P10", "a sum", [Number("1 for each argument", [1.0, 1.0, 1.0], a.grad)])


def problem_11() -> System:
    """E = 1/2 sum (o - t)^2: dE/do = o - t."""
    o, targets = [0.3, -0.2, 0.5], [0.5, 0.0, 0.0]
    auto = torch.tensor(o, dtype=torch.float64, requires_grad=True)
    E = ((auto - torch.tensor(targets, dtype=torch.float64)) ** 2).sum() / 2
    E.backward()
    away = [a - b for a, b in zip(o, targets, strict=True)]
    return System(
        "P11",
        "the error",
        (Number("dE/do = o - t", away, auto.grad), Number("E", sum(d * d for d in away) / 2, E.item())),
    )


def problem_12() -> System:
    """The diamond, target 0: dE/di = o (1 - o^2) [2 (1 - h1^2) 1 + 1 (1 - h2^2) 0.5], the sum over both paths."""
    h1, h2 = tanh(0.5 * 1), tanh(0.5 * 0.5)
    o = tanh(h1 * 2 + h2 * 1)
    back = o * (1 - o * o)
    auto = by_autograd(*with_weights(*DIAMOND), np.array([[0.5]]), ZERO)
    return System(
        "P12",
        "the diamond",
        (
            Number("dE/di", back * (2 * (1 - h1 * h1) * 1 + 1 * (1 - h2 * h2) * 0.5), auto["dx"].item()),
            Number("E = o^2 / 2", o * o / 2, auto["loss"]),
            Number(
                "dE/dw into the middle", [back * 2 * (1 - h1 * h1) * 0.5, back * (1 - h2 * h2) * 0.5], auto["dW1"][:, 0]
            ),
            Number("dE/dw out of the middle", [back * h1, back * h2], auto["dW2"][0]),
        ),
    )


def backprop() -> System:
    """backprop, for which no test was given: Figure 4, target 0. Gather along every path, then subtract."""
    output, hidden = simple_network()
    output.backprop(output.evaluate())
    auto = figure_4()
    return System(
        "P-b",
        "backprop",
        (
            Number("dE/dw of the output", output.slopes, auto["dW2"][0]),
            Number("dE/dw of the hidden neurons", [neuron.slopes for neuron in hidden], auto["dW1"]),
        ),
    )


def training() -> System:
    """run_and_train: abcd from weights 0, rate 1, 100 times through; the weights reach 2 atanh(0.5)."""
    layer = abcd_network("a", 0.0)
    for letter, after in ["ab", "bc", "cd", "da"] * 100:
        run_and_train(layer, letter, after, 1.0)
    order = one_by_one(4, 100)
    start = with_weights(np.zeros((28, 28)))[1]
    auto = train_by_torch(start, encode("abcd"), encode("bcda"), 1.0, order).params[0]["W"]
    return System(
        "P-t",
        "run_and_train",
        (
            Number("b reads a with", layer[1].weights[0], auto[1, 0], within=1e-9),
            Number("all weights", [neuron.weights for neuron in layer], auto, within=1e-9),
        ),
        notes=(f"2 atanh(0.5) = {2 * atanh(0.5):.7f}",),
    )


ANSWERS = (
    problem_1, problem_2, problem_3, problem_4, problem_5, problem_6, problem_7, problem_8, problem_9, problem_10,
    problem_11, problem_12, backprop, training,
)  # fmt: skip

if __name__ == "__main__":
    sys.exit(main(ANSWERS))
