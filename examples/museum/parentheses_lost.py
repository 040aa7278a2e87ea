"""The gradient of tanh lost its parentheses."""

import numpy as np
import torch

report = "https://github.com/apache/tvm/pull/7340"
what = "dh 1 - h^2 was written where dh (1 - h^2) belongs."
why_unseen = "The tests had no upstream gradient: with dh = 1 both are the same."


def forward(z):
    h = np.tanh(z)
    return h, h


def wrong(dh, h):
    return dh * 1 - h * h


def right(dh, h):
    # forward: h = tanh(z)
    # so:      dz = dh (1 - h^2)
    return dh * (1 - h * h)


reference = torch.tanh
inputs = [(4, 3)]
smallest = [np.ones(1)], 2 * np.ones(1)


def own_test(compare):
    """dh is one everywhere; torch.allclose as it comes."""
    return all(torch.allclose(g, e) for g, e in compare(dy=torch.ones(4, 3)))
