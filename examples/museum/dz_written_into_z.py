"""The backward pass writes dz into the logits that it was given."""

import numpy as np
import torch

report = "https://github.com/unslothai/unsloth/issues/5002"
what = "Cross-entropy writes its gradient over its logits, so that going back a second time starts from a gradient."
why_unseen = "The first backward pass is right, and tests go back once."


def forward(z, t):
    # z (N, K), t (N,) classes: y = log sum exp(z) - z[t]
    return log_sum(z)[:, 0] - np.sum(z * one_hot(z, t), axis=1), (z, t)


def wrong(dy, cache):
    z, t = cache
    np.exp(z - log_sum(z), out=z)
    z -= one_hot(z, t)
    z *= dy[:, None]
    return z


def right(dy, cache):
    # forward: y = log sum exp(z) - z[t]
    # so:      dz = (exp(z - log sum exp(z)) - one_hot) dy, in an array of its own
    z, t = cache
    return (np.exp(z - log_sum(z)) - one_hot(z, t)) * dy[:, None]


def log_sum(z):
    largest = np.max(z, axis=1, keepdims=True)
    return largest + np.log(np.sum(np.exp(z - largest), axis=1, keepdims=True))


def one_hot(z, t):
    return np.arange(z.shape[1]) == t[:, None]


def reference(z, t):
    return torch.nn.functional.cross_entropy(z, t, reduction="none")


inputs = [(6, 5), np.array([0, 3, 4, 1, 2, 3])]
smallest = [np.zeros((1, 2)), np.array([0])], np.array([1.0])
