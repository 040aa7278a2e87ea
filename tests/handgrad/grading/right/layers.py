import numpy as np


def forward(x, W, b):
    L = len(W) - 1
    z = [None] * (L + 1)
    h = [x] + [None] * L
    for i in range(1, L + 1):
        z[i] = h[i - 1] @ W[i].T + b[i]
        h[i] = np.tanh(z[i])
    return z, h


def backward(W, z, h, t):
    L = len(W) - 1
    dz, dW, db, dh = ([None] * (L + 1) for _ in range(4))
    dh[L] = h[L] - t
    for i in range(L, 0, -1):
        dz[i] = dh[i] * (1 - h[i] ** 2)
        dW[i] = dz[i].T @ h[i - 1]
        db[i] = dz[i].sum(axis=0)
        dh[i - 1] = dz[i] @ W[i]
    return dW, db
