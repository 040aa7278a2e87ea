"""Ando Ki, "A simple neural network with backpropagation using Python": every system, its numbers, and autograd's.

His conventions against ours:
- formulas have a sample as a column and biases, h = f(W1 x + b1); the listing has samples as rows and none: its third
  input is always 1, which is the hidden units' bias. W is [from][to] in the listing, (n_out, n_in) here.
- the loss is SSE = sum (z - y)^2 in the listing, with the factor 2 in its gradient, and 1/2 (y - e)^2 on the slides.
- the derivative comes from the output, o (1 - o), in the listing as in `manual`; from z on the activation slide.
- z is the output on the loss slides and the pre-activation later; y is the target there and the output later.
The slides print no result and no seed: his numbers here are those of np.random.seed(0), (1), (42) and of chosen inputs.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from handgrad import verify, verify_function
from handgrad.course.lecture import Number, System, autograd, torch_twin
from handgrad.course.plots import activation_curves
from handgrad.course.text import main
from handgrad.lectures.ando_ki_autograd import train_by_torch
from handgrad.lectures.ando_ki_inference import infer, load
from handgrad.lectures.ando_ki_neurons import logistic, sequence_of_layers, single_neuron, two_neurons
from handgrad.lectures.ando_ki_seeds import (
    CENTRED,
    EQUAL,
    LECTURE,
    RATES,
    TANH,
    ZERO,
    Setting,
    outcome,
    side_by_side,
)
from handgrad.lectures.ando_ki_train import Float, Trained, X, Y, curve, start, train
from manual import (
    SGD,
    HalfSquaredError,
    Params,
    SquaredError,
    Tanh,
    activation,
    gradients,
    mlp,
    sgd,
)
from manual.files.weight_files import save_text

SSE, HALF = SquaredError(), HalfSquaredError()
NET = mlp([3, 4, 1], "sigmoid", "sigmoid", bias=False)  # the listing's
SEEDS = (0, 1, 42)
SHOWN = [0, 1, 9, 99, 199, 299, 499, 699, 999]  # iterations whose loss is compared
CHOSEN_W1 = np.array([[0.1, 0.2, -0.3], [0.4, -0.5, 0.6], [-0.7, 0.8, 0.9], [0.3, -0.1, 0.2]])
BIASED: tuple[Params, ...] = (
    {"W": CHOSEN_W1, "b": np.array([0.1, -0.2, 0.3, -0.4])},
    {},
    {"W": np.array([[0.5, -0.6, 0.7, -0.8]]), "b": np.array([0.25])},
    {},
)


def two_layers() -> System:
    """h = f(W1 x + b1), z = f(W2 h + b2), SSE = sum (z - y)^2; f is left open."""
    numbers, reports = [], []
    for f in ("sigmoid", "tanh"):
        net = mlp([3, 4, 1], f, f)
        p, auto = gradients(net, BIASED, X, Y, SSE), autograd(net, BIASED, X, Y, SSE)
        columns = slide(X.T, BIASED, f).T
        numbers += [Number(f"{f}: SSE", p["loss"], auto["loss"])]
        numbers += [Number(f"{f}: {n}", p[n], auto[n]) for n in ("h1", "h2", "dW1", "db1", "dW2", "db2", "dx")]
        numbers += [Number(f"{f}: z by the slide, x a column", columns, auto["h2"])]
        reports += [verify(net, BIASED, X, Y, SSE, seed=1)]
    return System("A-S1", "two layers with biases", numbers, reports)


def slide(x: Float, params: Sequence[Params], f: str) -> Float:
    """h = f(W1 x + b1), z = f(W2 h + b2) with samples as columns: x (n_x, N), z (n_y, N)."""
    h = x
    for p in params[::2]:
        h = activation(f).forward({}, p["W"] @ h + p["b"][:, None])[0]
    return h


def tanh() -> System:
    """tanh z and its derivative 1 - tanh(z)^2, plotted for z from -6 to 6."""
    z = np.array([[-6, -2, -1, -0.5, 0, 0.5, 1, 2, 6.0]])
    h, slope = tanh_and_slope(z)
    t = torch.tensor(z, requires_grad=True)
    torch.tanh(t).sum().backward()
    rounding = 1e-12 + 2.0**-51 / slope  # two units in the last place of 1: 1 - h^2 is as inexact as h is near 1
    return System(
        "A-S2",
        "tanh and its derivative",
        (
            Number("tanh z, z = -6, -2, -1, -0.5, 0, ...", h, torch.tanh(t), separate=True),
            Number("derivative", slope, t.grad, within=rounding, separate=True),
            Number("derivative as on the slide, from z", 1.0 - np.tanh(z) ** 2, t.grad, within=rounding,
                   separate=True),
        ),
        (verify_function(tanh_forward, tanh_backward, torch.tanh, [z], seed=1, name="tanh"),),
        (f"at z = 6, 1 - tanh^2 cancels: it is {slope[0, -1] * np.cosh(6.0) ** 2 - 1:.1e} off 1 / cosh^2",),
    )  # fmt: skip


def tanh_and_slope(z: Float) -> tuple[Float, Float]:
    """tanh z and its derivative, both by `manual`."""
    h, cache = Tanh().forward({}, z)
    return h, Tanh().backward({}, cache, np.ones_like(z))[0]


def tanh_forward(z: Any) -> Any:
    return Tanh().forward({}, z)


def tanh_backward(dh: Any, cache: Any) -> Any:
    return Tanh().backward({}, cache, dh)[0]


def listing(W1: Float, W2: Float, In: Float, Desired: Float) -> dict[str, Float]:
    """The NeuralNetwork class: feedforward, then the gradients of backprop. W1 (3, 4) and W2 (4, 1) are [from][to]."""
    hidden = logistic(In @ W1)
    Out = logistic(hidden @ W2)
    D2 = 2 * (Out - Desired) * logistic(Out, True)
    d_W2 = hidden.T @ D2
    d_W1 = In.T @ (D2 @ W2.T * logistic(hidden, True))
    return {"hidden": hidden, "output": Out, "d_W1": d_W1, "d_W2": d_W2}


def network_class() -> System:
    """D2 = 2 (Out - Y) o f'(Out), d_W2 = hidden^T D2, d_W1 = In^T (D2 W2^T o f'(hidden)), W -= d_W."""
    params = start(NET, "rand", seed=1)
    p, auto = gradients(NET, params, X, Y, SSE), autograd(NET, params, X, Y, SSE)
    his = listing(params[0]["W"].T, params[2]["W"].T, X, Y)
    after, by_torch = sgd(params, p.dparams, 1.0), train_by_torch(NET, params, SSE, 1.0, 1).params
    return System(
        "A-S3",
        "NeuralNetwork class, 3-4-1 without biases, seed 1",
        (
            Number("SSE", p["loss"], auto["loss"]),
            *(Number(n, p[n], auto[n]) for n in ("h1", "h2", "dW1", "dW2")),
            *(Number(f"{n} by the listing", his[n], auto[ours]) for n, ours in (("hidden", "h1"), ("output", "h2"))),
            *(Number(f"d_W{k} by the listing, [from][to]", his[f"d_W{k}"], auto[f"dW{k}"].T) for k in (1, 2)),
            *(Number(f"W{k} after one update", after[2 * k - 2]["W"], by_torch[2 * k - 2]["W"]) for k in (1, 2)),
        ),
        (verify(NET, params, X, Y, SSE, seed=1),),
        (f"gradients of parameters: {', '.join(n for n in p if n[:2] in ('dW', 'db'))}; there is no bias (A-E10)",),
    )


def training() -> System:
    """1000 times: feedforward, loss, W -= d_W; then print(nn.output), which belongs to the weights before the last."""
    numbers, reports = [], []
    for seed in (1, 0, 42):
        first = start(NET, "rand", seed)
        ours, auto = train(NET, first, SSE, SGD(1.0), 1000), train_by_torch(NET, first, SSE, 1.0, 1000)
        numbers += [
            Number(f"seed {seed}: last loss", ours.losses[-1], auto.losses[-1], within=1e-9),
            Number(f"seed {seed}: loss 1, 2, 10, 100, ...", ours.losses[SHOWN], auto.losses[SHOWN],
                   within=1e-9, separate=True),
            Number(f"seed {seed}: nn.output", ours.output, auto.output, within=1e-9),
            Number(f"seed {seed}: output after the last update", *outputs(ours, auto), within=1e-9),
            *(Number(f"seed {seed}: W{k} at the end", ours.params[2 * k - 2]["W"], auto.params[2 * k - 2]["W"],
                     within=1e-9) for k in (1, 2)),
        ]  # fmt: skip
        reports += [verify(NET, ours.params, X, Y, SSE, seed=seed, name=f"3-4-1 trained, seed {seed}")]
    net, weights, targets = side_by_side(TANH[0.03], range(50))
    by_torch = train_by_torch(net, weights, SSE, 0.03, 1000, targets).output
    median = np.median(np.sum((by_torch - targets) ** 2, axis=0))
    ours = np.median(outcome(TANH[0.03], range(50)).losses)
    numbers += [Number("tanh at rate 0.03: median last loss of 50 seeds", ours, median, within=1e-9)]
    near, far = (outcome(replace(TANH[0.3], ulps=ulps), range(20)).losses for ulps in (0, 1))
    moved = np.abs(near - far)
    return System(
        "A-S4",
        "training, 1000 iterations at rate 1",
        numbers,
        reports,
        (
            "nn.output is one update behind the weights that are saved (A-E16)",
            *map(considered, (LECTURE, CENTRED, EQUAL, ZERO, RATES[0.1], RATES[10.0], RATES[50.0])),
            *map(considered, (TANH[1.0], TANH[0.3])),
            "tanh at rate 0.3 goes where rounding sends it: first weights one unit of their last place higher move the "
            f"last loss of {np.sum(moved > 1e-9)} of {len(moved)} seeds, by up to {moved.max():.0e}",
        ),
    )


def considered(setting: Setting) -> str:
    """How often one setting learns XOR from 20 starts."""
    losses, learned = outcome(setting, range(1 if setting.equal is not None else 20))
    middle = np.median(losses)
    return f"{setting.name}: XOR learned from {learned.sum()} of {len(learned)} starts, median loss {middle:.3g}"


def outputs(ours: Trained, auto: Trained) -> tuple[Float, Any]:
    """A forward pass with the trained weights, by manual and by the twin."""
    return NET.forward(ours.params, X)[0], torch_twin(NET, auto.params)(torch.from_numpy(X))


def saved_and_loaded() -> System:
    """save('weight.txt'), and a standalone inference that loads it."""
    trained = train(NET, start(NET, "rand", 1), SSE, SGD(1.0), 1000)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "weight.txt"
        save_text(path, NET, trained.params)
        read, inferred = load(path).params, infer(path, X)
    holder = torch_twin(NET, read)
    weights = np.concatenate([p["W"].ravel() for p in trained.params if p])
    held = torch.cat([W.detach().ravel() for W in holder.parameters()])
    apart = np.abs(trained.output - inferred).max()
    return System(
        "A-S5",
        "save, load, separate inference",
        (
            Number("inference from weight.txt", inferred, holder(torch.from_numpy(X))),
            Number("print(nn.output) of the training", trained.output),
            Number("the weights, and the twin's that read them back", weights, held, within=0),
        ),
        notes=(f"the two outputs are up to {apart:.1e} apart: one update lies between them (A-E16)",),
    )


def plot_loss(ax: Any) -> None:
    """The loss curve of the full version."""
    for seed in SEEDS:
        curve(ax, train(NET, start(NET, "rand", seed), SSE, SGD(1.0), 1000).losses, f"seed {seed}")
    ax.legend()


SYSTEMS = (
    two_layers,
    tanh,
    network_class,
    training,
    saved_and_loaded,
    single_neuron,
    two_neurons,
    sequence_of_layers,
)
PLOTS = {"tanh": activation_curves("tanh"), "loss": plot_loss}


if __name__ == "__main__":
    sys.exit(main(SYSTEMS, PLOTS))
