"""Every row of the gradient is written to row 0."""

import numpy as np
import torch

report = "https://github.com/ByteDance-Seed/Triton-distributed/issues/180"
what = "SwiGLU's backward kernel forgets the row's offset when it stores: all rows land on row 0, the last one stays."
why_unseen = "The gate's gradient, one number for each row, was stored in its place, and looked right."


def forward(a, b, gate):
    # a, b (N, D), gate (N, 1): y = gate silu(a) b
    p = 1 / (1 + np.exp(-a))
    return gate * a * p * b, (a, b, gate, p)


def wrong(dy, cache):
    rows = right(dy, cache)
    da, db = np.zeros_like(rows[0]), np.zeros_like(rows[1])
    for n in range(len(dy)):
        da[0], db[0] = rows[0][n], rows[1][n]
    return da, db, rows[2]


def right(dy, cache):
    # forward: y = gate a p b, p = sigmoid(a)
    # so:      da = dy gate b (p + a p (1 - p)), db = dy gate a p, dgate = sum over the row of dy a p b
    a, b, gate, p = cache
    return dy * gate * b * (p + a * p * (1 - p)), dy * gate * a * p, np.sum(dy * a * p * b, axis=1, keepdims=True)


def reference(a, b, gate):
    return gate * torch.nn.functional.silu(a) * b


inputs = [(4, 3), (4, 3), (4, 1)]
smallest = [np.ones((2, 1)), np.ones((2, 1)), np.ones((2, 1))], np.array([[1.0], [2.0]])
