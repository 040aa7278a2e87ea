"""p - t is the gradient only for targets that sum to 1."""

import numpy as np
import torch

report = "https://github.com/NVIDIA-NeMo/Automodel/issues/2428"
what = "The loss takes any t, but p - t is its gradient only if t sums to 1; here some classes are dropped."
why_unseen = "Every target came from a softmax so far; a reviewer saw it."


def forward(z, kept):
    # z (N, K), kept (N, K) true or false: the teacher gives each class 1/K, of which some are kept
    t = kept / z.shape[1]
    shifted = z - np.max(z, axis=1, keepdims=True)
    log_p = shifted - np.log(np.sum(np.exp(shifted), axis=1, keepdims=True))
    return -np.sum(t * log_p, axis=1), (np.exp(log_p), t)


def wrong(dy, cache):
    p, t = cache
    return (p - t) * dy[:, None]


def right(dy, cache):
    # forward: y = -sum(t log p)
    # so:      dz = (p sum(t) - t) dy
    p, t = cache
    return (p * np.sum(t, axis=1, keepdims=True) - t) * dy[:, None]


def reference(z, kept):
    return -(kept / z.shape[1] * torch.log_softmax(z, 1)).sum(1)


inputs = [(3, 4), np.array([[1, 1, 0, 0], [0, 1, 1, 1], [1, 0, 0, 0]], bool)]
smallest = [np.zeros((1, 2)), np.array([[True, False]])], np.ones(1)


def own_test(compare):
    """Every class is kept, so that t sums to 1; torch.allclose as it comes."""
    return all(torch.allclose(g, e) for g, e in compare([(3, 4), np.ones((3, 4), bool)]))
