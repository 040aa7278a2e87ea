"""Array plumbing in NumPy: np.add.at, fancy indices, sums that run, padding, windows, tables."""

import numpy as np
import torch
import torch.nn.functional as F

from .case import case, labels


@case(
    "numpy",
    [(4, 3), (2, 3), (2,)],
    [(1, 2), (5, 2), (5,)],
    slips=[
        ("no sum hides nothing at batch 1", "dy.sum(axis=0)", "dy[0]"),
        ("mean for sum", "dy.sum(axis=0)", "dy.mean(axis=0)"),
        ("last sample dropped", "dy.T @ x", "dy[:-1].T @ x[:-1]"),
        ("W from its mirror", "dy @ W", "dy @ W[::-1]"),
        ("divided by the batch", "dy.T @ x", "dy.T @ x / len(x)"),
        ("dW from abs(x)", "dy.T @ x", "dy.T @ abs(x)"),
    ],
)
def linear_dict():
    def forward(x, W, b):
        return x @ W.T + b, {"x": x, "W": W}

    def backward(dy, cache):
        x, W = cache["x"], cache["W"]
        return {"dx": dy @ W, "dW": dy.T @ x, "db": dy.sum(axis=0)}

    return forward, backward, lambda x, W, b: F.linear(x, W, b)


@case(
    "numpy",
    [(5, 3), labels(8, 5)],
    [(2, 2), labels(6, 2)],
    slips=[
        ("repeated indices not summed", "np.add.at(dE, t, dy)", "dE[t] += dy"),
        ("overwritten", "np.add.at(dE, t, dy)", "dE[t] = dy"),
        ("the padding row forgotten", "dE[0] = 0", "pass"),
        ("another padding row", "dE[0] = 0", "dE[-1] = 0"),
        ("last token dropped", "np.add.at(dE, t, dy)", "np.add.at(dE, t[:-1], dy[:-1])"),
        (
            "divided by the count",
            "dE[0] = 0",
            "dE /= np.maximum(1, np.bincount(t, minlength=len(dE)))[:, None]; dE[0] = 0",
        ),
    ],
)
def embedding_padded():
    def forward(E, t):
        return E[t], (E.shape, t)

    def backward(dy, cache):
        shape, t = cache
        dE = np.zeros(shape, dy.dtype)
        np.add.at(dE, t, dy)
        dE[0] = 0
        return dE

    return forward, backward, lambda E, t: F.embedding(t, E, padding_idx=0)


@case(
    "numpy",
    [(6, 2)],
    [(1, 3)],
    slips=[
        ("not reversed", "np.cumsum(dy[::-1], axis=0)[::-1]", "np.cumsum(dy, axis=0)"),
        ("not turned back", "np.cumsum(dy[::-1], axis=0)[::-1]", "np.cumsum(dy[::-1], axis=0)"),
        ("along the other axis", "np.cumsum(dy[::-1], axis=0)[::-1]", "np.cumsum(dy[:, ::-1], axis=1)[:, ::-1]"),
        ("its own entry left out", "np.cumsum(dy[::-1], axis=0)[::-1]", "np.cumsum(dy[::-1], axis=0)[::-1] - dy"),
        ("the total for each", "np.cumsum(dy[::-1], axis=0)[::-1]", "0 * dy + dy.sum(axis=0)"),
    ],
    also=[("from the total", "np.cumsum(dy[::-1], axis=0)[::-1]", "dy.sum(axis=0) - np.cumsum(dy, axis=0) + dy")],
)
def cumsum():
    def forward(x):
        return np.cumsum(x, axis=0)

    def backward(dy, x):
        return np.cumsum(dy[::-1], axis=0)[::-1]

    return forward, backward, lambda x: torch.cumsum(x, 0)


@case(
    "numpy",
    [(5, 2)],
    [(3, 1)],
    slips=[
        ("divided by x: zero gives nan", "w *= x[j]", "pass"),
        ("own factor kept", "w = y[i - 1].copy() if i else np.ones_like(x[0])", "w = y[i].copy()"),
        ("= for +=", "dx[i] += dy[j] * w", "dx[i] = dy[j] * w"),
        ("starts one late", "for j in range(i, len(x)):", "for j in range(i + 1, len(x)):"),
        ("last product dropped", "for j in range(i, len(x)):", "for j in range(i, len(x) - 1):"),
        ("cache changed", "y[i - 1].copy() if", "y[i - 1] if", "overwritten"),
    ],
)
def cumprod_loops():
    def forward(x):
        y = np.cumprod(x, axis=0)
        return y, (x, y.copy())

    def backward(dy, cache):
        x, y = cache
        dx = np.zeros_like(x)
        for i in range(len(x)):
            w = y[i - 1].copy() if i else np.ones_like(x[0])
            for j in range(i, len(x)):
                if j > i:
                    w *= x[j]
                dx[i] += dy[j] * w
        return dx

    return forward, backward, lambda x: torch.cumprod(x, 0)


