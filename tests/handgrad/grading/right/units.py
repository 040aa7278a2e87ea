import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def forward(x, w1, b1, w2, b2, t):
    z1 = w1 * x + b1
    h1 = sigmoid(z1)
    z2 = w2 * h1 + b2
    h2 = np.tanh(z2)
    E = (h2 - t) ** 2 / 2
    return z1, h1, z2, h2, E


def backward(x, w1, b1, w2, b2, t, z1, h1, z2, h2):
    dh2 = h2 - t
    dz2 = dh2 * (1 - h2 * h2)
    dw2 = dz2 * h1
    db2 = dz2
    dh1 = dz2 * w2
    dz1 = dh1 * h1 * (1 - h1)
    dw1 = dz1 * x
    db1 = dz1
    return dw1, db1, dw2, db2
