"""ldexp's gradient ignores dy, and has e^o for 2^o."""

import numpy as np
import torch

report = "https://github.com/tenstorrent/tt-metal/issues/6533"
what = "For y = x 2^o it gives log(2) e^o, where the chain rule gives dy 2^o."
why_unseen = "The tests ask for correlation, with inputs and dy of ones everywhere."


def forward(x, o):
    return x * np.exp2(o), (x, o)


def wrong(dy, cache):
    x, o = cache
    dx = np.log(2) * np.exp(o)
    return dx, x * dx * np.log(2)


def right(dy, cache):
    # forward: y = x 2^o
    # so:      dx = dy 2^o, do = dy x 2^o log(2)
    x, o = cache
    dx = dy * np.exp2(o)
    return dx, x * dx * np.log(2)


def reference(x, o):
    return x * torch.exp2(o)


inputs = [(4, 3), (4, 3)]
smallest = [np.ones((1, 1)), np.zeros((1, 1))], np.ones((1, 1))
