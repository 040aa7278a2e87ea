"""Softmax and what is made of it, in NumPy: rows, logarithms, attention with masks and heads, rotary positions."""

import math

import numpy as np
import torch
import torch.nn.functional as F

from .case import case


@case(
    "numpy",
    [(4, 3)],
    [(1, 6)],
    slips=[
        ("the diagonal only", "p * (d - p @ d)", "p * (1 - p) * d"),
        ("the sum forgotten", "p * (d - p @ d)", "p * d"),
        ("plus for minus", "p * (d - p @ d)", "p * (d + p @ d)"),
        ("the last row never written", "range(len(y))", "range(len(y) - 1)"),
        ("y of the first row", "p, d = y[i], dy[i]", "p, d = y[0], dy[i]"),
        ("mean for sum", "(d - p @ d)", "(d - (p * d).mean())"),
    ],
    also=[("by the Jacobian matrix", "p * (d - p @ d)", "(np.diag(p) - np.outer(p, p)) @ d")],
)
def softmax_rows():
    def forward(z):
        y = np.zeros_like(z)
        for i in range(len(z)):
            e = np.exp(z[i] - np.max(z[i]))
            y[i] = e / e.sum()
        return y, y

    def backward(dy, y):
        dz = np.zeros_like(y)
        for i in range(len(y)):
            p, d = y[i], dy[i]
            dz[i] = p * (d - p @ d)
        return dz

    return forward, backward, lambda z: torch.softmax(z, 1)


@case(
    "numpy",
    [(4, 3)],
    [(2, 7)],
    variants=[{"T": 2.0}, {"T": 0.5}],
    slips=[
        ("temperature forgotten", "/ T\n\n    return forward", "/ 1\n\n    return forward"),
        (
            "softmax's Jacobian",
            "np.exp(logp) * dy.sum(1, keepdims=True)",
            "np.exp(logp) * (dy * np.exp(logp)).sum(1, keepdims=True)",
        ),
        ("sum over the batch", "dy.sum(1, keepdims=True)", "dy.sum(0, keepdims=True)"),
        ("logarithm kept", "np.exp(logp) * dy", "logp * dy"),
        ("one for the sum of dy", "np.exp(logp) * dy.sum(1, keepdims=True)", "np.exp(logp)"),
    ],
)
def log_softmax_temperature(T=1.5):
    def forward(z):
        z = z / T
        m = z.max(1, keepdims=True)
        logp = z - m - np.log(np.sum(np.exp(z - m), 1, keepdims=True))
        return logp, logp

    def backward(dy, logp):
        return (dy - np.exp(logp) * dy.sum(1, keepdims=True)) / T

    return forward, backward, lambda z: F.log_softmax(z / T, 1)


@case(
    "numpy",
    [(4, 3)],
    [(3, 1)],
    slips=[
        ("not shifted: overflows", "np.exp(x - y[:, None])", "np.exp(x) / np.exp(y[:, None])", "large"),
        ("one-hot of the maximum", "np.exp(x - y[:, None])", "(x == x.max(1, keepdims=True))"),
        ("not normalised", "np.exp(x - y[:, None])", "np.exp(x - x.max(1, keepdims=True))"),
        ("dy not spread", "dy[:, None] * np.exp", "dy[0] * np.exp"),
        ("minus", "np.exp(x - y[:, None])", "-np.exp(x - y[:, None])"),
    ],
)
def logsumexp():
    def forward(x):
        m = x.max(axis=1)
        y = m + np.log(np.exp(x - m[:, None]).sum(axis=1))
        return y, (x, y)

    def backward(dy, cache):
        x, y = cache
        with np.errstate(all="ignore"):
            return dy[:, None] * np.exp(x - y[:, None])

    return forward, backward, lambda x: torch.logsumexp(x, 1)


