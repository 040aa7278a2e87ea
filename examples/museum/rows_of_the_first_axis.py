"""The number of rows is taken from the first axis, whatever the number of axes."""

import numpy as np
import torch

report = "https://github.com/flagos-ai/FlagGems/issues/5392"
what = "Layer normalisation goes back through x.shape[0] rows; an x of three axes has more rows than that."
why_unseen = "The tests' x had two axes."


def forward(x, gamma):
    # x (..., D), gamma (D,)
    centred = x - np.mean(x, axis=-1, keepdims=True)
    s = np.sqrt(np.mean(centred * centred, axis=-1, keepdims=True) + 1e-5)
    return centred / s * gamma, (centred / s, s, gamma)


def wrong(dy, cache):
    return go_back(dy, *cache, rows=dy.shape[0])


def right(dy, cache):
    return go_back(dy, *cache, rows=dy.size // dy.shape[-1])


def go_back(dy, xhat, s, gamma, rows):
    # forward: y = xhat gamma, xhat = (x - mean(x)) / s, for every row
    # so:      dx = (g - mean(g) - xhat mean(g xhat)) / s with g = dy gamma, for every row
    shape = dy.shape
    dy, xhat, s = (a.reshape(-1, a.shape[-1]) for a in (dy, xhat, s))
    dx, dgamma = np.zeros_like(xhat), np.zeros_like(gamma)
    for n in range(rows):
        g = dy[n] * gamma
        dx[n] = (g - np.mean(g) - xhat[n] * np.mean(g * xhat[n])) / s[n]
        dgamma += dy[n] * xhat[n]
    return dx.reshape(shape), dgamma


def reference(x, gamma):
    return torch.nn.functional.layer_norm(x, x.shape[-1:], gamma)


inputs = [(2, 3, 5), (5,)]
smallest = [np.array([[[1.0, 2.0], [5.0, 3.0]]]), np.ones(2)], np.array([[[1.0, 0.0], [0.0, 1.0]]])


def own_test(compare):
    """Two axes; torch.allclose as it comes."""
    return all(torch.allclose(g, e) for g, e in compare([(4, 5), (5,)]))
