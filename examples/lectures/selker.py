"""Adam Selker, "Overnight: Neural Networks and Backpropagation": every system, its numbers, and autograd's.

His conventions against ours:
- one neuron at a time and one sample at a time, no matrices: `manual.Neuron`, `evaluate`, `backprop`. Each network
  stands here on both floors, neurons and layers; they must agree with each other and with autograd.
- a neuron lists the weights it receives by: row k of our W, [to][from]. There are no biases.
- tanh everywhere, on the output too; the error is 1/2 sum (o - t)^2, the update w <- w - rate dE/dw after each sample.
- the figures are lost from the text; their numbers are those of the author's own published problem set.
"""

import sys
from collections.abc import Callable
from itertools import combinations
from math import atanh, log, tanh
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch.nn.functional import one_hot

from handgrad import verify_update
from handgrad.course.lecture import Number, System, torch_twin
from handgrad.course.plots import activation_curves
from handgrad.course.text import main
from handgrad.lectures.selker_letters import LETTERS, encode, english, indices
from handgrad.lectures.selker_mentioned import notes, one_number, plot_minima
from handgrad.lectures.selker_network import (
    HALF,
    Float,
    by_autograd,
    by_neurons,
    floors,
    judged,
    one_by_one,
    rounding_of,
    train,
    train_by_torch,
    train_neurons,
    with_weights,
)
from handgrad.lectures.selker_trials import plot_trials, trials
from manual import SGD, Neuron, Tanh, backprop, evaluate, gradients, mlp, sgd

FIGURE_4 = np.array([[1.0, 0.5], [0.5, 2.0]]), np.array([[2.0, 1.0]])  # W1, W2
FIGURE_4_INPUT = np.array([[0.5, 1.0]])
DIAMOND = np.array([[1.0], [0.5]]), np.array([[2.0, 1.0]])  # Problem 12
DIAMOND_INPUT = np.array([[0.5]])
ZERO = np.array([[0.0]])  # the target where the text names none
RIGHT = 2 * atanh(0.5)  # tanh(0.5 RIGHT) = 0.5
ABCD = {"0.5493": 0.5493, "2 atanh(0.5)": RIGHT, "1": 1.0, "5": 5.0}  # the first is the problem set's own


# The systems, in the lecture's order.


def tanh_neuron() -> System:
    """o = tanh(sum_i a_i w_i), tanh x = (e^x - e^-x) / (e^x + e^-x) (eq. 1), tanh' = 1 - tanh^2."""
    z = np.array([[-1.0, 0.0, 1.0, 2.0, 0.5, -3.0]])
    h, cache = Tanh().forward({}, z)
    dz, _ = Tanh().backward({}, cache, np.ones_like(z))
    far = Tanh().backward({}, Tanh().forward({}, np.array([[20.0]]))[1], np.ones((1, 1)))[0]
    auto, auto_far = (torch.tensor(a, requires_grad=True) for a in (z, [[20.0]]))
    for a in (auto, auto_far):
        torch.tanh(a).backward(torch.ones_like(a))
    alone = Neuron((0,), (1.0,))
    values = [evaluate([alone], [v]) for v in z[0]]
    slopes = [[backprop([alone], v, [1.0]).dx[0] for v in values]]
    torchs = torch.tanh(torch.from_numpy(z))
    a, w = np.array([[0.3, -0.7, 0.2]]), np.array([[0.5, -1.5, 2.0]])
    one = floors([w], a)
    measured = {"math": tanh, "numpy": np.tanh, "torch": lambda v: torch.tanh(torch.tensor(v).double()).item()}
    return System(
        "S-S1",
        "the tanh neuron",
        (
            Number("tanh of -1, 0, 1, 2, 0.5, -3", h, torchs, separate=True),
            Number("one neuron", [[v.h[alone] for v in values]], torchs, separate=True),
            Number("eq. (1)", as_printed(z), torchs, separate=True),
            Number("tanh'", dz, auto.grad, separate=True),
            Number("one neuron's slope", slopes, auto.grad, separate=True),
            *one.numbers(o="h1", **{"do/dw": "dW1", "do/da": "dx"}),
            Number("a rounded tanh is 1 from, float64 and float32", [atanh_below_one(53), atanh_below_one(24)]),
            Number("tanh' at 20", far, auto_far.grad),
        ),
        reports=(judged([w], a, ZERO, "tanh neuron"),),
        notes=(
            "'it can never get there', but here tanh x is exactly 1 from x = "
            + ", ".join(f"{first_one(f):.4f} ({library})" for library, f in measured.items()),
            f"eq. (1) as printed at 709, 710, 1e-9: {', '.join(f'{as_printed(v):.17g}' for v in (709.0, 710.0, 1e-9))}",
        ),
    )  # fmt: skip


