"""Backward passes as people write them, right and wrong, and their references."""

import math

import numpy as np
import torch
from torch.nn import functional as F

from handgrad.judge.verdict import Verdict
from handgrad.subjects.function.verify import verify_function

LABELS = np.array([3, 0, 1, 1, 2])


def sigmoid(x):
    s = 1 / (1 + np.exp(-x))
    return s, s


def relu(x):
    mask = x > 0
    return x * mask, mask


def leaky(x):
    return np.where(x > 0, x, 0.1 * x), x


def softplus(x):
    return np.logaddexp(0, x)


def gelu(x):
    c = math.sqrt(2 / math.pi)
    t = np.tanh(c * (x + 0.044715 * x**3))
    return 0.5 * x * (1 + t), (x, t)


def gelu_back(dy, cache, inner=3 * 0.044715):
    x, t = cache
    return dy * (0.5 * (1 + t) + 0.5 * x * (1 - t**2) * math.sqrt(2 / math.pi) * (1 + inner * x**2))


def silu(x):
    s = 1 / (1 + np.exp(-x))
    return x * s, (x, s)


def affine(x, w, b):
    return x.dot(w) + b, (x, w, b)


def affine_back(dout, cache):
    x, w, _ = cache
    return dout.dot(w.T), x.T.dot(dout), np.sum(dout, axis=0)


