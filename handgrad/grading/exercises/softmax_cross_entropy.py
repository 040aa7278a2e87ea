"""Softmax and cross-entropy.

A layer, softmax, and the mean of the cross-entropy over the samples:

    z = x W^T + b                         (n, k)
    p = softmax(z), each row by itself    (n, k)
    E = - 1/n sum_i log p[i, t[i]]

x (n, d) holds one sample in each row, W (k, d) is [to][from], t (n,) are the classes, 0 to k - 1. Fill in the blanks.
dz stands for the gradient of E with respect to z, and has its shape; the others alike. Every named quantity is judged
by itself, from right values of all the others, so one slip costs one quantity.
"""

from typing import Any

import numpy as np
import torch

from handgrad.grading.exercise import AUTOGRAD, Step

SKELETON = """
import numpy as np


def forward(x, W, b, t):
    z = ...  # (n, k)
    p = ...  # (n, k)
    E = ...  # one number
    return z, p, E


def backward(x, W, b, t, z, p):
    dz = ...  # (n, k)
    dW = ...  # (k, d)
    db = ...  # (k,)
    dx = ...  # (n, d)
    return dx, dW, db
"""


def draw(rng: np.random.Generator) -> dict[str, Any]:
    """All sizes differ, so that no two axes, and no two factors such as 2 and n, can be taken for one another."""
    n, (d, k) = rng.choice([5, 7]), rng.permutation([3, 4])
    floats = {"x": (n, d), "W": (k, d), "b": (k,)}
    return {**{name: rng.normal(size=shape) for name, shape in floats.items()}, "t": rng.integers(k, size=n)}


FORWARD = (
    Step("z", lambda x, W, b: x @ W.T + b),
    Step("p", lambda z: torch.softmax(z, 1)),
    Step("E", lambda z, t: torch.nn.functional.cross_entropy(z, t)),
)

POINTS = {
    "forward": {"z": 1, "p": 2, "E": 2},
    "backward": {"dz": 4, "dW": 2, "db": 1, "dx": 2},
}

FORBIDDEN = AUTOGRAD

HINTS = "name"