def as_printed(x: Any) -> Any:
    """Eq. (1), literally."""
    with np.errstate(over="ignore", invalid="ignore"):
        return (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x))


def atanh_below_one(bits: int) -> float:
    """Where tanh is half a unit below 1, from where it rounds to 1: atanh(1 - 2^-(bits + 1))."""
    return log(2 ** (bits + 2) - 1) / 2


def first_one(f: Callable[[float], float]) -> float:
    """The smallest number whose tanh comes out as exactly 1, by bisection."""
    low, high = 0.0, 30.0
    while (middle := (low + high) / 2) not in (low, high):
        low, high = (low, middle) if f(middle) == 1 else (middle, high)
    return high


def figure_4() -> System:
    """o = tanh(2 tanh(0.5 1 + 1 0.5) + 1 tanh(0.5 0.5 + 1 2)); and why tanh: linear layers in a row are one layer."""
    both = floors(FIGURE_4, FIGURE_4_INPUT, ZERO)
    rng = np.random.default_rng(2)
    A, B, C = rng.normal(size=(6, 4)), rng.normal(size=(5, 6)), rng.normal(size=(3, 5))
    x, y = rng.normal(size=(2, 7, 4))
    linear = mlp([4, 6, 5, 3], "identity", "identity", bias=False)
    params = tuple(p for M in (A, B, C) for p in ({"W": M}, {}))
    bent = mlp([4, 6, 5, 3], "tanh", "tanh", bias=False)
    defect = bent.forward(params, x + y)[0] - bent.forward(params, x)[0] - bent.forward(params, y)[0]
    one_layer = torch.from_numpy(x) @ torch.from_numpy(C @ B @ A).T
    return System(
        "S-S2",
        "Figure 4: 2-2-1",
        (
            *both.numbers(o="h2", h="h1", **{"dE/dW1": "dW1", "dE/dW2": "dW2", "dE/dx": "dx"}),
            Number("C(B(A x)), and (C B A) x", linear.forward(params, x)[0], one_layer),
        ),
        reports=(judged(FIGURE_4, FIGURE_4_INPUT, ZERO, "2-2-1"),),
        notes=(
            f"with tanh after each they are not linear: f(x + y) - f(x) - f(y) is up to {np.abs(defect).max():.2f}",
        ),
    )


def encoding() -> System:
    """28 letters, 28 numbers: 'c' is [0 0 0.5 0 0 ... 0]. ASCII would tell the network that b and c are alike."""
    code = encode(LETTERS)
    ascii_bits = [bin(ord(a) ^ ord(b)).count("1") for a, b in ("ab", "bc", "ac", "az", "eo", "hi")]
    first, second = zip(*combinations(range(28), 2), strict=True)
    apart = np.linalg.norm(code[list(first)] - code[list(second)], axis=1)
    return System(
        "S-S3",
        "a letter as 28 numbers",
        (
            Number("'c', numbers 1 to 5 and 28", code[2, [0, 1, 2, 3, 4, 27]],
                   0.5 * one_hot(torch.tensor(2), 28).double()[[0, 1, 2, 3, 4, 27]], ("0", "0", "0.5", "0", "0", "0")),
            Number("all 28 letters", code, 0.5 * one_hot(torch.arange(28), 28).double()),
            Number("the place of 'c', space, underscore, '7'", indices("c _7")),
            Number("distance of any two letters", apart, torch.pdist(torch.from_numpy(code))),
            Number("bits that differ in ASCII: ab bc ac az eo hi", ascii_bits),
            *one_number(),
        ),
        notes=notes()[:1],
    )  # fmt: skip


