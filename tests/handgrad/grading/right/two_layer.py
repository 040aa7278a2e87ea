import numpy as np


def forward(x, W1, b1, W2, b2, t):
    z1 = x @ W1.T + b1
    h1 = np.tanh(z1)
    z2 = h1 @ W2.T + b2
    E = ((z2 - t) ** 2).sum() / 2
    return z1, h1, z2, E


def backward(x, W1, b1, W2, b2, t, z1, h1, z2):
    dz2 = z2 - t
    dW2 = dz2.T @ h1
    db2 = dz2.sum(0)
    dh1 = dz2 @ W2
    dz1 = dh1 * (1 - h1**2)
    dW1 = dz1.T @ x
    db1 = dz1.sum(0)
    return dW1, db1, dW2, db2
