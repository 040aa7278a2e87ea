"""Activations we use in the small nets."""

import numpy as np

ALPHA = 1.3


def celu(x):
    return np.where(x > 0, x, ALPHA * (np.exp(np.minimum(x, 0) / ALPHA) - 1))


def celu_grad(grad_out, x):
    return grad_out * np.where(x > 0, 1.0, np.exp(np.minimum(x, 0) / ALPHA))


def softsign(z):
    return z / (1 + np.abs(z))


def softsign_grad(delta, z):
    return delta / (1 + np.abs(z)) ** 2


def snake(v, a):
    """v + sin^2(a v) / a with one frequency per column."""
    return v + np.sin(a * v) ** 2 / a


def snake_grad(g, v, a):
    gv = g * (1 + np.sin(2 * a * v))
    ga = np.sum(g * (v * np.sin(2 * a * v) / a - np.sin(a * v) ** 2 / a**2), axis=0)
    return gv, ga


def quick_gelu(u):
    sig = 1 / (1 + np.exp(-1.702 * u))
    return u * sig, (u, sig)


def quick_gelu_grad(dout, saved):
    u, sig = saved
    return dout * (sig + 1.702 * u * sig * (1 - sig))


def maxout(t, W, c):
    """W: (k, d, m), the largest of k affine maps."""
    pieces = np.einsum("nd,kdm->nkm", t, W) + c
    return pieces.max(axis=1), (t, W, pieces.argmax(axis=1))


def maxout_grad(dtop, saved):
    t, W, winner = saved
    k = W.shape[0]
    onehot = winner[:, None, :] == np.arange(k)[None, :, None]
    dpieces = onehot * dtop[:, None, :]
    dt = np.einsum("nkm,kdm->nd", dpieces, W)
    dW = np.einsum("nkm,nd->kdm", dpieces, t)
    dc = dpieces.sum(axis=0)
    return dt, dW, dc
