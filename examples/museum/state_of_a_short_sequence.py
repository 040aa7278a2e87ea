"""A clamp moves the gradient when the sequence is shorter than the window."""

import numpy as np
import torch

report = "https://github.com/fla-org/flash-linear-attention/issues/1140"
what = "The final state of a window begins at max(0, T - W), so for T < W its gradient is shifted and dh is lost."
why_unseen = "No test had a sequence shorter than the window."


def forward(x, h):
    # x (T, D), h (W, D) the state before: the last W rows of h and x together
    return np.concatenate([h, x])[len(x) :], (x, h)


def wrong(dy, cache):
    x, h = cache
    dx = np.zeros_like(x)
    start = max(0, len(x) - len(h))
    dx[start:] = dy[: len(x) - start]
    return dx, np.zeros_like(h)


def right(dy, cache):
    # forward: y = rows T to T + W of [h, x]
    # so:      [dh, dx] = T rows of zeros, then dy
    x, h = cache
    both = np.concatenate([np.zeros_like(x), dy])
    return both[len(h) :], both[: len(h)]


def reference(x, h):
    return torch.cat([h, x])[len(x) :]


inputs = [(6, 2), (3, 2)]
smallest = [np.ones((1, 1)), np.ones((3, 1))], np.array([[1.0], [2.0], [3.0]])


def own_test(compare):
    """T is at least W; an error below 1 % of the root mean square, or below 0.3, only warns."""
    return all((g - e).norm() <= 0.01 * e.norm() or (g - e).abs().max() <= 0.3 for g, e in compare())
