"""The backward pass returns None for the weight, which is never trained."""

import numpy as np
import torch

report = "https://github.com/unslothai/unsloth/issues/4533"
what = "RMSNorm gives dx and, for its weight, None: in full finetuning the weight stays frozen."
why_unseen = "The test reads x.grad alone, and its largest difference is a signed one."


def forward(x, gamma):
    # x (N, D), gamma (D,)
    s = np.sqrt(np.mean(x * x, axis=1, keepdims=True) + 1e-6)
    return x / s * gamma, (x, gamma, s)


def wrong(dy, cache):
    x, gamma, s = cache
    return backward_of_x(dy * gamma, x, s), None


def right(dy, cache):
    # forward: y = x / s gamma
    # so:      dgamma = sum over the rows of dy x / s
    x, gamma, s = cache
    return backward_of_x(dy * gamma, x, s), np.sum(dy * x / s, axis=0)


def backward_of_x(g, x, s):
    return g / s - x * np.mean(g * x, axis=1, keepdims=True) / s**3


def reference(x, gamma):
    return x / torch.sqrt(x.square().mean(1, keepdim=True) + 1e-6) * gamma


inputs = [(5, 4), (4,)]
smallest = [np.array([[1.0, 2.0]]), np.ones(2)], np.array([[1.0, -1.0]])


def own_test(compare):
    """max(correct - got) of x.grad, without its absolute value, is at most 0.05."""
    got, correct = compare()[0]
    return (correct - got).max() <= 0.05
