"""Banerjee's batches and epochs, and what he leaves out for time: mini-batches, batch normalisation, dropout."""

import sys
from itertools import product

import numpy as np

from handgrad import verify
from handgrad.course.lecture import Number, System, autograd
from handgrad.course.text import main
from handgrad.lectures.banerjee_network import NET, PARAMS, W1, Float, X, Y, b1, train, train_by_torch
from manual import BatchNorm1d, Dropout, HalfSquaredError, Linear, MeanSquaredError, Network, Sigmoid, gradients

HALF, MEAN = HalfSquaredError(), MeanSquaredError()  # 1/2 sum; 1/n sum, which is the mean where there is one output


def batch(n: int) -> tuple[Float, Float]:
    """n data points, one per row."""
    chosen = {
        1: ([[-0.17, 0.44]], [[0.0]]),
        2: ([[-0.13, 0.1], [-0.95, -0.13]], [[0.42], [0.33]]),
        4: ([[0.93, 0.4], [0.09, -0.57], [0.95, 0.95], [0.43, -0.99]], [[0.25], [0.43], [0.78], [0.2]]),
    }
    rng = np.random.default_rng(n)
    x, y = chosen.get(n) or (rng.uniform(-1, 1, (n, 2)), rng.uniform(0, 1, (n, 1)))
    return np.array(x), np.array(y)


def batches() -> System:
    """L = 1/n sum (yhat - y)^2 over n columns: dL/dyhat = 2/n (yhat - y), which is yhat - y for n = 2 alone."""
    numbers, ratios = [], {"ours": [], "auto": []}
    for n in (1, 2, 3, 4, 8):
        x, y = batch(n)
        p, auto = gradients(NET, PARAMS, x, y, MEAN), autograd(NET, PARAMS, x, y, MEAN)
        numbers += [Number(f"n = {n}: {k}", p[k], auto[k]) for k in ("loss", "dW1", "dW2", "db1", "db2")]
        numbers.append(Number(f"n = {n}: yhat", p["h2"].T, auto["h2"].T))
        ratios["ours"].append(gradients(NET, PARAMS, x, y, HALF)["dW2"][0, 0] / p["dW2"][0, 0])
        ratios["auto"].append(autograd(NET, PARAMS, x, y, HALF)["dW2"][0, 0] / auto["dW2"][0, 0])
    ratio = Number("yhat - y over the right gradient, n = 1, 2, 3, 4, 8", ratios["ours"], ratios["auto"], separate=True)
    return System(
        "B-S7",
        "batches of n columns",
        (*numbers, ratio),
        [verify(NET, PARAMS, *batch(n), MEAN, seed=7, name=f"a batch of {n}") for n in (1, 3, 8)],
    )


def epochs() -> System:
    """Steps 1-5 for all data points, once: one update a point, one a mini-batch, or one for all of them."""
    x, y = batch(12)
    whole = autograd(NET, PARAMS, x, y, MEAN)["dW1"]
    alone = [gradients(NET, PARAMS, x[i : i + 1], y[i : i + 1], MEAN)["dW1"] for i in range(12)]
    numbers, reports = [], []
    for name, size in (("a point", 1), ("a mini-batch of 4", 4), ("the whole set", 12)):
        data = [(x[i : i + size], y[i : i + size]) for i in range(0, 12, size)] * 20
        ours, theirs = train(NET, PARAMS, data, MEAN, 0.1), train_by_torch(NET, PARAMS, data, MEAN, 0.1)[0]
        after = [f(NET, run.params, x, y, MEAN)["loss"] for f, run in ((gradients, ours), (autograd, theirs))]
        numbers += [
            Number(f"one update {name}: L after 20 epochs", *after, within=1e-9),
            Number(f"one update {name}: W1", ours.params[0]["W"], theirs.params[0]["W"], within=1e-9),
            Number(f"one update {name}: updates", len(ours.costs), len(theirs.costs)),
        ]
        reports.append(verify(NET, ours.params, x, y, MEAN, seed=8, name=f"2-5-1 trained, one update {name}"))
    mean = Number("the points' mean dW1 is the whole set's", np.mean(alone, axis=0), whole)
    return System("B-S8", "epochs: per point, mini-batch, full", (*numbers, mean), reports)


def left_out() -> System:
    """What the slides leave out for time. Batch norm: gamma xhat + beta. Dropout: h o m / (1 - p), the mask m fixed.

    Batch norm takes every unit's mean away, so the bias before it has no effect: db1 is 0 up to rounding.
    """
    x, y = batch(4)
    norm = Network((Linear(2, 5), BatchNorm1d(5), Sigmoid(), Linear(5, 1), Sigmoid()))
    scale = {"gamma": np.array([1.2, 0.7, -0.5, 1.0, 2.0]), "beta": np.array([0.1, -0.3, 0.0, 0.4, -0.2])}
    params = (PARAMS[0], scale, {}, PARAMS[2], {})
    moved = ({"W": W1, "b": b1 + 1}, *params[1:])
    p, auto = gradients(norm, params, x, y, MEAN), autograd(norm, params, x, y, MEAN)
    rounding = [np.round(q["db1"] / np.abs(q["dz1"]).sum(0), 13) + 0.0 for q in (p, auto)]  # 0.0: no -0

    drop = Network((Linear(2, 5), Sigmoid(), Dropout(0.4), Linear(5, 1), Sigmoid()))
    mask = np.array([[1, 0, 1, 1, 0], [0, 1, 1, 0, 1], [1, 1, 0, 1, 1], [1, 0, 0, 1, 1]], dtype=float)
    states = (None, None, mask, None, None)
    thin = (PARAMS[0], {}, {}, PARAMS[2], {})
    d, d_auto = gradients(drop, thin, x, y, MEAN, states=states), autograd(drop, thin, x, y, MEAN, states=states)
    every = np.array(list(product([0.0, 1.0], repeat=5)))  # all 32 masks, equally likely where p = 1/2
    h1 = autograd(NET, PARAMS, X, Y, HALF)["h1"]
    kept = Dropout(0.5).forward({}, np.repeat(h1, 32, axis=0), every)[0]
    return System(
        "B-S9",
        "left out for time: batch norm, dropout",
        (
            Number("batch norm: dW1", p["dW1"], auto["dW1"]),
            Number("batch norm: dgamma", p["dgamma1"], auto["dgamma1"]),
            Number("batch norm: dbeta", p["dbeta1"], auto["dbeta1"]),
            Number("batch norm: loss", p["loss"], auto["loss"]),
            Number("batch norm: db1 over sum |dz1|, to 13 places", *rounding),
            Number("batch norm: loss with 1 added to b1", gradients(norm, moved, x, y, MEAN)["loss"], auto["loss"]),
            Number("dropout: loss", d["loss"], d_auto["loss"]),
            *(Number(f"dropout: {k}", d[k], d_auto[k]) for k in ("dW1", "db1", "dW2", "db2")),
            Number("dropout: h1 as the mean over all masks", kept.mean(axis=0, keepdims=True), h1),
        ),
        reports=(
            verify(norm, params, x, y, MEAN, seed=9, name="batch norm"),
            verify(drop, thin, x, y, MEAN, states=states, seed=9, name="dropout with a fixed mask"),
        ),
        notes=(f"the largest |db1| before batch norm is {np.abs(p['db1']).max():.0e}: rounding, not a gradient",),
    )


if __name__ == "__main__":
    sys.exit(main((batches, epochs, left_out)))
