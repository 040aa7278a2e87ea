"""Two layers.

A layer with tanh and a layer without, and half the squared error:

    z1 = x W1^T + b1        (n, h)
    h1 = tanh(z1)           (n, h)
    z2 = h1 W2^T + b2       (n, k)
    E  = 1/2 sum (z2 - t)^2

x (n, d) holds one sample in each row, W1 (h, d) and W2 (k, h) are [to][from], t (n, k) are the targets. Fill in the
blanks. dz1 stands for the gradient of E with respect to z1, and has its shape; the others alike. Every named quantity
is judged by itself, from right values of all the others, so one slip costs one quantity.
"""

from typing import Any

import numpy as np
import torch

from handgrad.grading.exercise import AUTOGRAD, Step

SKELETON = """
import numpy as np


def forward(x, W1, b1, W2, b2, t):
    z1 = ...  # (n, h)
    h1 = ...  # (n, h)
    z2 = ...  # (n, k)
    E = ...  # one number
    return z1, h1, z2, E


def backward(x, W1, b1, W2, b2, t, z1, h1, z2):
    dz2 = ...  # (n, k)
    dW2 = ...  # (k, h)
    db2 = ...  # (k,)
    dh1 = ...  # (n, h)
    dz1 = ...  # (n, h)
    dW1 = ...  # (h, d)
    db1 = ...  # (h,)
    return dW1, db1, dW2, db2
"""


def draw(rng: np.random.Generator) -> dict[str, Any]:
    """All sizes differ, so that no two axes, and no two factors such as 2 and n, can be taken for one another."""
    n, (d, h, k) = rng.choice([5, 7]), rng.permutation([3, 4, 6])
    shapes = {"x": (n, d), "W1": (h, d), "b1": (h,), "W2": (k, h), "b2": (k,), "t": (n, k)}
    return {name: rng.normal(size=shape) for name, shape in shapes.items()}


FORWARD = (
    Step("z1", lambda x, W1, b1: x @ W1.T + b1),
    Step("h1", lambda z1: torch.tanh(z1)),
    Step("z2", lambda h1, W2, b2: h1 @ W2.T + b2),
    Step("E", lambda z2, t: 0.5 * ((z2 - t) ** 2).sum()),
)

POINTS = {
    "forward": {"z1": 1, "h1": 1, "z2": 1, "E": 1},
    "backward": {"dz2": 2, "dW2": 2, "db2": 1, "dh1": 2, "dz1": 2, "dW1": 2, "db1": 1},
}

FORBIDDEN = AUTOGRAD

HINTS = "name"
