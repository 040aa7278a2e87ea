"""Two units, one after the other.

A sigmoid unit and a tanh unit, single numbers all of them, and half the squared error:

    z1 = w1 x + b1      h1 = sigmoid(z1) = 1 / (1 + e^-z1)
    z2 = w2 h1 + b2     h2 = tanh(z2)
    E  = 1/2 (h2 - t)^2

Fill in the blanks. dz1 stands for dE/dz1, the others alike. Every named quantity is judged by itself, from right values
of all the others, so one slip costs one quantity.
"""

from typing import Any

import numpy as np
import torch

from handgrad.grading.exercise import AUTOGRAD, Step

SKELETON = """
import numpy as np


def forward(x, w1, b1, w2, b2, t):
    z1 = ...
    h1 = ...
    z2 = ...
    h2 = ...
    E = ...
    return z1, h1, z2, h2, E


def backward(x, w1, b1, w2, b2, t, z1, h1, z2, h2):
    dh2 = ...
    dz2 = ...
    dw2 = ...
    db2 = ...
    dh1 = ...
    dz1 = ...
    dw1 = ...
    db1 = ...
    return dw1, db1, dw2, db2
"""


def draw(rng: np.random.Generator) -> dict[str, Any]:
    return {name: rng.uniform(0.3, 2.0) for name in ("x", "w1", "b1", "w2", "b2", "t")}


FORWARD = (
    Step("z1", lambda x, w1, b1: w1 * x + b1),
    Step("h1", lambda z1: torch.sigmoid(z1)),
    Step("z2", lambda h1, w2, b2: w2 * h1 + b2),
    Step("h2", lambda z2: torch.tanh(z2)),
    Step("E", lambda h2, t: 0.5 * (h2 - t) ** 2),
)

POINTS = {
    "forward": {"z1": 1, "h1": 1, "z2": 1, "h2": 1, "E": 1},
    "backward": {"dh2": 1, "dz2": 2, "dw2": 1, "db2": 1, "dh1": 1, "dz1": 2, "dw1": 1, "db1": 1},
}

FORBIDDEN = AUTOGRAD

HINTS = "name"