def abcd() -> System:
    """Problem 5: b <- a, c <- b, d <- c, a <- d with weight w, all others 0: the output is tanh(0.5 w)."""
    x, t = encode("abcd"), encode("bcda")
    numbers = []
    for name, w in ABCD.items():
        net, params = with_weights(cycle(w))
        module = torch_twin(net, params)
        o, auto = net.forward(params, x)[0], module(torch.from_numpy(x)).detach()
        by_one = [by_neurons([cycle(w)], x[i : i + 1], t[i : i + 1])["h1"][0] for i in range(4)]
        numbers += [
            Number(f"w = {name}: the four winners", o.max(1), auto.max(1).values),
            Number(f"w = {name}: the four winners, neuron by neuron", [max(h) for h in by_one], auto.max(1).values),
            Number(f"w = {name}: 12 letters from 'a'", indices(written(lambda a, n=net, p=params: n.forward(p, a)[0])),
                   indices(written(lambda a, m=module: m(torch.from_numpy(a)).detach().numpy()))),
        ]  # fmt: skip
        if w != RIGHT:  # where the error is nothing but rounding
            error = ((auto - torch.from_numpy(t)) ** 2).sum(1) / 2
            numbers.append(Number(f"w = {name}: error of the four", ((o - t) ** 2).sum(1) / 2, error, separate=True))
    net, params = with_weights(cycle(ABCD["0.5493"]))
    p = gradients(net, params, x, t, HALF)
    return System(
        "S-S4",
        "abcdabcd: one layer, 28-28",
        (
            *numbers,
            Number(
                "'e', which it never saw",
                net.forward(params, encode("e"))[0],
                torch_twin(net, params)(torch.from_numpy(encode("e"))),
            ),
            Number("w = 0.5493: dE/dW", p["dW1"], by_autograd(net, params, x, t)["dW1"]),
        ),
        reports=(judged([cycle(ABCD["0.5493"])], x, t, "28-28"),),
        notes=(
            f"from 'a' it writes {written(lambda a: net.forward(params, a)[0])!r}",
            f"atanh(0.5) = {atanh(0.5):.4f} would give 0.5 from an input of 1; from 0.5 it takes {RIGHT:.4f}",
            f"at 0.5493 the letters are right and the error is not least: dE/dw = {p['dW1'][1, 0]:.3f}",
            "no biases: a letter without weights gives 28 zeros, a tie; the first letter of the alphabet wins it",
        ),
    )


def cycle(weight: float) -> Float:
    """W (28, 28): a points to b, b to c, c to d, d to a."""
    W = np.zeros((28, 28))
    W[[1, 2, 3, 0], [0, 1, 2, 3]] = weight
    return W


def written(f: Callable[[Float], Float]) -> str:
    """Twelve letters from 'a': each guess is fed back."""
    text = "a"
    while len(text) < 12:
        text += LETTERS[int(f(encode(text[-1])).argmax())]
    return text


def chain_of_two() -> System:
    """Problem 8: o = tanh(i w), do/dw = i (1 - o^2), do/di = w (1 - o^2)."""
    W, x = [np.array([[2.0]])], np.array([[0.5]])
    names = {"do/dw": "dW1", "do/di": "dx", "o": "h1"}
    return System("S-S5", "Problem 8: two neurons", floors(W, x).numbers(**names), (judged(W, x, ZERO, "1-1"),))


def chain_of_three() -> System:
    """Problem 9: do/dw1 = (1 - o^2) w2 (1 - h^2) i, do/di = (1 - o^2) w2 (1 - h^2) w1."""
    W, x = [np.array([[2.0]]), np.array([[0.5]])], np.array([[0.5]])
    names = {"do/dw1": "dW1", "do/di": "dx", "do/dw2": "dW2", "h": "h1", "o": "h2"}
    return System("S-S6", "Problem 9: three neurons", floors(W, x).numbers(**names), (judged(W, x, ZERO, "1-1-1"),))


