"""RMSNorm's correction is divided by the root mean square once too often."""

import numpy as np
import torch

report = "https://github.com/tsotchke/eshkol/issues/386"
what = "The second term of dx has s^4 in its denominator where s^3 belongs."
why_unseen = "It is right where the root mean square of a row is 1."


def forward(x):
    # x (N, D)
    s = np.sqrt(np.mean(x * x, axis=1, keepdims=True) + 1e-6)
    return x / s, (x, s)


def wrong(dy, cache):
    x, s = cache
    return dy / s - x * np.mean(dy * x, axis=1, keepdims=True) / s**4


def right(dy, cache):
    # forward: y = x / s, s = sqrt(mean(x^2) + eps)
    # so:      dx = dy / s - x mean(dy x) / s^3
    x, s = cache
    return dy / s - x * np.mean(dy * x, axis=1, keepdims=True) / s**3


def reference(x):
    return x / torch.sqrt(x.square().mean(1, keepdim=True) + 1e-6)


inputs = [(5, 4)]
smallest = [np.array([[2.0, 2.0]])], np.array([[1.0, 0.0]])
