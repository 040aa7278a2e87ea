"""Convolutions along one axis and pooling, without im2col helpers from outside."""

import numpy as np


def dilated_conv(x, w, dilation=2):
    """x (N, T), causal: y[t] = sum_k w[k] x[t - k * dilation], zeros before the start."""
    N, T = x.shape
    y = np.zeros((N, T))
    for k in range(len(w)):
        shift = k * dilation
        if shift < T:
            y[:, shift:] += w[k] * x[:, : T - shift]
    return y, (x, w, dilation)


def dilated_conv_backward(gy, cache):
    x, w, dilation = cache
    T = x.shape[1]
    gx = np.zeros_like(x)
    gw = np.zeros_like(w)
    for k in range(len(w)):
        shift = k * dilation
        if shift < T:
            gx[:, : T - shift] += w[k] * gy[:, shift:]
            gw[k] = np.sum(gy[:, shift:] * x[:, : T - shift])
    return gx, gw


def depthwise_conv(x, w, b):
    """x (N, C, T), w (C, K), valid; one filter for each channel."""
    K = w.shape[1]
    win = np.lib.stride_tricks.sliding_window_view(x, K, axis=2)
    return np.einsum("nctk,ck->nct", win, w) + b[:, None], (x, w, win)


def depthwise_conv_backward(dout, cache):
    x, w, win = cache
    K = w.shape[1]
    dw = np.einsum("nct,nctk->ck", dout, win)
    db = np.einsum("nct->c", dout)
    padded = np.pad(dout, ((0, 0), (0, 0), (K - 1, K - 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, K, axis=2)
    dx = np.einsum("nctk,ck->nct", windows, w[:, ::-1])
    return dx, dw, db


def transposed_conv(x, kernel, stride=2):
    """x (N, T), kernel (K,)"""
    N, T = x.shape
    K = len(kernel)
    out = np.zeros((N, (T - 1) * stride + K))
    for t in range(T):
        out[:, t * stride : t * stride + K] += x[:, t : t + 1] * kernel
    return out, (x, kernel, stride)


def transposed_conv_backward(grad_out, cache):
    x, kernel, stride = cache
    K = len(kernel)
    grad_x = np.zeros_like(x)
    grad_kernel = np.zeros_like(kernel)
    for t in range(x.shape[1]):
        window = grad_out[:, t * stride : t * stride + K]
        grad_x[:, t] = window @ kernel
        grad_kernel += x[:, t] @ window
    return grad_x, grad_kernel


def pool_argmax(x, size=2):
    """Max pooling of (N, T) by the places of the maxima."""
    N, T = x.shape
    blocks = x.reshape(N, T // size, size)
    where = blocks.argmax(2) + np.arange(T // size) * size
    return np.take_along_axis(x, where, 1), (x.shape, where)


def pool_argmax_backward(top, cache):
    shape, where = cache
    bottom = np.zeros(shape)
    np.put_along_axis(bottom, where, top, 1)
    return bottom


def global_avg_max(x):
    """(N, C, H, W) -> (N, 2C): mean and maximum of every map."""
    flat = x.reshape(x.shape[0], x.shape[1], -1)
    return np.concatenate([flat.mean(2), flat.max(2)], 1), (x.shape, flat.argmax(2))


def global_avg_max_backward(dy, cache):
    shape, places = cache
    N, C, H, W = shape
    dflat = np.repeat(dy[:, :C, None], H * W, axis=2) / (H * W)
    n, c = np.ogrid[:N, :C]
    dflat[n, c, places] += dy[:, C:]
    return dflat.reshape(shape)
