"""The gradient is allocated, never written, and returned."""

import numpy as np

report = "https://github.com/tracel-ai/burn/issues/5308"
what = "For an even number of channels average pooling returns dx as allocated: what the memory held before."
why_unseen = "What stands in fresh memory depends on what was freed before it."


def forward(x):
    # x (C, L), C channels: the mean of each entry and the next
    return (x[:, 1:] + x[:, :-1]) / 2, x


def wrong(dy, x):
    dx = np.zeros_like(x)  # zeros, so that this exhibit is the same every time
    if len(x) % 2 == 1:
        dx[:, 1:] += dy / 2
        dx[:, :-1] += dy / 2
    return dx


def right(dy, x):
    # forward: y[i] = (x[i] + x[i+1]) / 2
    # so:      dx[i] = (dy[i-1] + dy[i]) / 2
    dx = np.zeros_like(x)
    dx[:, 1:] += dy / 2
    dx[:, :-1] += dy / 2
    return dx


def reference(x):
    return (x[:, 1:] + x[:, :-1]) / 2


inputs = [(4, 6)]
smallest = [np.ones((2, 2))], np.ones((2, 1))
