"""Recommenders and gated layers in NumPy."""

import torch

from ..draws import labels
from ..table import enter

enter(
    "NumPy",
    "recommend.factorization_machine",
    "factorization_machine_backward",
    lambda x, w0, w, V: w0 + x @ w + 0.5 * ((x @ V) ** 2 - x**2 @ V**2).sum(1),
    [(4, 3), (), (3,), (3, 2)],
    [(3, 4), (), (4,), (4, 3)],
    [
        (
            "missing path",
            "a feature's own square kept",
            "dV = x.T @ (g_ * xv) - ((x**2).T @ g)[:, None] * V",
            "dV = x.T @ (g_ * xv)",
        ),
        ("missing square", "x for its square", "((x**2).T @ g)[:, None]", "(x.T @ g)[:, None]"),
        ("missing path", "the linear weights forgotten in dx", "g_ * (w + xv @ V.T", "g_ * (xv @ V.T"),
        ("count", "bias averaged", "dw0 = g.sum()", "dw0 = g.mean()"),
        ("constant", "a half left over", "x.T @ (g_ * xv) -", "0.5 * x.T @ (g_ * xv) -"),
    ],
)


def factors(P, Q, bu, bi, users, items, ratings):
    p, q = P[users], Q[items]
    err = (p * q).sum(1) + bu[users] + bi[items] - ratings
    return 0.5 * (err**2).sum() + 0.01 * ((p**2).sum() + (q**2).sum())


enter(
    "NumPy",
    "recommend.matrix_factorization",
    "matrix_factorization_backward",
    factors,
    [(3, 2), (4, 2), (3,), (4,), labels(3, 6), labels(4, 6), labels(5, 6)],
    [(2, 3), (2, 3), (2,), (2,), labels(2, 5), labels(2, 5), labels(5, 5)],
    [
        ("regulariser", "the items' decay with the users' factors", "+ LAM * q[s]\n", "+ LAM * p[s]\n"),
        ("regulariser", "decay twice as large", "+ LAM * p[s]\n", "+ 2 * LAM * p[s]\n"),
        ("= for +=", "users with several ratings keep the last", "gP[u] += err", "gP[u] = err"),
        ("copy-paste", "q's gradient from q", "gQ[i] += err[s] * p[s]", "gQ[i] += err[s] * q[s]"),
        ("wrong index", "item biases at the user's number", "gbi[i] += err[s]", "gbi[u] += err[s]"),
    ],
)


enter(
    "NumPy",
    "recommend.lora",
    "lora_backward",
    lambda x, W, A, B: x @ W + 4 / A.shape[1] * (x @ A) @ B,
    [(4, 3), (3, 5), (3, 2), (2, 5)],
    [(2, 4), (4, 3), (4, 3), (3, 3)],
    [
        ("missing factor", "the scale forgotten for B", "gB = s * low.T @ grad", "gB = low.T @ grad"),
        ("missing path", "x through the low-rank branch", "gx = grad @ W.T + glow @ A.T", "gx = grad @ W.T"),
        ("wrong formula", "alpha * r for alpha / r", "s = 4.0 / A.shape[1]", "s = 4.0 * A.shape[1]"),
        ("count", "the rank read from the wrong side", "s = 4.0 / A.shape[1]", "s = 4.0 / A.shape[0]"),
        ("doubled path", "the scale twice for A", "gA = x.T @ glow", "gA = s * x.T @ glow"),
    ],
)


enter(
    "NumPy",
    "recommend.squeeze_excite",
    "squeeze_excite_backward",
    lambda x, W1, W2: x * torch.sigmoid(torch.relu(x.mean(2) @ W1) @ W2)[:, :, None],
    [(3, 4, 2), (4, 5), (5, 4)],
    [(4, 3, 3), (3, 4), (4, 3)],
    [
        ("missing path", "x through the gate forgotten", " + ds[:, :, None] / L", ""),
        ("count", "the mean's length forgotten", "ds[:, :, None] / L", "ds[:, :, None]"),
        ("wrong cached array", "W1's gradient from the hidden layer", "dW1 = s.T @ dz1", "dW1 = x.max(2).T @ dz1"),
        ("mask", "relu's mask forgotten", "dz1 = dh * (h > 0)", "dz1 = dh"),
        ("missing factor", "sigmoid's own factor", "dgate * gate * (1 - gate)", "dgate * (1 - gate)"),
        ("count", "a mean over the places for the gate", "dgate = (dout * x).sum(2)", "dgate = (dout * x).mean(2)"),
    ],
)


def highway(x, Wt, bt, Wh, bh):
    t = torch.sigmoid(x @ Wt + bt)
    return t * torch.tanh(x @ Wh + bh) + (1 - t) * x


enter(
    "NumPy",
    "recommend.highway",
    "highway_backward",
    highway,
    [(4, 3), (3, 3), (3,), (3, 3), (3,)],
    [(2, 5), (5, 5), (5,), (5, 5), (5,)],
    [
        ("missing path", "the carried x forgotten in the gate", "dt = up * (h - x)", "dt = up * h"),
        ("wrong formula", "the carry by t", "dx = up * (1 - t)", "dx = up * t"),
        ("copy-paste", "Wt for Wh", "zt @ Wt.T + zh @ Wh.T", "zt @ Wt.T + zh @ Wt.T"),
        ("transpose", "square Wt not transposed", "zt @ Wt.T +", "zt @ Wt +"),
        (
            "results' order",
            "gate's and candidate's bias exchanged",
            '"bt": zt.sum(0), "Wh": x.T @ zh, "bh": zh.sum(0)',
            '"bt": zh.sum(0), "Wh": x.T @ zh, "bh": zt.sum(0)',
        ),
        ("= for +=", "the carried path overwritten", "dx = dx + zt @ Wt.T", "dx = zt @ Wt.T"),
    ],
)
