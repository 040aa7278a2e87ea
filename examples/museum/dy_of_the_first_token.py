"""The whole gradient is multiplied by the first entry of dy."""

import numpy as np
import torch

report = "https://github.com/linkedin/Liger-Kernel/issues/1298"
what = "Cross-entropy without reduction has one dy per token; all tokens were given the first one's."
why_unseen = "The tests reduced the loss, or gave every token the same dy."


def forward(z, t):
    # z (N, K), t (N,) classes: y = -log p[t]
    shifted = z - np.max(z, axis=1, keepdims=True)
    log_p = shifted - np.log(np.sum(np.exp(shifted), axis=1, keepdims=True))
    one_hot = np.arange(z.shape[1]) == t[:, None]
    return -np.sum(log_p * one_hot, axis=1), (np.exp(log_p), one_hot)


def wrong(dy, cache):
    p, one_hot = cache
    return (p - one_hot) * dy[0]


def right(dy, cache):
    # forward: y[n] = -log p[n, t[n]]
    # so:      dz[n] = (p[n] - one_hot[n]) dy[n]
    p, one_hot = cache
    return (p - one_hot) * dy[:, None]


def reference(z, t):
    return torch.nn.functional.cross_entropy(z, t, reduction="none")


inputs = [(6, 5), np.array([0, 3, 4, 1, 2, 3])]
smallest = [np.zeros((2, 2)), np.array([0, 1])], np.array([1.0, 2.0])


def own_test(compare):
    """The same dy for every token; rtol 1e-5, atol 1e-8."""
    return all(torch.allclose(g, e, 1e-5, 1e-8) for g, e in compare(dy=torch.ones(6)))
