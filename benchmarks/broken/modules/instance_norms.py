"""Norms for feature maps (N, C, L) and for weights."""

import numpy as np


def instance_norm(x, weight, bias, eps=1e-3):
    mean = x.mean(axis=2, keepdims=True)
    var = x.var(axis=2, keepdims=True)
    inv_std = 1 / np.sqrt(var + eps)
    x_hat = (x - mean) * inv_std
    return weight[None, :, None] * x_hat + bias[None, :, None], (x_hat, inv_std, weight)


def instance_norm_backward(grad, cache):
    x_hat, inv_std, weight = cache
    L = grad.shape[2]
    grad_weight = (grad * x_hat).sum(axis=(0, 2))
    grad_bias = grad.sum(axis=(0, 2))
    gh = grad * weight[None, :, None]
    total = gh.sum(axis=2, keepdims=True)
    dots = (gh * x_hat).sum(axis=2, keepdims=True)
    grad_x = inv_std / L * (L * gh - total - x_hat * dots)
    return grad_x, grad_weight, grad_bias


def standardise_weight(w, gain):
    """Each row to mean zero and unit variance, times sqrt(1 / fan_in) and a gain per row."""
    fan_in = w.shape[1]
    c = w - w.mean(1, keepdims=True)
    rms = np.sqrt((c**2).mean(1, keepdims=True) + 1e-4)
    n = c / rms
    return gain[:, None] * n / np.sqrt(fan_in), (n, rms, gain, fan_in)


def standardise_weight_backward(dout, cache):
    n, rms, gain, fan_in = cache
    dout = dout / np.sqrt(fan_in)
    dgain = (dout * n).sum(1)
    dn = gain[:, None] * dout
    dc = (dn - n * (dn * n).mean(1, keepdims=True)) / rms
    dw = dc - dc.mean(1, keepdims=True)
    return dw, dgain


def local_response(a, k=2.0, alpha=0.3, r=1):
    """Across channels of (N, C); each channel sees r neighbours on both sides."""
    C = a.shape[1]
    sums = np.zeros_like(a)
    for c in range(C):
        sums[:, c] = (a[:, max(0, c - r) : c + r + 1] ** 2).sum(1)
    s = k + alpha * sums
    return a * s**-0.75, (a, s, alpha, r)


def local_response_backward(dout, cache):
    a, s, alpha, r = cache
    C = a.shape[1]
    da = dout * s**-0.75
    inner = dout * a * s**-1.75
    for c in range(C):
        da[:, c] -= 1.5 * alpha * a[:, c] * inner[:, max(0, c - r) : c + r + 1].sum(1)
    return da
