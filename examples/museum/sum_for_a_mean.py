"""In batch normalisation's dx a sum over the batch stands where its mean belongs."""

import numpy as np
import torch

report = "https://github.com/mlpack/mlpack/issues/1923"
what = "The path through the batch mean is a sum over the samples that is never divided by their number."
why_unseen = "The tested layer was the first one, with no parameter below it, so its dx was never used."


def forward(x, gamma, beta):
    # x (N, D), gamma, beta (D,)
    centred = x - np.mean(x, axis=0)
    s = np.sqrt(np.mean(centred * centred, axis=0) + 1e-5)
    return centred / s * gamma + beta, (centred / s, s, gamma)


def wrong(dy, cache):
    xhat, s, gamma = cache
    g = dy * gamma
    dx = (g - np.sum(g, axis=0) - xhat * np.mean(g * xhat, axis=0)) / s
    return dx, np.sum(dy * xhat, axis=0), np.sum(dy, axis=0)


def right(dy, cache):
    # forward: y = xhat gamma + beta, xhat = (x - mean(x)) / s
    # so:      dx = (g - mean(g) - xhat mean(g xhat)) / s with g = dy gamma
    xhat, s, gamma = cache
    g = dy * gamma
    dx = (g - np.mean(g, axis=0) - xhat * np.mean(g * xhat, axis=0)) / s
    return dx, np.sum(dy * xhat, axis=0), np.sum(dy, axis=0)


def reference(x, gamma, beta):
    return torch.nn.functional.batch_norm(x, None, None, gamma, beta, training=True)


inputs = [(6, 3), (3,), (3,)]
smallest = [np.array([[1.0], [3.0]]), np.ones(1), np.zeros(1)], np.array([[1.0], [0.0]])


def own_test(compare):
    """The gradients of gamma and beta alone; torch.allclose as it comes."""
    return all(torch.allclose(g, e) for g, e in compare()[1:])
