"""Four layers, four activations, batch norm in the middle, L1 on the first and L2 on the other weights."""

import numpy as np

L1, L2 = 0.05, 0.1


def cost(x, t, W1, b1, W2, gamma, beta, W3, b3, W4, b4):
    m = x.shape[0]
    # layer 1: sigmoid
    z1 = x @ W1 + b1
    h1 = 1 / (1 + np.exp(-z1))
    # layer 2: batch norm, then leaky relu (no bias)
    z2 = h1 @ W2
    mu2 = z2.mean(axis=0)
    sd2 = np.sqrt(z2.var(axis=0) + 1e-3)
    n2 = (z2 - mu2) / sd2
    y2 = gamma * n2 + beta
    h2 = np.where(y2 > 0, y2, 0.1 * y2)
    # layer 3: softplus
    z3 = h2 @ W3 + b3
    h3 = np.logaddexp(0, z3)
    # layer 4: linear
    z4 = h3 @ W4 + b4
    penalty = L1 * np.abs(W1).sum() + 0.5 * L2 * sum((W**2).sum() for W in (W2, W3, W4))
    J = 0.5 * ((z4 - t) ** 2).sum() / m + penalty
    return J, (x, t, W1, W2, gamma, W3, W4, z1, h1, sd2, n2, y2, h2, z3, h3, z4)


def cost_gradients(cache):
    x, t, W1, W2, gamma, W3, W4, z1, h1, sd2, n2, y2, h2, z3, h3, z4 = cache
    m = x.shape[0]

    # ---- layer 4 ----
    dz4 = (z4 - t) / m
    dt = -dz4
    dW4 = h3.T @ dz4 + L2 * W4
    db4 = np.sum(dz4, axis=0)
    dh3 = dz4 @ W4.T

    # ---- layer 3 ----
    dz3 = dh3 / (1 + np.exp(-z3))
    dW3 = h2.T @ dz3 + L2 * W3
    db3 = np.sum(dz3, axis=0)
    dh2 = dz3 @ W3.T

    # ---- layer 2 ----
    dy2 = dh2 * np.where(y2 > 0, 1.0, 0.1)
    dgamma = np.sum(dy2 * n2, axis=0)
    dbeta = np.sum(dy2, axis=0)
    dn2 = dy2 * gamma
    dn2_mean = dn2.mean(axis=0)
    dn2_proj = np.mean(dn2 * n2, axis=0)
    dz2 = (dn2 - dn2_mean - n2 * dn2_proj) / sd2
    dW2 = h1.T @ dz2 + L2 * W2
    dh1 = dz2 @ W2.T

    # ---- layer 1 ----
    dz1 = dh1 * h1 * (1 - h1)
    dW1 = x.T @ dz1 + L1 * np.sign(W1)
    db1 = np.sum(dz1, axis=0)
    dx = dz1 @ W1.T

    gradients = {"dW1": dW1, "db1": db1, "dW2": dW2, "dgamma": dgamma, "dbeta": dbeta}
    gradients.update({"dW3": dW3, "db3": db3, "dW4": dW4, "db4": db4, "dx": dx, "dt": dt})
    return gradients
