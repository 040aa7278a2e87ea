"""The residual's gradient is sent through the normalisation as well."""

import numpy as np
import torch

report = "https://github.com/Dao-AILab/quack/pull/53"
what = "A normalisation that hands its input on returns both; their two gradients were added before going back."
why_unseen = "Nothing tested this gradient: the change that mends it adds the test."


def forward(x):
    # x (N, D): the normalised rows and, beside them, the rows themselves
    s = np.sqrt(np.mean(x * x, axis=1, keepdims=True) + 1e-6)
    return np.concatenate([x / s, x], axis=1), (x, s)


def wrong(dy, cache):
    dnorm, dresidual = np.split(dy, 2, axis=1)
    return back_through_the_norm(dnorm + dresidual, *cache)


def right(dy, cache):
    # forward: y = [norm(x), x]
    # so:      dx = the gradient through the norm, plus that of the copy as it is
    dnorm, dresidual = np.split(dy, 2, axis=1)
    return back_through_the_norm(dnorm, *cache) + dresidual


def back_through_the_norm(dy, x, s):
    # forward: y = x / s, s = sqrt(mean(x^2) + eps)
    # so:      dx = dy / s - x mean(dy x) / s^3
    return dy / s - x * np.mean(dy * x, axis=1, keepdims=True) / s**3


def reference(x):
    return torch.cat([x / torch.sqrt(x.square().mean(1, keepdim=True) + 1e-6), x], 1)


inputs = [(5, 4)]
smallest = [np.array([[2.0, 2.0]])], np.array([[0.0, 0.0, 1.0, 0.0]])
