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
    cells = a.reshape(N, F, H // 2, 2, W // 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(N, F, H // 2, W // 2, 4)
    best = cells.argmax(axis=-1)
    flat = cells.max(axis=-1).reshape(N, -1)
    return flat @ Wfc + bfc, (xp, w, z, best, flat, Wfc)


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


def maxpool_backward(dpooled, best):
    N, F, PH, PW = best.shape
    da = np.zeros((N, F, 2 * PH, 2 * PW))
    for n in range(N):
        for f in range(F):
            for i in range(PH):
                for j in range(PW):
                    r, c = divmod(best[n, f, i, j], 2)
                    da[n, f, 2 * i + r, 2 * j + c] = dpooled[n, f, i, j]
    return da


def cnn_backward(dout, cache):
    xp, w, z, best, flat, Wfc = cache
    dWfc = flat.T @ dout
    dbfc = dout.sum(axis=0)
    dpooled = (dout @ Wfc.T).reshape(best.shape)
    da = maxpool_backward(dpooled, best)
    dz = da * (z > 0)
    dx, dw, db = conv_backward(dz, xp, w)
    return dx, dw, db, dWfc, dbfc
