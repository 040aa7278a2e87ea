"""The recursion over L layers.

    h[0] = x
    z[l] = h[l-1] W[l]^T + b[l],  h[l] = tanh(z[l])    for l = 1, ..., L
    E    = 1/2 sum (h[L] - t)^2

x (n, d) holds one sample in each row, W[l] is [to][from]. W, b, z, h, dz, dW, db and dh are lists with one entry for
each layer; entry 0 of W, b, z, dz, dW and db is None, so that W[l] belongs to layer l. Fill in the blanks. dz[l] stands
for the gradient of E with respect to z[l], and has its shape; the others alike. Every named quantity is judged by
itself, and in each layer by itself, from right values of all the others, so one slip costs one quantity.
"""

from typing import Any

import numpy as np
import torch

from handgrad.grading.exercise import AUTOGRAD, Step

L = 3

SKELETON = """
import numpy as np


def forward(x, W, b):
    L = len(W) - 1
    z = [None] * (L + 1)
    h = [x] + [None] * L
    for l in range(1, L + 1):
        z[l] = ...
        h[l] = ...
    return z, h


def backward(W, z, h, t):
    L = len(W) - 1
    dz, dW, db, dh = ([None] * (L + 1) for _ in range(4))
    dh[L] = ...
    for l in range(L, 0, -1):
        dz[l] = ...
        dW[l] = ...
        db[l] = ...
        dh[l - 1] = ...
    return dW, db
"""


def draw(rng: np.random.Generator) -> dict[str, Any]:
    """Every layer has another size, so that no two axes can be taken for one another."""
    n, sizes = rng.choice([7, 9]), rng.permutation([3, 4, 5, 6])
    parameters = {f"W[{layer}]": rng.normal(size=(sizes[layer], sizes[layer - 1])) for layer in range(1, L + 1)}
    parameters |= {f"b[{layer}]": rng.normal(size=sizes[layer]) for layer in range(1, L + 1)}
    x = rng.normal(size=(n, sizes[0]))
    return {"x": x, "h[0]": x, **parameters, "t": rng.normal(size=(n, sizes[L]))}


def steps_of(layer: int) -> tuple[Step, Step]:
    """The two steps of one layer."""
    z = Step(f"z[{layer}]", lambda h, W, b: h @ W.T + b, (f"h[{layer - 1}]", f"W[{layer}]", f"b[{layer}]"))
    return z, Step(f"h[{layer}]", torch.tanh, (f"z[{layer}]",))


FORWARD = (
    *(step for layer in range(1, L + 1) for step in steps_of(layer)),
    Step("E", lambda h, t: 0.5 * ((h - t) ** 2).sum(), (f"h[{L}]", "t")),
)

POINTS = {
    "forward": {"z": 2, "h": 1},
    "backward": {"dz": 4, "dW": 3, "db": 2, "dh": 4},
}

FORBIDDEN = AUTOGRAD

HINTS = "name"
