"""Batch normalisation.

Each column of x (n, d) is brought to mean 0 and variance 1, then scaled and moved:

    mu   = mean of each column                      (d,)
    var  = mean of (x - mu)^2 of each column        (d,)
    xhat = (x - mu) / sqrt(var + eps)               (n, d)
    y    = gamma xhat + beta                        (n, d)

eps is 1e-5. dy (n, d) comes from above: the gradient of some E with respect to y. Fill in the blanks. dx stands for the
gradient of E with respect to x, and has its shape; the others alike. mu and var depend on x too. Every named quantity
is judged by itself, from right values of all the others, so one slip costs one quantity.
"""

from typing import Any

import numpy as np
import torch

from handgrad.grading.exercise import AUTOGRAD, Step

SKELETON = """
import numpy as np

eps = 1e-5


def forward(x, gamma, beta):
    mu = ...  # (d,)
    var = ...  # (d,)
    xhat = ...  # (n, d)
    y = ...  # (n, d)
    return mu, var, xhat, y


def backward(dy, x, gamma, beta, mu, var, xhat):
    dbeta = ...  # (d,)
    dgamma = ...  # (d,)
    dxhat = ...  # (n, d)
    dx = ...  # (n, d)
    return dx, dgamma, dbeta
"""


def draw(rng: np.random.Generator) -> dict[str, Any]:
    """Both sizes differ, so that no two axes, and no two factors such as 2 and n, can be taken for one another."""
    n, d = rng.choice([5, 7]), rng.choice([3, 4])
    shapes = {"x": (n, d), "gamma": (d,), "beta": (d,), "dy": (n, d)}
    return {name: rng.normal(1.0, 2.0, size=shape) for name, shape in shapes.items()}


FORWARD = (
    Step("mu", lambda x: x.mean(0)),
    Step("var", lambda x, mu: ((x - mu) ** 2).mean(0)),
    Step("xhat", lambda x, mu, var: (x - mu) / torch.sqrt(var + 1e-5)),
    Step("y", lambda xhat, gamma, beta: gamma * xhat + beta),
    Step("E", lambda y, dy: (y * dy).sum()),
)

POINTS = {
    "forward": {"mu": 1, "var": 1, "xhat": 1, "y": 1},
    "backward": {"dbeta": 1, "dgamma": 2, "dxhat": 1, "dx": 4},
}

FORBIDDEN = AUTOGRAD

HINTS = "name"
