"""Windows that slide, in NumPy: convolutions, pooling, differences, interpolation."""

import numpy as np
import torch
import torch.nn.functional as F

from .case import case


@case(
    "numpy",
    [(2, 7), (3,)],
    [(1, 3), (2,)],
    slips=[
        ("= for +=", "dx[:, i : i + k] += dy[:, i : i + 1] * w", "dx[:, i : i + k] = dy[:, i : i + 1] * w"),
        ("kernel flipped", "dy[:, i : i + 1] * w", "dy[:, i : i + 1] * w[::-1]"),
        (
            "off by one slice",
            "dw += dy[:, i] @ x[:, i : i + k]",
            "dw += dy[:, i] @ x[:, max(i - 1, 0) : max(i - 1, 0) + k]",
        ),
        ("last window dropped", "range(dy.shape[1])", "range(dy.shape[1] - 1)"),
        ("dw of the last window", "dw += dy", "dw = dy"),
        ("batch mean", "dw += dy[:, i] @", "dw += dy[:, i] / len(x) @"),
    ],
)
def conv1d_loop():
    def forward(x, w):
        k = len(w)
        m = x.shape[1] - k + 1
        y = np.zeros((len(x), m), x.dtype)
        for i in range(m):
            y[:, i] = x[:, i : i + k] @ w
        return y, (x, w)

    def backward(dy, cache):
        x, w = cache
        k = len(w)
        dx, dw = np.zeros_like(x), np.zeros_like(w)
        for i in range(dy.shape[1]):
            dx[:, i : i + k] += dy[:, i : i + 1] * w
            dw += dy[:, i] @ x[:, i : i + k]
        return dx, dw

    return forward, backward, lambda x, w: F.conv1d(x[:, None], w[None, None])[:, 0]


@case(
    "numpy",
    [(2, 2, 5, 4), (3, 2, 3, 3), (3,)],
    [(1, 1, 3, 3), (1, 1, 3, 3), (1,)],
    slips=[
        ("padding not cut off right", "dxp[:, :, 1:-1, 1:-1]", "dxp[:, :, :-2, :-2]"),
        (
            "kernel flipped",
            'np.einsum("noij,oc->ncij", dy, w[:, :, a, b])',
            'np.einsum("noij,oc->ncij", dy, w[:, :, 2 - a, 2 - b])',
        ),
        ("= for +=", "dxp[:, :, a : a + H, b : b + W] += np", "dxp[:, :, a : a + H, b : b + W] = np"),
        ("bias not over rows", "dy.sum((0, 2, 3))", "dy.sum((0, 3))[:, 0]"),
        ("rows and columns exchanged in dw", "dw[:, :, a, b] =", "dw[:, :, b, a] ="),
        (
            "batch dropped in dw",
            'np.einsum("noij,ncij->oc", dy, window)',
            'np.einsum("noij,ncij->oc", dy[:1], window[:1])',
        ),
    ],
)
def conv2d_padded():
    def forward(x, w, b):
        H, W = x.shape[2:]
        xp = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
        y = np.zeros((len(x), len(w), H, W), x.dtype)
        for i in range(3):
            for j in range(3):
                y += np.einsum("ncij,oc->noij", xp[:, :, i : i + H, j : j + W], w[:, :, i, j])
        return y + b[:, None, None], (xp, w)

    def backward(dy, cache):
        xp, w = cache
        H, W = dy.shape[2:]
        dxp, dw = np.zeros_like(xp), np.zeros_like(w)
        for a in range(3):
            for b in range(3):
                window = xp[:, :, a : a + H, b : b + W]
                dw[:, :, a, b] = np.einsum("noij,ncij->oc", dy, window)
                dxp[:, :, a : a + H, b : b + W] += np.einsum("noij,oc->ncij", dy, w[:, :, a, b])
        return dxp[:, :, 1:-1, 1:-1], dw, dy.sum((0, 2, 3))

    return forward, backward, lambda x, w, b: F.conv2d(x, w, b, padding=1)


