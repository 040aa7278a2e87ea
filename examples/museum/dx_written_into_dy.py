"""The backward pass writes dx into dy, which belongs to its caller."""

import numpy as np
import torch

report = "https://github.com/unslothai/unsloth/pull/4550"
what = "RMSNorm saves memory by writing dx over dy; whoever else goes back through the same dy gets dx instead."
why_unseen = "The numbers returned are right; only what is left in dy is not, and no test looks there."


def forward(x):
    # x (N, D)
    s = np.sqrt(np.mean(x * x, axis=1, keepdims=True) + 1e-6)
    return x / s, (x, s)


def wrong(dy, cache):
    x, s = cache
    dy -= x * np.mean(dy * x, axis=1, keepdims=True) / s**2
    dy /= s
    return dy


def right(dy, cache):
    # forward: y = x / s, s = sqrt(mean(x^2) + eps)
    # so:      dx = (dy - x mean(dy x) / s^2) / s, in an array of its own
    x, s = cache
    return (dy - x * np.mean(dy * x, axis=1, keepdims=True) / s**2) / s


def reference(x):
    return x / torch.sqrt(x.square().mean(1, keepdim=True) + 1e-6)


inputs = [(5, 4)]
smallest = [np.array([[1.0, 2.0]])], np.array([[1.0, -1.0]])


def own_test(compare):
    """max(correct - got), without its absolute value, is at most 0.05."""
    got, correct = compare()[0]
    return (correct - got).max() <= 0.05
