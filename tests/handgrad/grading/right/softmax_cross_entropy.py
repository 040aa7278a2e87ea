import numpy as np


def forward(x, W, b, t):
    z = x @ W.T + b
    e = np.exp(z - z.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    E = -np.log(p[np.arange(len(t)), t]).mean()
    return z, p, E


def backward(x, W, b, t, z, p):
    n = len(t)
    dz = p.copy()
    dz[np.arange(n), t] -= 1
    dz /= n
    dW = dz.T @ x
    db = dz.sum(axis=0)
    dx = dz @ W
    return dx, dW, db