@case(
    "numpy",
    [(2, 4, 6)],
    [(1, 2, 2)],
    slips=[
        (
            "every entry of the window",
            "dx[n, 2 * i + at // 2, 2 * j + at % 2] =",
            "dx[n, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2] =",
        ),
        ("row and column exchanged", "2 * i + at // 2, 2 * j + at % 2", "2 * i + at % 2, 2 * j + at // 2"),
        ("first corner always", "2 * i + at // 2, 2 * j + at % 2", "2 * i, 2 * j"),
        ("the first sample's place", "at = where[n, i, j]", "at = where[0, i, j]"),
        ("quarter of dy", "] = dy[n, i, j]", "] = dy[n, i, j] / 4"),
    ],
)
def max_pool():
    def forward(x):
        N, H, W = x.shape[0], x.shape[1] // 2, x.shape[2] // 2
        y = np.zeros((N, H, W), x.dtype)
        where = np.zeros((N, H, W), int)
        for n, i, j in np.ndindex(N, H, W):
            window = x[n, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].ravel()
            where[n, i, j] = window.argmax()
            y[n, i, j] = window.max()
        return y, (x.shape, where)

    def backward(dy, cache):
        shape, where = cache
        dx = np.zeros(shape, dy.dtype)
        for n, i, j in np.ndindex(*dy.shape):
            at = where[n, i, j]
            dx[n, 2 * i + at // 2, 2 * j + at % 2] = dy[n, i, j]
        return dx

    return forward, backward, lambda x: F.max_pool2d(x[:, None], 2)[:, 0]


@case(
    "numpy",
    [(2, 7)],
    [(1, 3)],
    slips=[
        ("= for += where windows overlap", "dx[:, 2 * i : 2 * i + 3] += dy", "dx[:, 2 * i : 2 * i + 3] = dy"),
        ("not divided", "/ 3\n        return dx", "/ 1\n        return dx"),
        ("stride 1", "dx[:, 2 * i : 2 * i + 3] +=", "dx[:, i : i + 3] +="),
        ("window of two", "dx[:, 2 * i : 2 * i + 3] +=", "dx[:, 2 * i : 2 * i + 2] +="),
        ("last window dropped", "range(dy.shape[1])", "range(dy.shape[1] - 1)"),
    ],
)
def average_pool_strided():
    def forward(x):
        k = (x.shape[1] - 3) // 2 + 1
        return np.stack([x[:, 2 * i : 2 * i + 3].mean(1) for i in range(k)], 1), x.shape

    def backward(dy, shape):
        dx = np.zeros(shape, dy.dtype)
        for i in range(dy.shape[1]):
            dx[:, 2 * i : 2 * i + 3] += dy[:, i : i + 1] / 3
        return dx

    return forward, backward, lambda x: F.avg_pool1d(x[:, None], 3, 2)[:, 0]


@case(
    "numpy",
    [(3, 6)],
    [(1, 2)],
    slips=[
        ("first difference's sign", "dx[:, :-1] -= dy", "dx[:, :-1] += dy"),
        ("only the right neighbour", "dx[:, :-1] -= dy", "pass"),
        ("off by one", "dx[:, 1:] += dy", "dx[:, :-1] += dy"),
        ("= for the second", "dx[:, 1:] += dy", "dx[:, 1:] = dy"),
        ("both signs", "dx[:, :-1] -= dy\n        dx[:, 1:] += dy", "dx[:, :-1] += dy\n        dx[:, 1:] -= dy"),
    ],
)
def differences():
    def forward(x):
        return np.diff(x, axis=1), x.shape

    def backward(dy, shape):
        dx = np.zeros(shape, dy.dtype)
        dx[:, :-1] -= dy
        dx[:, 1:] += dy
        return dx

    return forward, backward, lambda x: x.diff(dim=1)


@case(
    "numpy",
    [(5,), lambda rng: rng.uniform(0.1, 3.9, 6)],
    slips=[
        ("weights exchanged", "np.add.at(dv, i, dy * (1 - f))", "np.add.at(dv, i, dy * f)"),
        ("repeated places not summed", "np.add.at(dv, i + 1, dy * f)", "dv[i + 1] += dy * f"),
        ("slope's sign", "(v[i + 1] - v[i])", "(v[i] - v[i + 1])"),
        ("the right neighbour forgotten", "np.add.at(dv, i + 1, dy * f)", "pass"),
        ("the place is constant", "return dv, dy * (v[i + 1] - v[i])", "return dv, 0 * dy"),
        ("one too far left", "np.add.at(dv, i + 1, dy * f)", "np.add.at(dv, i, dy * f)"),
    ],
)
def linear_interpolation():
    def forward(v, q):
        i = np.clip(np.floor(q).astype(int), 0, len(v) - 2)
        f = q - i.astype(q.dtype)
        return (1 - f) * v[i] + f * v[i + 1], (v, i, f)

    def backward(dy, cache):
        v, i, f = cache
        dv = np.zeros_like(v)
        np.add.at(dv, i, dy * (1 - f))
        np.add.at(dv, i + 1, dy * f)
        return dv, dy * (v[i + 1] - v[i])

    def reference(v, q):
        i = q.detach().floor().long().clamp(0, len(v) - 2)
        f = q - i
        return (1 - f) * v[i] + f * v[i + 1]

    return forward, backward, reference


@case(
    "numpy",
    [(2, 3, 4)],
    [(1, 1, 2)],
    slips=[
        ("mean for sum", ".sum((2, 4))", ".mean((2, 4))"),
        ("one of four", ".sum((2, 4))", "[:, :, 0, :, 0]"),
        ("only along rows", ".sum((2, 4))", ".sum(2)[..., 0]"),
        ("blocks read in the wrong order", "reshape(n, h, 2, w, 2)", "reshape(n, 2, h, w, 2).swapaxes(1, 2)"),
        ("twice", "return dy.reshape", "return 2 * dy.reshape"),
    ],
)
def upsample_nearest():
    def forward(x):
        return x.repeat(2, axis=1).repeat(2, axis=2), x.shape

    def backward(dy, shape):
        n, h, w = shape
        return dy.reshape(n, h, 2, w, 2).sum((2, 4))

    return forward, backward, lambda x: F.interpolate(x[:, None], scale_factor=2, mode="nearest")[:, 0]


@case(
    "numpy",
    [(3, 5)],
    [(2, 2)],
    slips=[
        ("left padding not returned", "dx[:, 0] += dy[:, 0]", "pass"),
        ("right padding to the wrong end", "dx[:, -1] += dy[:, -1]", "dx[:, 0] += dy[:, -1]"),
        ("= for +=", "dx[:, 0] += dy[:, 0]", "dx[:, 0] = dy[:, 0]"),
        ("off by one", "dy[:, 1:-1].copy()", "dy[:, 2:].copy()"),
        ("writes into dy", "dy[:, 1:-1].copy()", "dy[:, 1:-1]", "overwritten"),
    ],
)
def pad_with_the_edge():
    def forward(x):
        return np.pad(x, ((0, 0), (1, 1)), mode="edge")

    def backward(dy, x):
        dx = dy[:, 1:-1].copy()
        dx[:, 0] += dy[:, 0]
        dx[:, -1] += dy[:, -1]
        return dx

    return forward, backward, lambda x: torch.cat([x[:, :1], x, x[:, -1:]], 1)
