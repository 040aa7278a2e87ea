"""Strided convolution by im2col, as in the course notes."""

import numpy as np


def im2col(x, k, stride):
    N, C, H, W = x.shape
    OH, OW = (H - k) // stride + 1, (W - k) // stride + 1
    cols = np.zeros((N, C, k, k, OH, OW))
    for i in range(k):
        for j in range(k):
            cols[:, :, i, j] = x[:, :, i : i + stride * OH : stride, j : j + stride * OW : stride]
    return cols.transpose(0, 4, 5, 1, 2, 3).reshape(N * OH * OW, -1), OH, OW


def col2im(cols, shape, k, stride, OH, OW):
    N, C, H, W = shape
    cols = cols.reshape(N, OH, OW, C, k, k).transpose(0, 3, 4, 5, 1, 2)
    x = np.zeros(shape)
    for i in range(k):
        for j in range(k):
            x[:, :, i : i + stride * OH : stride, j : j + stride * OW : stride] += cols[:, :, i, j]
    return x


def conv(x, w, b, stride=2):
    N, F, k = x.shape[0], w.shape[0], w.shape[2]
    col, OH, OW = im2col(x, k, stride)
    out = col @ w.reshape(F, -1).T + b
    return out.reshape(N, OH, OW, F).transpose(0, 3, 1, 2), (x.shape, col, w, stride, OH, OW)


def conv_back(dout, cache):
    shape, col, w, stride, OH, OW = cache
    F, k = w.shape[0], w.shape[2]
    d = dout.transpose(0, 2, 3, 1).reshape(-1, F)
    db = d.sum(0)
    dw = (d.T @ col).reshape(w.shape)
    dcol = d @ w.reshape(F, -1)
    dx = col2im(dcol, shape, k, stride, OH, OW)
    return dx, dw, db