@case(
    "numpy",
    [(4, 3), (5, 3), (5, 2)],
    [(2, 2), (3, 2), (3, 3)],
    slips=[
        ("scale forgotten in dQ", "dQ = dS @ K * scale", "dQ = dS @ K"),
        ("scale forgotten in dK", "dK = dS.T @ Q * scale", "dK = dS.T @ Q"),
        ("softmax's second term", "dA - (dA * A).sum(1, keepdims=True)", "dA"),
        ("softmax over the queries", "(dA * A).sum(1, keepdims=True)", "(dA * A).sum(0, keepdims=True)"),
        ("A for its transpose", "dV = A.T @ dO", "dV = np.roll(A, 1, axis=0).T @ dO"),
        ("K for Q", "dK = dS.T @ Q", "dK = dS.T @ Q[::-1]"),
    ],
)
def attention():
    def forward(Q, K, V):
        scale = 1 / math.sqrt(Q.shape[1])
        S = Q @ K.T * scale
        A = np.exp(S - S.max(1, keepdims=True))
        A /= A.sum(1, keepdims=True)
        return A @ V, (Q, K, V, A, scale)

    def backward(dO, cache):
        Q, K, V, A, scale = cache
        dV = A.T @ dO
        dA = dO @ V.T
        dS = A * (dA - (dA * A).sum(1, keepdims=True))
        dQ = dS @ K * scale
        dK = dS.T @ Q * scale
        return dQ, dK, dV

    return forward, backward, lambda Q, K, V: torch.softmax(Q @ K.T / math.sqrt(Q.shape[1]), 1) @ V


@case(
    "numpy",
    [(4, 3), (4, 3), (4, 3)],
    [(6, 2), (6, 2), (6, 2)],
    slips=[
        ("one key too few in dQ", "dQ[i] = ds @ K[: i + 1]", "dQ[i] = ds[:i] @ K[:i]"),
        ("off by one", "dV[: i + 1] += np.outer(a, dO[i])", "dV[:i] += np.outer(a[:-1], dO[i])"),
        ("= for +=", "dV[: i + 1] += np.outer(a, dO[i])", "dV[: i + 1] = np.outer(a, dO[i])"),
        ("keys' gradient not summed", "dK[: i + 1] += ", "dK[: i + 1] = "),
        ("the sum of the softmax", "da - a @ da", "da"),
        ("scale twice", "ds = s * a", "ds = s * s * a"),
    ],
)
def causal_attention_loop():
    def forward(Q, K, V):
        s = Q.shape[1] ** -0.5
        y, weights = np.zeros_like(V), []
        for i in range(len(Q)):
            z = K[: i + 1] @ Q[i] * s
            a = np.exp(z - z.max())
            a /= a.sum()
            weights.append(a)
            y[i] = a @ V[: i + 1]
        return y, (Q, K, V, weights, s)

    def backward(dO, cache):
        Q, K, V, weights, s = cache
        dQ, dK, dV = np.zeros_like(Q), np.zeros_like(K), np.zeros_like(V)
        for i, a in enumerate(weights):
            da = V[: i + 1] @ dO[i]
            ds = s * a * (da - a @ da)
            dV[: i + 1] += np.outer(a, dO[i])
            dQ[i] = ds @ K[: i + 1]
            dK[: i + 1] += np.outer(ds, Q[i])
        return dQ, dK, dV

    def reference(Q, K, V):
        S = Q @ K.T * Q.shape[1] ** -0.5
        future = torch.ones_like(S).triu(1).bool()
        return torch.softmax(S.masked_fill(future, -torch.inf), 1) @ V

    return forward, backward, reference


