"""What Selker mentions and does not try: a letter as one number, and local minima. One tanh neuron shows both."""

import sys
from typing import Any

import numpy as np

from handgrad.course.lecture import Number, System
from handgrad.course.text import main
from handgrad.lectures.selker_network import HALF, Float, Trained, train, train_by_torch, with_weights
from manual import SGD

CODE = np.array([[-0.5], [-1 / 6], [1 / 6], [0.5]])  # a, b, c, d as one number each
NEXT = np.roll(CODE, -1, axis=0)  # abcd -> bcda
APART = np.array([[1.0], [10.0]]), np.array([[0.5], [-0.5]])  # two samples that want another sign of w
STARTS = (-1.0, 1.0)


def descend(w: float, x: Float, t: Float, rate: float, updates: int) -> tuple[Trained, Trained]:
    """One neuron o = tanh(w x) by hand and by torch, all samples in each update."""
    net, params = with_weights(np.array([[w]]))
    order = [slice(None)] * updates
    return train(net, params, x, t, SGD(rate), order), train_by_torch(params, x, t, rate, order)


def one_number() -> tuple[Number, ...]:
    """o = tanh(w x), x the letter's number: as the neuron is monotone, it cannot rise from a to c and fall to d."""
    runs = descend(0.0, CODE, NEXT, 1.0, 300)
    guesses = [np.abs(np.tanh(run.params[0]["W"].item() * CODE) - CODE.T).argmin(1) for run in runs]
    return (
        Number("one number a letter: error of abcd after 300 updates", *(r.errors[-1] for r in runs), within=1e-9),
        Number("one number a letter: after a, b, c, d it guesses letter", *guesses),
    )


def minima() -> tuple[Number, ...]:
    """Two samples, one weight: E(w) has two minima, and descent finds the one on the side where it starts."""
    runs = [descend(w, *APART, 0.02, 1000) for w in STARTS]
    ends, errors = (np.array([[f(r) for r in both] for both in runs]).T for f in (weight, lambda r: r.errors[-1]))
    return (
        Number("local minima: w from -1 and from 1, rate 0.02, 1,000 updates", *ends, within=1e-9, separate=True),
        Number("local minima: the error there", *errors, within=1e-9, separate=True),
    )


def weight(run: Trained) -> float:
    """The neuron's only weight after a training."""
    return float(run.params[0]["W"].item())


def error_of(w: Float) -> Float:
    """E(w) of the two samples."""
    x, t = APART
    return np.array([float(HALF.forward(np.tanh(v * x), t)[0]) for v in w])


def plot_minima(ax: Any) -> None:
    """The error over the weight, and where descent from either side ends."""
    w = np.linspace(-1.2, 1.2, 481)
    ax.plot(w, error_of(w), label="E(w)")
    for start in STARTS:
        end = weight(descend(start, *APART, 0.02, 1000)[0])
        E = error_of(np.array([start, end]))
        (ring,) = ax.plot(start, E[0], "o", fillstyle="none")
        ax.plot(end, E[1], "o", color=ring.get_color(), label=f"from {start:g} (ring) to {end:.3f}")
    ax.set(xlabel="w", ylabel="E", title="One tanh neuron, two samples: two minima")
    ax.legend()


def mentioned() -> System:
    """Both, as a system of their own."""
    return System("S", "one number a letter; local minima", (*one_number(), *minima()), notes=notes())


def notes() -> list[str]:
    """What follows, in words."""
    return [
        "a letter as one number has neighbours: one neuron is monotone in it and learns no cycle; 28 numbers, of which "
        "each letter has its own, do",
        "where the second sample saturates its tanh it pulls no more: from w = 1 descent ends in the higher minimum",
    ]


if __name__ == "__main__":
    sys.exit(main((mentioned,)))
