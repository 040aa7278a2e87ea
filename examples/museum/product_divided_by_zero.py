"""The product of the others is computed as the whole product divided by x."""

import numpy as np

report = "https://github.com/rusty1s/pytorch_scatter/issues/189"
what = "For y = x1 x2 x3 it gives dx1 = dy y / x1, which is 0 / 0 where x1 is 0."
why_unseen = "It was tested by gradcheck, whose random numbers are never exactly 0."


def forward(x):
    # x (N, D): the product of each row
    return np.prod(x, axis=1), x


def wrong(dy, x):
    y = np.prod(x, axis=1)
    return (dy * y)[:, None] / x


def right(dy, x):
    # forward: y = x1 x2 ... xD
    # so:      dx[j] = dy times the product of all x but x[j]
    columns = range(x.shape[1])
    others = [np.prod(x[:, [i for i in columns if i != j]], axis=1) for j in columns]
    return dy[:, None] * np.stack(others, axis=1)


def reference(x):
    return x.prod(1)


inputs = [(4, 3)]
smallest = [np.array([[0.0, 2.0]])], np.ones(1)
