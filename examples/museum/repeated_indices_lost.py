"""Of several rows that are added to the same place, one survives."""

import numpy as np

report = "https://github.com/jmschrei/cherimoya/issues/25"
what = "Read, add, store without an atomic add: threads at the same index overwrite each other, as NumPy's += does."
why_unseen = "Threads collide at repeated indices only, and on a GPU not every time."


def forward(E, t):
    # E (V, D), t (N,) row numbers
    return E[t], (E, t)


def wrong(dy, cache):
    E, t = cache
    dE = np.zeros_like(E)
    dE[t] += dy
    return dE


def right(dy, cache):
    # forward: y[n] = E[t[n]]
    # so:      dE[v] = the sum of dy[n] over all n with t[n] = v
    E, t = cache
    dE = np.zeros_like(E)
    np.add.at(dE, t, dy)
    return dE


def reference(E, t):
    return E[t]


inputs = [(5, 3), np.array([0, 2, 4, 2, 2, 1])]
smallest = [np.ones((1, 1)), np.array([0, 0])], np.array([[1.0], [2.0]])
