"""The gradient of a scale is returned as that of its logarithm."""

import numpy as np
import torch

report = "https://github.com/openvdb/fvdb-core/issues/432"
what = "The kernel takes log(s) and goes back as far as s; the factor s of the chain rule is missing."
why_unseen = "Every sign is right, and training goes on, with gradients that are about 5 times too large."


def forward(x, log_s):
    # x, log_s (N, D)
    s = np.exp(log_s)
    return x / s, (x, s)


def wrong(dy, cache):
    x, s = cache
    return dy / s, -dy * x / s**2


def right(dy, cache):
    # forward: y = x / s, s = exp(log_s)
    # so:      ds = -dy x / s^2, dlog_s = ds s
    x, s = cache
    return dy / s, -dy * x / s**2 * s


def reference(x, log_s):
    return x / torch.exp(log_s)


inputs = [(4, 3), (4, 3)]
smallest = [np.ones((1, 1)), np.log([[2.0]])], np.ones((1, 1))
