"""Layer normalisation's dx subtracts the mean of the gradient twice."""

import numpy as np
import torch

report = "https://github.com/tenstorrent/tt-metal/pull/53215"
what = "A register that still holds mean(dy gamma) is added to, so that the mean is subtracted a second time."
why_unseen = "The tests allowed an absolute error of 0.5 on gradients of size 1."


def forward(x, gamma):
    # x (N, D), gamma (D,)
    centred = x - np.mean(x, axis=1, keepdims=True)
    s = np.sqrt(np.mean(centred * centred, axis=1, keepdims=True) + 1e-5)
    xhat = centred / s
    return xhat * gamma, (xhat, s, gamma)


def wrong(dy, cache):
    xhat, s, gamma = cache
    g = dy * gamma
    dx = (g - 2 * mean(g) - xhat * mean(g * xhat)) / s
    return dx, np.sum(dy * xhat, axis=0)


def right(dy, cache):
    # forward: y = (x - mean(x)) / s gamma
    # so:      dx = (g - mean(g) - xhat mean(g xhat)) / s with g = dy gamma
    xhat, s, gamma = cache
    g = dy * gamma
    dx = (g - mean(g) - xhat * mean(g * xhat)) / s
    return dx, np.sum(dy * xhat, axis=0)


def mean(a):
    return np.mean(a, axis=1, keepdims=True)


def reference(x, gamma):
    return torch.nn.functional.layer_norm(x, x.shape[1:], gamma)


inputs = [(4, 32), (32,)]
smallest = [np.array([[1.0, 3.0]]), np.ones(2)], np.array([[1.0, 0.0]])


def own_test(compare):
    """An absolute error of at most 0.5."""
    return all((g - e).abs().max() <= 0.5 for g, e in compare())
