"""Slips in NumPy code that hide: they show at ties, zeros and kinks only."""

import numpy as np
import torch

from .case import case


@case(
    "numpy",
    [(4, 3), (4, 3)],
    [(5,), (5,)],
    slips=[
        ("ties go to a alone", "0.5 * (a == b)", "1.0 * (a == b)", "constant"),
        ("ties go nowhere", "wa = (a > b) + 0.5 * (a == b)", "wa = 1.0 * (a > b)", "constant"),
        ("sides exchanged", "(a > b)", "(a < b)"),
        (
            "near ties are ties",
            "wa = (a > b) + 0.5 * (a == b)",
            "wa = np.where(abs(a - b) < 0.1, 0.5, a > b)",
            "ordinary",
        ),
        (
            "b gets a's",
            "return dy * wa.astype(dy.dtype), dy * (1 - wa).astype(dy.dtype)",
            "return dy * wa.astype(dy.dtype), dy * wa.astype(dy.dtype)",
        ),
    ],
)
def elementwise_maximum():
    def forward(a, b):
        return np.maximum(a, b)

    def backward(dy, a, b):
        wa = (a > b) + 0.5 * (a == b)
        return dy * wa.astype(dy.dtype), dy * (1 - wa).astype(dy.dtype)

    return forward, backward, torch.maximum


@case(
    "numpy",
    [(4, 3)],
    [(2, 2)],
    slips=[
        (
            "divided by x: nan at zero",
            "np.prod(np.delete(x, j, axis=1), axis=1)",
            "np.prod(x, axis=1) / x[:, j]",
            "kinks",
        ),
        ("eps for zero", "np.prod(np.delete(x, j, axis=1), axis=1)", "np.prod(x, axis=1) / (x[:, j] + 1e-8)"),
        ("the last column", "range(x.shape[1])", "range(x.shape[1] - 1)"),
        ("the next column left out", "np.delete(x, j, axis=1)", "np.delete(x, j - 1, axis=1)"),
        ("dy of the first row", "dx[:, j] = dy *", "dx[:, j] = dy[0] *"),
    ],
)
def product_of_rows():
    def forward(x):
        return np.prod(x, axis=1), x

    def backward(dy, x):
        dx = np.zeros_like(x)
        with np.errstate(all="ignore"):
            for j in range(x.shape[1]):
                dx[:, j] = dy * np.prod(np.delete(x, j, axis=1), axis=1)
        return dx

    return forward, backward, lambda x: x.prod(1)


@case(
    "numpy",
    [(4, 3)],
    [(1, 5)],
    slips=[
        ("nan at the zero vector", "np.where(n > 0, n, 1)", "n", "zero"),
        ("eps in the norm", "np.where(n > 0, n, 1)", "(n + 1e-6)"),
        ("a floor under the norm", "np.where(n > 0, n, 1)", "np.maximum(n, 0.01)", "tiny"),
        ("norm squared", "/ np.where(n > 0, n, 1)", "/ np.where(n > 0, n * n, 1)"),
        ("norm of all", "/ np.where(n > 0, n, 1)", "/ (np.linalg.norm(x) + (n == 0))"),
    ],
)
def norm_of_rows():
    def forward(x):
        n = np.sqrt((x * x).sum(1))
        return n, (x, n[:, None])

    def backward(dy, cache):
        x, n = cache
        with np.errstate(all="ignore"):
            return dy[:, None] * x / np.where(n > 0, n, 1)

    return forward, backward, lambda x: x.norm(dim=1)


@case(
    "numpy",
    [(5, 4)],
    [(3, 3)],
    slips=[
        ("column zero is taken for none", "if j is not None:", "if j:"),
        ("row zero skipped", "for i, j in enumerate(at):", "for i, j in list(enumerate(at))[1:]:"),
        ("each column once", "dx[i, j] += dy[i]", "dx[:i, j] = 0; dx[i, j] += dy[i]", "constant"),
        ("temperature forgotten", "+= dy[i]", "+= 2 * dy[i]"),
        ("the sum's row", "+= dy[i]", "+= dy[i - 1]"),
    ],
)
def minimum_of_rows():
    def forward(x):
        at = [int(np.argmin(row)) for row in x]
        return np.array([row[j] for row, j in zip(x, at, strict=True)]), (at, x.shape)

    def backward(dy, cache):
        at, shape = cache
        dx = np.zeros(shape, dy.dtype)
        for i, j in enumerate(at):
            if j is not None:
                dx[i, j] += dy[i]
        return dx

    return forward, backward, lambda x: x.gather(1, x.argmin(1, keepdim=True))[:, 0]


@case(
    "numpy",
    [(4, 3)],
    [(3, 4)],
    slips=[
        ("one at zero", "np.sign(x)", "np.where(x >= 0, 1, -1)", "kinks"),
        ("smoothed", "np.sign(x)", "np.tanh(1e3 * x)", "tiny"),
        ("the sign of the sum", "np.sign(x)", "np.sign(x.sum())"),
        ("mean for sum", "w * np.sign", "w / len(x) * np.sign"),
        ("x over its size", "np.sign(x)", "x / np.maximum(abs(x), 1e-2)", "tiny"),
    ],
)
def weighted_absolute_sum():
    def forward(x):
        w = np.linspace(0.5, 1.5, x.shape[1]).astype(x.dtype)
        return (w * np.abs(x)).sum(), (x, w)

    def backward(dy, cache):
        x, w = cache
        return (dy * w * np.sign(x)).astype(x.dtype)

    def reference(x):
        return (torch.linspace(0.5, 1.5, x.shape[1], dtype=x.dtype) * x.abs()).sum()

    return forward, backward, reference
