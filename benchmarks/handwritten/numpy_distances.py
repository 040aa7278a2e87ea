"""Losses of numbers and distances in NumPy: squares, Huber, triplets, cosines, norms."""

import numpy as np
import torch
import torch.nn.functional as F

from .case import case, positive


@case(
    "numpy",
    [(4, 3), (4, 3)],
    [(5,), (5,)],
    slips=[
        ("factor 2 missing", "2 * r / r.size", "r / r.size"),
        ("sum for mean", "2 * r / r.size", "2 * r"),
        ("mean over the batch only", "2 * r / r.size", "4 * r / len(r) / len(r)"),
        ("target's sign", "return dx, -dx", "return dx, dx"),
        ("constant target", "return dx, -dx", "return dx, 0 * dx"),
        ("the square of the residual", "2 * r / r.size", "2 * r * r / r.size"),
    ],
)
def mse():
    def forward(x, t):
        r = x - t
        return np.mean(r**2), r

    def backward(dy, r):
        dx = dy * 2 * r / r.size
        return dx, -dx

    return forward, backward, F.mse_loss


@case(
    "numpy",
    [(4, 3), (4, 3)],
    [(2, 2), (2, 2)],
    variants=[{"delta": 0.5}, {"delta": 2.0}],
    slips=[
        ("delta forgotten", "g[far] = delta * np.sign(r[far])", "g[far] = np.sign(r[far])"),
        ("sign forgotten", "g[far] = delta * np.sign(r[far])", "g[far] = delta"),
        ("clipped on one side", "far = np.abs(r) > delta", "far = r > delta"),
        ("the wrong side", "far = np.abs(r) > delta", "far = np.abs(r) < delta"),
        ("threshold of another size", "far = np.abs(r) > delta", "far = np.abs(r) > 2 * delta", "wide"),
        ("the target forgotten", 'return {"x": g, "t": -g}', 'return {"x": g, "t": None}'),
    ],
)
def huber(delta=0.75):
    def forward(x, t):
        r = x - t
        a = np.abs(r)
        return np.where(a > delta, delta * (a - delta / 2), 0.5 * r * r).sum(), r

    def backward(dy, r):
        g = r.copy()
        far = np.abs(r) > delta
        g[far] = delta * np.sign(r[far])
        g *= dy
        return {"x": g, "t": -g}

    return forward, backward, lambda x, t: F.huber_loss(x, t, reduction="sum", delta=delta)


@case(
    "numpy",
    [(4, 3), (4, 3), (4, 3)],
    [(1, 6), (1, 6), (1, 6)],
    variants=[{"margin": 0.5}],
    slips=[
        ("squared distances' factor 2", "2 * on * (n - p)", "on * (n - p)"),
        ("positive's sign", "2 * on * (p - a)", "2 * on * (a - p)"),
        ("negative's sign", "2 * on * (a - n)", "2 * on * (n - a)"),
        ("no mask", "on = (gap > 0)", "on = (gap > -1e30)", "wide"),
        ("anchor gets the positive only", "2 * on * (n - p)", "2 * on * (a - p)"),
        ("mean for sum", "on = (gap > 0)", "on = 1 / len(gap) * (gap > 0)", "ordinary"),
    ],
)
def triplet(margin=1.0):
    def forward(a, p, n):
        gap = ((a - p) ** 2).sum(1) - ((a - n) ** 2).sum(1) + margin
        return np.maximum(gap, 0).sum(), (a, p, n, gap)

    def backward(dy, cache):
        a, p, n, gap = cache
        on = (gap > 0)[:, None] * dy
        return 2 * on * (n - p), 2 * on * (p - a), 2 * on * (a - n)

    def reference(a, p, n):
        gap = ((a - p) ** 2).sum(1) - ((a - n) ** 2).sum(1) + margin
        return torch.relu(gap).sum()

    return forward, backward, reference