def diamond() -> System:
    """Problem 12: two paths from the input to the output, E = 1/2 (o - 0)^2."""
    names = {"dE/di": "dx", "E": "loss", "o": "h2", "h": "h1", "dE/do": "dh2", "dE/dW1": "dW1", "dE/dW2": "dW2"}
    return System(
        "S-S7", "Problem 12: the diamond", floors(DIAMOND, DIAMOND_INPUT, ZERO).numbers(**names),
        (judged(DIAMOND, DIAMOND_INPUT, ZERO, "1-2-1"),),
    )  # fmt: skip


def training_loop() -> System:
    """Evaluate, take the error's derivative, backpropagate, subtract rate times dE/dw; after each letter, again."""
    x, t = encode("abcd"), encode("bcda")
    net, start = with_weights(np.zeros((28, 28)))
    order = one_by_one(4, 100)
    ours, auto = train(net, start, x, t, SGD(1.0), order), train_by_torch(start, x, t, 1.0, order)
    V, auto_W = (run.params[0]["W"] for run in (ours, auto))
    W, errors = train_neurons(np.zeros((28, 28)), x, t, 1.0, order)
    p = gradients(net, start, x[:1], t[:1], HALF)
    step = verify_update(net, start, x[:1], t[:1], HALF, sgd(start, p.dparams, 1.0), name="the first update")
    return System(
        "S-S8",
        "training by backpropagation",
        (
            Number("b <- a after 100 passes of abcd", V[1, 0], auto_W[1, 0], within=1e-9),
            Number("b <- a, neuron by neuron", W[1, 0], auto_W[1, 0], within=1e-9),
            Number("W", V, auto_W, within=1e-9),
            Number("W, neuron by neuron", W, auto_W, within=1e-9),
            Number("error of each update", ours.errors, auto.errors, within=rounding_of(auto.errors), separate=True),
            Number("error of each update, neuron by neuron", errors, auto.errors,
                   within=rounding_of(auto.errors), separate=True),
        ),
        reports=(judged([V], x, t, "28-28, trained"),),
        notes=(f"it should reach 2 atanh(0.5) = {RIGHT:.7f}", str(step), *cost()),
    )  # fmt: skip


def cost() -> tuple[str, ...]:
    """The claim: every derivative takes about as long as one evaluation of the network. Timed here and now."""
    said = []
    for hidden in (50, 400):
        net = mlp([28, hidden, hidden, 28], "tanh", "tanh", bias=False)
        params, x = net.init(0), encode("a")
        o, trace = net.forward(params, x)
        ratio = ratio_of_times(
            lambda n=net, p=params, t=trace, d=o: n.backward(p, t, d), lambda n=net, p=params, x=x: n.forward(p, x)
        )
        weights = sum(p["W"].size for p in params[::2])
        said.append(
            f"{weights:,} weights: forward and backward take {1 + ratio:.1f} evaluations (the median of 20 timings on "
            f"this machine); to nudge each weight would take {weights:,}"
        )
    return tuple(said)


def ratio_of_times(f: Callable[[], Any], g: Callable[[], Any]) -> float:
    """How many times as long f takes: the median over 20 pairs, timed one right after the other."""

    def seconds(h: Callable[[], Any]) -> float:
        start = perf_counter()
        h()
        return perf_counter() - start

    return median(seconds(f) / seconds(g) for _ in range(20))


SYSTEMS = (
    tanh_neuron, figure_4, encoding, abcd, chain_of_two, chain_of_three, diamond, training_loop, english, trials,
)  # fmt: skip
PLOTS = {"tanh": activation_curves("tanh"), "trial_and_error": plot_trials, "local_minima": plot_minima}

if __name__ == "__main__":
    sys.exit(main(SYSTEMS, PLOTS))