def softmax(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    return p, p


def softmax_back(dy, p):
    return p * (dy - (dy * p).sum(axis=1, keepdims=True))


def layer_norm(x, gamma, beta):
    mean = x.mean(axis=1, keepdims=True)
    std = np.sqrt(((x - mean) ** 2).mean(axis=1, keepdims=True) + 1e-5)
    xhat = (x - mean) / std
    return gamma * xhat + beta, (xhat, std, gamma)


def layer_norm_back(dy, cache, first=1.0, second=1.0):
    xhat, std, gamma = cache
    d = dy * gamma
    mean = first * d.mean(axis=1, keepdims=True) + second * xhat * (d * xhat).mean(axis=1, keepdims=True)
    return (d - mean) / std, np.sum(dy * xhat, axis=0), np.sum(dy, axis=0)


def batch_norm(x, gamma, beta):
    mu = np.mean(x, axis=0)
    var = np.var(x, axis=0)
    inv = 1.0 / np.sqrt(var + 1e-5)
    xhat = (x - mu) * inv
    return gamma * xhat + beta, (x, mu, inv, xhat, gamma)


def batch_norm_back(dout, cache, n=lambda N: N):
    x, mu, inv, xhat, gamma = cache
    N = n(x.shape[0])
    dxhat = dout * gamma
    dvar = np.sum(dxhat * (x - mu), axis=0) * -0.5 * inv**3
    dmu = np.sum(-dxhat * inv, axis=0) + dvar * np.mean(-2.0 * (x - mu), axis=0)
    return dxhat * inv + dvar * 2 * (x - mu) / N + dmu / N, np.sum(dout * xhat, axis=0), dout.sum(axis=0)


def mse(pred, target):
    return np.mean((pred - target) ** 2), (pred, target)


def bce(z, t):
    return np.mean(np.maximum(z, 0) - z * t + np.log1p(np.exp(-np.abs(z)))), (z, t)


def bce_back(dloss, cache, per=np.size):
    z, t = cache
    return {"dz": dloss * (1 / (1 + np.exp(-z)) - t) / per(z), "dt": -dloss * z / per(z)}


def cross_entropy(x, t):
    z = x - x.max(axis=1, keepdims=True)
    logp = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    return -np.mean(logp[np.arange(len(t)), t]), (logp, t)


def cross_entropy_back(dloss, cache):
    logp, t = cache
    return dloss * (np.exp(logp) - np.eye(logp.shape[1])[t]) / len(t)


def mse_torch(pred, target):
    """A target is data: it has no gradient."""
    return F.mse_loss(pred, target.detach())


def norm_torch(x, gamma, beta):
    return F.layer_norm(x, x.shape[1:], gamma, beta)


def batch_norm_torch(x, gamma, beta):
    return F.batch_norm(x, None, None, gamma, beta, training=True)


class Layer:
    """A layer that keeps its state, as in many a book."""

    def forward(self, x):
        self.out = np.tanh(x)
        return self.out

    def backward(self, dout):
        return dout * (1 - self.out**2)


layer = Layer()


NORM = [(5, 4), (4,), (4,)]


AFFINE = [(5, 3), (3, 4), (4,)]


RIGHT = {
    "sigmoid": (sigmoid, lambda dy, s: dy * s * (1 - s), torch.sigmoid, [(4, 3)]),
    "relu": (relu, lambda dy, mask: dy * mask, torch.relu, [(4, 3)]),
    "leaky": (leaky, lambda dy, x: np.where(x > 0, dy, 0.1 * dy), lambda x: F.leaky_relu(x, 0.1), [(4, 3)]),
    "softplus": (
        softplus,
        lambda dy, x: dy / (1 + np.exp(-x)),
        lambda x: torch.logaddexp(x, torch.zeros_like(x)),
        [(4, 3)],
    ),
    "gelu": (gelu, gelu_back, lambda x: F.gelu(x, approximate="tanh"), [(4, 3)]),
    "silu": (silu, lambda dy, c: dy * (c[1] + c[0] * c[1] * (1 - c[1])), F.silu, [(4, 3)]),
    "affine": (affine, affine_back, lambda x, w, b: x @ w + b, AFFINE),
    "softmax": (softmax, softmax_back, lambda x: torch.softmax(x, 1), [(5, 4)]),
    "layer norm": (layer_norm, layer_norm_back, norm_torch, NORM),
    "batch norm": (batch_norm, batch_norm_back, batch_norm_torch, NORM),
    "mse": (mse, lambda d, c: (2 * d * (c[0] - c[1]) / c[0].size, None), mse_torch, [(5, 3), (5, 3)]),
    "bce": (bce, bce_back, F.binary_cross_entropy_with_logits, [(5, 3), (5, 3)]),
    "cross entropy": (cross_entropy, cross_entropy_back, F.cross_entropy, [(5, 4), LABELS]),
    "state": (layer.forward, layer.backward, torch.tanh, [(4, 3)]),
    "derivative": (np.tanh, lambda x: 1 - np.tanh(x) ** 2, torch.tanh, [(4, 3)]),
    "loss gradient": (
        lambda p, t: 0.5 * np.sum((p - t) ** 2),
        lambda p, t: (p - t, t - p),
        lambda p, t: 0.5 * ((p - t) ** 2).sum(),
        [(4, 3), (4, 3)],
    ),
    "scalar": (lambda x: x * x, lambda dy, x: 2 * x * dy, lambda x: x * x, [()]),
    "closure": ((lambda k: lambda x: (k * x, None))(3.0), lambda dy, _: 3.0 * dy, lambda x: 3 * x, [(2, 3)]),
}


WRONG = {
    "sigmoid output": ("sigmoid", lambda dy, s: dy * (1 - s)),
    "sigmoid square": ("sigmoid", lambda dy, s: dy * s * (1 - s**2)),
    "relu ignored": ("relu", lambda dy, mask: mask * 1.0),
    "relu twice": ("relu", lambda dy, mask: dy * dy * mask),
    "leaky slope": ("leaky", lambda dy, x: np.where(x > 0, dy, 0.01 * dy)),
    "leaky kink": ("leaky", lambda dy, x: np.where(x >= 0, dy, 0.1 * dy)),
    "softplus tanh": ("softplus", lambda dy, x: dy * np.tanh(x)),
    "softplus sign": ("softplus", lambda dy, x: dy / (1 + np.exp(x))),
    "gelu exact": ("gelu", lambda dy, c: gelu_back(dy, c, inner=0.044715)),
    "silu output": ("silu", lambda dy, c: dy * (c[1] + c[0] * (1 - c[1]))),
    "affine bias mean": ("affine", lambda dy, c: (*affine_back(dy, c)[:2], dy.mean(axis=0))),
    "affine bias keepdims": ("affine", lambda dy, c: (*affine_back(dy, c)[:2], dy.sum(axis=0, keepdims=True))),
    "affine transposed": ("affine", lambda dy, c: (dy @ c[1].T, (c[0].T @ dy).T, dy.sum(axis=0))),
    "affine 1/N": ("affine", lambda dy, c: (dy @ c[1].T, c[0].T @ dy / len(dy), dy.sum(axis=0))),
    "affine zero": ("affine", lambda dy, c: (dy @ c[1].T, c[0].T @ dy, 0 * dy.sum(axis=0))),
    "affine tiny": ("affine", lambda dy, c: (dy @ c[1].T * (1 + 1e-12), c[0].T @ dy, dy.sum(axis=0))),
    "affine two only": ("affine", lambda dy, c: affine_back(dy, c)[:2]),
    "affine key": ("affine", lambda dy, c: {"dx": dy @ c[1].T, "dw": c[0].T @ dy}),
    "affine none": ("affine", lambda dy, c: (None, None, None)),
    "softmax diagonal": ("softmax", lambda dy, p: dy * p * (1 - p)),
    "softmax rows": ("softmax", lambda dy, p: p * (dy - (dy * p).sum(axis=0, keepdims=True))),
    "softmax of ones": ("softmax", lambda dy, p: 0 * p),
    "layer norm mean": ("layer norm", lambda dy, c: layer_norm_back(dy, c, first=0)),
    "layer norm variance": ("layer norm", lambda dy, c: layer_norm_back(dy, c, second=0)),
    "layer norm gamma": ("layer norm", lambda dy, c: (*layer_norm_back(dy, c)[:1], dy.sum(0), dy.sum(0))),
    "batch norm N-1": ("batch norm", lambda dy, c: batch_norm_back(dy, c, n=lambda N: N - 1)),
    "mse factor": ("mse", lambda d, c: (d * (c[0] - c[1]) / c[0].size, None)),
    "mse batch": ("mse", lambda d, c: (2 * d * (c[0] - c[1]) / len(c[0]), None)),
    "mse sign": ("mse", lambda d, c: (2 * d * (c[1] - c[0]) / c[0].size, None)),
    "bce mean": ("bce", lambda d, c: bce_back(d, c, per=len)),
    "cross entropy sum": ("cross entropy", lambda d, c: cross_entropy_back(d, c) * len(c[1])),
    "cross entropy p": ("cross entropy", lambda d, c: d * np.exp(c[0]) / len(c[1])),
    "derivative": ("derivative", lambda x: 1 - np.tanh(x)),
    "loss gradient": ("loss gradient", lambda p, t: (2 * (p - t), t - p)),
    "another function": ("scalar", lambda dy, x: 3 * x * x * dy),
}


def judged(forward, backward, reference, inputs=((4, 3),), **kwargs):
    return verify_function(forward, backward, reference, list(inputs), seed=7, **kwargs)


def refuted(forward, backward, reference, words, inputs=((4, 3),)):
    report = judged(forward, backward, reference, inputs)
    assert report.verdict is Verdict.REFUTED, report.text()
    assert words in " ".join(report.text(width=10_000).split()), report.text()
    return report


def square(x):
    return x * x, x