@case(
    "numpy",
    [(3, 4), (4, 12), (4, 4)],
    [(2, 2), (2, 6), (2, 2)],
    slips=[
        (
            "heads not merged back",
            "dc = (dy @ Wo.T).reshape(n, 2, -1)",
            "dc = (dy @ Wo.T).reshape(n, -1, 2).transpose(0, 2, 1)",
        ),
        ("dWo from the scores", "dWo = c.reshape(n, d).T @ dy", "dWo = x.T @ dy"),
        ("q and k exchanged", "np.stack([dq, dk, dv], 1)", "np.stack([dk, dq, dv], 1)"),
        ("indices of the value's product", '"hij,ihe->jhe", a, dc', '"hji,ihe->jhe", a, dc'),
        ("scale missing", "ds = r * a * (", "ds = a * ("),
        ("the sum over the wrong axis", "sum(-1, keepdims=True))\n", "sum(-2, keepdims=True))\n"),
    ],
)
def multi_head_einsum():
    def forward(x, Wi, Wo):
        n, d = x.shape
        q, k, v = (x @ Wi).reshape(n, 3, 2, d // 2).transpose(1, 0, 2, 3)
        r = (d // 2) ** -0.5
        s = np.einsum("ihe,jhe->hij", q, k) * r
        a = np.exp(s - s.max(-1, keepdims=True))
        a /= a.sum(-1, keepdims=True)
        c = np.einsum("hij,jhe->ihe", a, v)
        return c.reshape(n, d) @ Wo, (x, Wi, Wo, q, k, v, a, c, r)

    def backward(dy, cache):
        x, Wi, Wo, q, k, v, a, c, r = cache
        n, d = x.shape
        dWo = c.reshape(n, d).T @ dy
        dc = (dy @ Wo.T).reshape(n, 2, -1)
        dv = np.einsum("hij,ihe->jhe", a, dc)
        da = np.einsum("ihe,jhe->hij", dc, v)
        ds = r * a * (da - (a * da).sum(-1, keepdims=True))
        dq = np.einsum("hij,jhe->ihe", ds, k)
        dk = np.einsum("hij,ihe->jhe", ds, q)
        dz = np.stack([dq, dk, dv], 1).reshape(n, 3 * d)
        return dz @ Wi.T, x.T @ dz, dWo

    def reference(x, Wi, Wo):
        n, d = x.shape
        q, k, v = (x @ Wi).reshape(n, 3, 2, d // 2).permute(1, 2, 0, 3)
        a = torch.softmax(q @ k.mT * (d // 2) ** -0.5, -1)
        return (a @ v).transpose(0, 1).reshape(n, d) @ Wo

    return forward, backward, reference


@case(
    "numpy",
    [(4, 6)],
    [(3, 2)],
    variants=[{"base": 100.0}],
    slips=[
        ("rotated forwards again", "rotate(dy, -1)", "rotate(dy, 1)"),
        ("not rotated", "rotate(dy, -1)", "dy"),
        ("the angle's sign on one half", "even * sin * way + odd * cos", "even * sin + odd * cos"),
        ("negated too", "rotate(dy, -1)", "-rotate(dy, -1)"),
        ("positions from one", "rotate(dy, -1)", "np.roll(rotate(np.roll(dy, 1, 0), -1), -1, 0)"),
    ],
)
def rotary(base=10000.0):
    def rotate(x, way):
        n, d = x.shape
        angle = np.arange(n)[:, None] * base ** (-np.arange(0, d, 2) / d)
        cos, sin = np.cos(angle).astype(x.dtype), np.sin(angle).astype(x.dtype)
        even, odd = x[:, ::2], x[:, 1::2]
        out = np.empty_like(x)
        out[:, ::2] = even * cos - odd * sin * way
        out[:, 1::2] = even * sin * way + odd * cos
        return out

    def forward(x):
        return rotate(x, 1), None

    def backward(dy, cache):
        return rotate(dy, -1)

    def reference(x):
        n, d = x.shape
        angle = torch.arange(n, dtype=x.dtype)[:, None] * base ** (-torch.arange(0, d, 2, dtype=x.dtype) / d)
        cos, sin = angle.cos(), angle.sin()
        even, odd = x[:, ::2], x[:, 1::2]
        return torch.stack([even * cos - odd * sin, even * sin + odd * cos], -1).reshape(n, d)

    return forward, backward, reference


@case(
    "numpy",
    [(3, 4)],
    [(2, 6)],
    slips=[
        ("mask from the wrong side", "dz[:, ~keep] = 0", "dz[:, keep] = 0"),
        ("no mask", "dz[:, ~keep] = 0", "dz[:, ~keep] += dy[:, ~keep]"),
        ("masked before the sum", "p * (dy - (p * dy)", "p * (dy - (p[:, ::-1] * dy)"),
        ("off by one", "dz[:, ~keep] = 0", "dz[:, np.roll(~keep, 1)] = 0"),
        ("sum over keys forgotten", "p * (dy - (p * dy).sum(1, keepdims=True))", "p * dy"),
    ],
)
def masked_softmax():
    def forward(z):
        keep = np.arange(z.shape[1]) % 3 != 1
        e = np.where(keep, np.exp(z - z[:, keep].max(1, keepdims=True)), 0)
        p = e / e.sum(1, keepdims=True)
        return p, (p, keep)

    def backward(dy, cache):
        p, keep = cache
        dz = p * (dy - (p * dy).sum(1, keepdims=True))
        dz[:, ~keep] = 0
        return dz

    def reference(z):
        keep = torch.arange(z.shape[1]) % 3 != 1
        return torch.softmax(z.masked_fill(~keep, -torch.inf), 1)

    return forward, backward, reference
