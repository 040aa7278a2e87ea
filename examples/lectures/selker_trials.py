"""Selker's other way to train: change a weight at random, keep the change if the error falls. And gradient descent."""

import sys
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import torch

from handgrad.course.lecture import Number, System, torch_twin
from handgrad.course.text import main
from handgrad.lectures.selker_mentioned import minima, notes
from handgrad.lectures.selker_network import HALF, Float, rounding_of, train
from manual import SGD, mlp

Error: TypeAlias = Callable[[Float], Float]

TRIES = (10, 100, 1000)
WAYS = {"one weight at a time": True, "all weights at once": False}


def trial_and_error(error: Error, size: int, runs: int, tries: int, *, one: bool) -> Float:
    """A random change of one weight, or of all, kept if the error falls: E (runs, tries) after every try."""
    draws = [np.random.RandomState(seed) for seed in range(runs)]  # the old generator, which the reference values used
    W, errors = np.zeros((runs, size, size)), []
    best = error(W)
    for _ in range(tries):
        V = W.copy()
        for k, rng in enumerate(draws):
            if one:
                V[k, rng.randint(size), rng.randint(size)] += 0.3 * rng.randn()
            else:
                V[k] += 0.1 * rng.randn(size, size)
        E = error(V)
        W, best = np.where((best > E)[:, None, None], V, W), np.minimum(E, best)
        errors.append(best)
    return np.stack(errors, axis=1)


def cycle_error(size: int) -> Error:
    """E of size-size networks on the cycle of that many letters: W (runs, size, size) to E (runs,)."""
    net, x = mlp([size, size], "tanh", "tanh", bias=False), 0.5 * np.eye(size)
    t = np.roll(x, 1, axis=1)
    return lambda W: np.array([float(HALF.forward(net.forward(({"W": V}, {}), x)[0], t)[0]) for V in W])


def torch_cycle_error(size: int) -> Error:
    """The same in torch, all runs at once."""
    x = 0.5 * torch.eye(size, dtype=torch.float64)
    t = torch.roll(x, 1, dims=1)
    return lambda W: (((torch.tanh(x @ torch.from_numpy(W).mT) - t) ** 2).sum((1, 2)) / 2).numpy()


def descent(size: int, steps: int, optimizer: SGD) -> Float:
    """The error after every update of gradient descent on the same network."""
    net, x = mlp([size, size], "tanh", "tanh", bias=False), 0.5 * np.eye(size)
    t = np.roll(x, 1, axis=1)
    return train(net, ({"W": np.zeros((size, size))}, {}), x, t, optimizer, [slice(None)] * (steps + 1)).errors[1:]


def torch_descent(size: int, steps: int, **options: float) -> Float:
    """The same by the twin, autograd and torch.optim.SGD."""
    net, x = mlp([size, size], "tanh", "tanh", bias=False), 0.5 * torch.eye(size, dtype=torch.float64)
    module, t = torch_twin(net, ({"W": np.zeros((size, size))}, {})), torch.roll(x, 1, dims=1)
    optimizer, errors = torch.optim.SGD(module.parameters(), **options), []
    for _ in range(steps + 1):
        E = ((module(x) - t) ** 2).sum() / 2
        errors.append(E.item())
        optimizer.zero_grad()
        E.backward()
        optimizer.step()
    return np.array(errors[1:])


def trials() -> System:
    """abcd as 4-4: random changes, kept if the error falls (medians of 20), and gradient descent."""
    at = np.array(TRIES) - 1
    errors = cycle_error(4), torch_cycle_error(4)
    numbers = []
    for name, one in WAYS.items():
        ours, auto = (np.median(trial_and_error(E, 4, 20, TRIES[-1], one=one), axis=0)[at] for E in errors)
        numbers.append(Number(f"{name}, 10, 100, 1000 tries", ours, auto, within=1e-9, separate=True))
    for rate in (1.0, 4.0):
        ours, auto = descent(4, TRIES[-1], SGD(rate))[at], torch_descent(4, TRIES[-1], lr=rate)[at]
        numbers.append(Number(f"gradient descent, rate {rate:g}", ours, auto, within=rounding_of(auto), separate=True))
    ours, auto = descent(4, 10, SGD(1.0, momentum=0.5)), torch_descent(4, 10, lr=1.0, momentum=0.5)
    numbers.append(Number("with momentum 0.5, 10 updates", ours[-1], auto[-1], within=1e-9))
    numbers += minima()
    lowest = (
        "an error of 1e-31 is what rounding leaves of 0: two units in the last place of each output move it by as much "
        "as it is large, so the two sides need not agree there"
    )
    return System("S-S10", "trial and error", numbers, notes=[lowest, *notes()[1:], *map(halving, (2, 4, 8))])


def halving(size: int) -> str:
    """How many tries it takes to halve the error of a size-size network."""
    E = cycle_error(size)
    half = E(np.zeros((1, size, size)))[0] / 2
    tries = 1 + np.argmax(trial_and_error(E, size, 5, 12 * size**2, one=True) < half, axis=1)
    steps = 1 + np.argmax(descent(size, 20, SGD(1.0)) < half)
    return f"{size}-{size}: the error is halved in {np.median(tries):.0f} tries (median of 5), in {steps} updates"


def plot_trials(ax: Any) -> None:
    """Error against tries."""
    for name, one in WAYS.items():
        E = trial_and_error(cycle_error(4), 4, 20, TRIES[-1], one=one)
        ax.loglog(np.median(E, axis=0), label=f"{name}, median of 20")
    ax.loglog(np.maximum(descent(4, TRIES[-1], SGD(1.0)), 1e-32), label="gradient descent, rate 1")
    ax.set(xlabel="tries, or updates", ylabel="error", title="abcd, 4-4")
    ax.legend()


if __name__ == "__main__":
    sys.exit(main((trials,)))