@case(
    "numpy",
    [(4, 3), (4, 2)],
    [(1, 2), (1, 2)],
    slips=[
        ("split at the wrong place", "dy[:, :k], dy[:, k:]", "dy[:, : k - 1], dy[:, k:]"),
        ("halves exchanged", "dy[:, :k], dy[:, k:]", "dy[:, -k:], dy[:, :-k]"),
        ("the scale forgotten", "2 * db", "db"),
        ("the first alone", "return da, 2 * db", "return da, None"),
        ("sign", "return da, 2 * db", "return -da, 2 * db"),
    ],
)
def concatenate():
    def forward(a, b):
        return np.concatenate([a, 2 * b], axis=1), a.shape[1]

    def backward(dy, k):
        da, db = dy[:, :k], dy[:, k:]
        return da, 2 * db

    return forward, backward, lambda a, b: torch.cat([a, 2 * b], 1)


@case(
    "numpy",
    [(4, 5)],
    [(3, 2)],
    slips=[
        ("all the ties", "dx[rows, at] = dy", "dx += dy[:, None] * (x == x.max(1, keepdims=True))", "constant"),
        ("the column of the minimum", "dx[rows, at] = dy", "dx[rows, x.argmin(1)] = dy"),
        ("one for dy", "dx[rows, at] = dy", "dx[rows, at] = 1"),
        ("all rows' columns", "dx[rows, at] = dy", "dx[:, at] = dy"),
        ("the last row dropped", "dx[rows, at] = dy", "dx[rows[:-1], at[:-1]] = dy[:-1]"),
    ],
)
def max_of_rows():
    def forward(x):
        at = x.argmax(axis=1)
        return x[np.arange(len(x)), at], (x, at)

    def backward(dy, cache):
        x, at = cache
        rows = np.arange(len(x))
        dx = np.zeros_like(x)
        dx[rows, at] = dy
        return dx

    return forward, backward, lambda x: x.gather(1, x.argmax(1, keepdim=True))[:, 0]


@case(
    "numpy",
    [(4, 5)],
    [(2, 3)],
    slips=[
        ("not sorted back", "np.put_along_axis(dx, order, dy * w, axis=1)", "dx = dy * w"),
        (
            "order for its inverse",
            "np.put_along_axis(dx, order, dy * w, axis=1)",
            "dx = np.take_along_axis(dy * w, order, axis=1)",
        ),
        ("weights forgotten", "dy * w, axis", "dy, axis"),
        ("the first row's order", "np.put_along_axis(dx, order,", "np.put_along_axis(dx, order[:1] + 0 * order,"),
        ("weights from the other end", "dy * w, axis", "dy * w[::-1], axis"),
    ],
)
def weighted_sort():
    def forward(x):
        order = np.argsort(x, axis=1, kind="stable")
        w = np.arange(1, x.shape[1] + 1).astype(x.dtype)
        return np.take_along_axis(x, order, axis=1) * w, (order, w)

    def backward(dy, cache):
        order, w = cache
        dx = np.empty_like(dy)
        np.put_along_axis(dx, order, dy * w, axis=1)
        return dx

    def reference(x):
        return x.sort(dim=1, stable=True).values * torch.arange(1, x.shape[1] + 1, dtype=x.dtype)

    return forward, backward, reference


@case(
    "numpy",
    [(4, 3)],
    [(7,)],
    variants=[{"low": -0.25, "high": 1.0}],
    slips=[
        ("passes outside", "(x >= low) & (x <= high)", "(x >= low)"),
        ("edges cut off", "(x >= low) & (x <= high)", "(x > low) & (x < high)", "kinks"),
        ("the inside blocked", "dy * inside", "dy * ~inside"),
        ("abs(x) below high", "(x >= low) & (x <= high)", "(np.abs(x) <= high)"),
        ("straight through", "dy * inside", "dy * 1"),
    ],
)
def clip(low=-1.0, high=0.5):
    def forward(x):
        inside = (x >= low) & (x <= high)
        return np.clip(x, low, high), inside

    def backward(dy, inside):
        return dy * inside

    return forward, backward, lambda x: x.clamp(low, high)


@case(
    "numpy",
    [(6, 2), lambda rng: np.array([0, 0, 1, 2, 2, 2])],
    slips=[
        ("sum for mean", "dy[seg] / counts[seg][:, None]", "dy[seg]"),
        ("mean over all", "counts[seg][:, None]", "len(seg)"),
        (
            "the segments' own rows",
            "dy[seg] / counts[seg][:, None]",
            "dy[np.minimum(np.arange(len(seg)), 2)] / counts[seg][:, None]",
        ),
        ("counts of the next segment", "counts[seg][:, None]", "counts[(seg + 1) % 3][:, None]"),
        ("last row zero", "return (dy", "seg = np.where(np.arange(6) == 5, 0, seg); return (dy"),
    ],
)
def segment_mean():
    def forward(x, seg):
        y = np.zeros((seg.max() + 1, x.shape[1]), x.dtype)
        np.add.at(y, seg, x)
        counts = np.bincount(seg).astype(x.dtype)
        return y / counts[:, None], (seg, counts)

    def backward(dy, cache):
        seg, counts = cache
        return (dy[seg] / counts[seg][:, None]), None

    def reference(x, seg):
        y = torch.zeros(int(seg.max()) + 1, x.shape[1], dtype=x.dtype).index_add(0, seg, x)
        return y / torch.bincount(seg)[:, None]

    return forward, backward, reference
