"""A sigmoid written with e^x is 0 where e^x overflows, and should be 1."""

import numpy as np
import torch

report = "https://github.com/tenstorrent/tt-metal/pull/56397"
what = "Softplus goes back by e^x times 1 / (1 + e^x): infinity times 0, which the device makes 0."
why_unseen = "A threshold that is reached first hides it, unless somebody sets the threshold above 88."

THRESHOLD = 100


def forward(x):
    return np.where(x > THRESHOLD, x, np.logaddexp(x, 0)), x


def wrong(dy, x):
    e = np.exp(x)
    sigmoid = np.nan_to_num(e * (1 / (1 + e)), nan=0.0)
    return np.where(x > THRESHOLD, dy, dy * sigmoid)


def right(dy, x):
    # forward: y = log(1 + e^x)
    # so:      dx = dy / (1 + e^-x), where e^-|x| cannot overflow
    e = np.exp(-np.abs(x))
    return np.where(x > THRESHOLD, dy, dy * np.where(x >= 0, 1, e) / (1 + e))


def reference(x):
    return torch.logaddexp(x, torch.zeros_like(x))


inputs = [np.array([-3, 0.5, 2, 60, 85, 90, 95, 99], np.float32)]
smallest = [np.array([90.0], np.float32)], np.array([2.0], np.float32)