@case(
    "numpy",
    [(4, 3), (4, 3)],
    [(1, 5), (1, 5)],
    slips=[
        ("the projection forgotten", " - c[:, None] * un) / nu", ") / nu"),
        ("divided by the other norm", "* vn) / nv", "* vn) / nu"),
        ("plus for minus", "(vn - c", "(vn + c"),
        ("the norm squared", "un) / nu", "un) / nu**2"),
        ("du from its own direction", "(vn - c[:, None] * un)", "(un - c[:, None] * vn)"),
    ],
)
def cosine_similarity():
    def forward(u, v):
        nu = np.sqrt((u * u).sum(1, keepdims=True))
        nv = np.sqrt((v * v).sum(1, keepdims=True))
        un, vn = u / nu, v / nv
        c = (un * vn).sum(1)
        return c, (un, vn, nu, nv, c)

    def backward(dy, cache):
        un, vn, nu, nv, c = cache
        du = (vn - c[:, None] * un) / nu
        dv = (un - c[:, None] * vn) / nv
        return dy[:, None] * du, dy[:, None] * dv

    def reference(u, v):
        return (u * v).sum(1) / (u.norm(dim=1) * v.norm(dim=1))

    return forward, backward, reference


@case(
    "numpy",
    [(4, 3)],
    [(2, 6)],
    variants=[{"p": 1.5}, {"p": 4}],
    slips=[
        ("exponent p", "a ** (p - 1)", "a**p"),
        ("no sign", "np.sign(x) * a", "a"),
        ("the norm not divided", "/ n ** (p - 1)", "/ n"),
        ("p forgotten at the top", "a ** (p - 1) / n ** (p - 1)", "p * a ** (p - 1) / n ** (p - 1)"),
        ("the first row's norm for all", "/ n ** (p - 1)", "/ n[0] ** (p - 1)"),
    ],
    also=[("divided first", "a ** (p - 1) / n ** (p - 1)", "(a / n) ** (p - 1)")],
)
def p_norm(p=3):
    def forward(x):
        a = np.abs(x)
        n = (a**p).sum(axis=1, keepdims=True) ** (1 / p)
        return n[:, 0], (x, a, n)

    def backward(dy, cache):
        x, a, n = cache
        return dy[:, None] * np.sign(x) * a ** (p - 1) / n ** (p - 1)

    def reference(x):
        return (x.abs() ** p).sum(1) ** (1 / p)

    return forward, backward, reference


@case(
    "numpy",
    [(4, 3), (5, 3)],
    [(1, 2), (3, 2)],
    slips=[
        ("factor 2", "2 * (dy.sum(1)", "1 * (dy.sum(1)"),
        ("db from the rows of a", "dy.sum(0)[:, None] * b", "dy.sum(0)[:, None] * b[::-1]"),
        ("cross term's sign", "* a - dy @ b)", "* a + dy @ b)"),
        ("only the cross term", "dy.sum(0)[:, None] * b - dy.T @ a", "0 * b - dy.T @ a"),
        ("mean for sum", "dy.sum(1)[:, None]", "dy.mean(1)[:, None]"),
    ],
)
def pairwise_squared_distance():
    def forward(a, b):
        return ((a[:, None, :] - b[None, :, :]) ** 2).sum(-1)

    def backward(dy, a, b):
        da = 2 * (dy.sum(1)[:, None] * a - dy @ b)
        db = 2 * (dy.sum(0)[:, None] * b - dy.T @ a)
        return da, db

    return forward, backward, lambda a, b: ((a[:, None] - b[None]) ** 2).sum(-1)


@case(
    "numpy",
    [(4, 3), positive(4, 3)],
    slips=[
        ("rate not exponentiated", "(np.exp(x) - t) *", "(x - t) *"),
        ("the target's gradient is the rate", "return dx, -x * dy / x.size", "return dx, -np.exp(x) * dy / x.size"),
        ("sum for mean", "(np.exp(x) - t) * dy / x.size", "(np.exp(x) - t) * dy"),
        ("sign", "(np.exp(x) - t) *", "(t - np.exp(x)) *"),
        ("dy twice", "(np.exp(x) - t) * dy", "(np.exp(x) - t) * dy * dy"),
    ],
)
def poisson_nll():
    def forward(x, t):
        return (np.exp(x) - t * x).mean()

    def backward(dy, x, t):
        dx = (np.exp(x) - t) * dy / x.size
        return dx, -x * dy / x.size

    return forward, backward, lambda x, t: F.poisson_nll_loss(x, t, log_input=True)
