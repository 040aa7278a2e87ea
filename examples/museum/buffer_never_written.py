"""The gradient is allocated, never written, and returned."""

import numpy as np

report = "https://github.com/tracel-ai/burn/issues/5308"
what = "Average pooling returns the buffer it allocated for dx: zeros, or whatever the memory held before."
why_unseen = "What stands in fresh memory depends on what was freed before, so it can look right."


def forward(x):
    # x (N, L): the mean of each entry and the next
    return (x[:, 1:] + x[:, :-1]) / 2, x


def wrong(dy, x):
    return np.zeros_like(x)  # zeros, so that this exhibit is the same every time


def right(dy, x):
    # forward: y[i] = (x[i] + x[i+1]) / 2
    # so:      dx[i] = (dy[i-1] + dy[i]) / 2
    dx = np.zeros_like(x)
    dx[:, 1:] += dy / 2
    dx[:, :-1] += dy / 2
    return dx


def reference(x):
    return (x[:, 1:] + x[:, :-1]) / 2


inputs = [(3, 6)]
smallest = [np.ones((1, 2))], np.ones((1, 1))
