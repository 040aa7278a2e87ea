"""Fully connected net with any number of hidden layers; parameters come one after the other: W1, b1, W2, b2, ..."""

import numpy as np


def softplus(z):
    return np.logaddexp(0, z)


def net_forward(x, W1, b1, W2, b2, W3, b3, W4, b4):
    params = [(W1, b1), (W2, b2), (W3, b3), (W4, b4)]
    a = x
    layers = []
    for n, (W, b) in enumerate(params):
        z = a @ W.T + b
        layers.append((a, z, W))
        last = n == len(params) - 1
        a = z if last else softplus(z)
    return a, layers


def activation_prime(z):
    return np.exp(-np.logaddexp(0, -z))


def layer_backward(dz, a_prev, W):
    dW = dz.T @ a_prev
    db = np.sum(dz, axis=0)
    da_prev = dz @ W
    return da_prev, dW, db


def net_backward(dout, layers):
    L = len(layers)
    grads = [None] * (2 * L)
    da = dout
    for n in reversed(range(L)):
        a_prev, z, W = layers[n]
        dz = da if n == L - 1 else da * activation_prime(z)
        da, grads[2 * n], grads[2 * n + 1] = layer_backward(dz, a_prev, W)
    return (da, *grads)
