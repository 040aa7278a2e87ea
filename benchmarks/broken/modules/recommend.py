"""Recommenders and low-rank pieces."""

import numpy as np

LAM = 0.02


def factorization_machine(x, w0, w, V):
    xv = x @ V
    x2v2 = (x**2) @ (V**2)
    out = w0 + x @ w + 0.5 * (xv**2 - x2v2).sum(1)
    return out, (x, w, V, xv)


def factorization_machine_backward(g, cache):
    x, w, V, xv = cache
    g_ = g[:, None]
    dw0 = g.sum()
    dw = x.T @ g
    dV = x.T @ (g_ * xv) - ((x**2).T @ g)[:, None] * V
    dx = g_ * (w + xv @ V.T - x * (V**2).sum(1))
    return dx, dw0, dw, dV


def matrix_factorization(P, Q, bu, bi, users, items, ratings):
    """ratings: whole stars"""
    p, q = P[users], Q[items]
    err = (p * q).sum(1) + bu[users] + bi[items] - ratings
    reg = (p**2).sum() + (q**2).sum()
    return 0.5 * (err**2).sum() + 0.5 * LAM * reg, (P, Q, bu, bi, users, items, p, q, err)


def matrix_factorization_backward(cache):
    P, Q, bu, bi, users, items, p, q, err = cache
    gP, gQ = np.zeros_like(P), np.zeros_like(Q)
    gbu, gbi = np.zeros_like(bu), np.zeros_like(bi)
    for s in range(len(err)):
        u, i = users[s], items[s]
        gP[u] += err[s] * q[s] + LAM * p[s]
        gQ[i] += err[s] * p[s] + LAM * q[s]
        gbu[u] += err[s]
        gbi[i] += err[s]
    return {"P": gP, "Q": gQ, "bu": gbu, "bi": gbi}


def lora(x, W, A, B):
    """Frozen-style layer with a low-rank update scaled by 4 / r (W gets its gradient too)."""
    r = A.shape[1]
    low = x @ A
    return x @ W + (4.0 / r) * (low @ B), (x, W, A, B, low)


def lora_backward(grad, cache):
    x, W, A, B, low = cache
    s = 4.0 / A.shape[1]
    gB = s * low.T @ grad
    glow = s * grad @ B.T
    gA = x.T @ glow
    gx = grad @ W.T + glow @ A.T
    return gx, x.T @ grad, gA, gB


def squeeze_excite(x, W1, W2):
    """x (N, C, L)"""
    s = x.mean(2)
    h = np.maximum(s @ W1, 0)
    gate = 1 / (1 + np.exp(-(h @ W2)))
    return x * gate[:, :, None], (x, W1, W2, s, h, gate)


def squeeze_excite_backward(dout, cache):
    x, W1, W2, s, h, gate = cache
    L = x.shape[2]
    dgate = (dout * x).sum(2)
    dz2 = dgate * gate * (1 - gate)
    dW2 = h.T @ dz2
    dh = dz2 @ W2.T
    dz1 = dh * (h > 0)
    dW1 = s.T @ dz1
    ds = dz1 @ W1.T
    dx = dout * gate[:, :, None] + ds[:, :, None] / L
    return dx, dW1, dW2


def highway(x, Wt, bt, Wh, bh):
    t = 1 / (1 + np.exp(-(x @ Wt + bt)))
    h = np.tanh(x @ Wh + bh)
    return t * h + (1 - t) * x, (x, Wt, Wh, t, h)


def highway_backward(up, cache):
    x, Wt, Wh, t, h = cache
    dt = up * (h - x)
    dh = up * t
    zt = dt * t * (1 - t)
    zh = dh * (1 - h * h)
    dx = up * (1 - t)
    dx = dx + zt @ Wt.T + zh @ Wh.T
    return {"x": dx, "Wt": x.T @ zt, "bt": zt.sum(0), "Wh": x.T @ zh, "bh": zh.sum(0)}
