"""conv 3x3 (pad 1) -> relu -> 2x2 max pool -> affine, written with loops."""

import numpy as np


def cnn_forward(x, w, b, Wfc, bfc):
    N, Cin, H, W = x.shape
    F = w.shape[0]
    xp = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    z = np.zeros((N, F, H, W))
    for i in range(H):
        for j in range(W):
            patch = xp[:, :, i : i + 3, j : j + 3]
            z[:, :, i, j] = np.tensordot(patch, w, axes=([1, 2, 3], [1, 2, 3])) + b
    a = np.maximum(z, 0)
    pooled = a.reshape(N, F, H // 2, 2, W // 2, 2).max(axis=(3, 5))
    flat = pooled.reshape(N, -1)
    return flat @ Wfc + bfc, (xp, w, z, a, pooled, flat, Wfc)


def conv_backward(dz, xp, w):
    N, F, H, W = dz.shape
    dw = np.zeros_like(w)
    dxp = np.zeros_like(xp)
    for i in range(H):
        for j in range(W):
            patch = xp[:, :, i : i + 3, j : j + 3]
            for f in range(F):
                g = dz[:, f, i, j][:, None, None, None]
                dw[f] += np.sum(g * patch, axis=0)
                dxp[:, :, i : i + 3, j : j + 3] += g * w[f]
    db = dz.sum(axis=(0, 2, 3))
    return dxp[:, :, 1:-1, 1:-1], dw, db


def maxpool_backward(dpooled, a, pooled):
    da = np.zeros_like(a)
    N, F, PH, PW = pooled.shape
    for i in range(PH):
        for j in range(PW):
            rows, cols = slice(2 * i, 2 * i + 2), slice(2 * j, 2 * j + 2)
            winner = a[:, :, rows, cols] == pooled[:, :, i, j][:, :, None, None]
            da[:, :, rows, cols] = winner * dpooled[:, :, i, j][:, :, None, None]
    return da


def cnn_backward(dout, cache):
    xp, w, z, a, pooled, flat, Wfc = cache
    dWfc = flat.T @ dout
    dbfc = dout.sum(axis=0)
    dpooled = (dout @ Wfc.T).reshape(pooled.shape)
    da = maxpool_backward(dpooled, a, pooled)
    dz = da * (z > 0)
    dx, dw, db = conv_backward(dz, xp, w)
    return dx, dw, db, dWfc, dbfc
