"""Functions on the array API standard, for any library: they ask their argument for its namespace."""

import torch
import torch.nn.functional as F
from array_api_compat import array_namespace

from .case import case


@case(
    "array API",
    [(4, 3)],
    [(6,)],
    slips=[
        ("square", "1 - h * h", "1 - h"),
        ("sign", "1 - h * h", "1 + h * h"),
        ("dh forgotten", "return dh * (", "return ("),
        ("twice", "return dh * (", "return 2 * dh * ("),
        ("the first row's h", "(1 - h * h)", "(1 - h[:1] * h[:1])"),
    ],
)
def tanh_standard():
    def forward(z):
        h = array_namespace(z).tanh(z)
        return h, h

    def backward(dh, h):
        return dh * (1 - h * h)

    return forward, backward, torch.tanh


@case(
    "array API",
    [(4, 3)],
    [(2, 5)],
    slips=[
        ("sum over rows", "xp.sum(dy * p, axis=-1, keepdims=True)", "xp.sum(dy * p, axis=0, keepdims=True)"),
        ("no sum", "p * (dy - xp.sum(dy * p, axis=-1, keepdims=True))", "p * dy"),
        ("mean", "xp.sum(dy * p", "xp.mean(dy * p"),
        ("p in the sum twice", "xp.sum(dy * p", "xp.sum(dy * p * p"),
        ("p outside forgotten", "p * (dy - xp", "(dy - xp"),
    ],
)
def softmax_standard():
    def forward(z):
        xp = array_namespace(z)
        e = xp.exp(z - xp.max(z, axis=-1, keepdims=True))
        p = e / xp.sum(e, axis=-1, keepdims=True)
        return p, p

    def backward(dy, p):
        xp = array_namespace(dy)
        return p * (dy - xp.sum(dy * p, axis=-1, keepdims=True))

    return forward, backward, lambda z: torch.softmax(z, -1)


@case(
    "array API",
    [(4, 3), (3, 2), (2,)],
    [(1, 2), (2, 2), (2,)],
    slips=[
        ("mask forgotten", "xp.where(z > 0, dy, 0 * dy)", "dy"),
        ("bias mean", "xp.sum(dz, axis=0)", "xp.mean(dz, axis=0)"),
        ("W reversed", "dz @ W.T", "dz @ W[::-1, :].T"),
        ("unmasked in db", "xp.sum(dz, axis=0)", "xp.sum(dy, axis=0)"),
        ("mask's side", "z > 0, dy", "z < 0, dy"),
    ],
)
def dense_relu_standard():
    def forward(x, W, b):
        xp = array_namespace(x)
        z = x @ W + b
        return xp.where(z > 0, z, 0 * z), (x, W, z)

    def backward(dy, cache):
        x, W, z = cache
        xp = array_namespace(dy)
        dz = xp.where(z > 0, dy, 0 * dy)
        return dz @ W.T, x.T @ dz, xp.sum(dz, axis=0)

    return forward, backward, lambda x, W, b: torch.relu(x @ W + b)


@case(
    "array API",
    [(4, 6), (6,)],
    [(2, 3), (3,)],
    slips=[
        ("variance's term", " - h * xp.mean(g * h, axis=-1, keepdims=True)", ""),
        ("mean's term", " - xp.mean(g, axis=-1, keepdims=True)", ""),
        ("rstd missing", "r * (g - xp", "(g - xp"),
        ("dw of g", "xp.sum(dy * h, axis=0)", "xp.sum(g * h, axis=0)"),
        ("w forgotten", "g = dy * w", "g = dy"),
    ],
)
def layer_norm_standard():
    def forward(x, w):
        xp = array_namespace(x)
        c = x - xp.mean(x, axis=-1, keepdims=True)
        r = 1 / xp.sqrt(xp.mean(c * c, axis=-1, keepdims=True) + 1e-5)
        return c * r * w, (c * r, r, w)

    def backward(dy, cache):
        h, r, w = cache
        xp = array_namespace(dy)
        g = dy * w
        dx = r * (g - xp.mean(g, axis=-1, keepdims=True) - h * xp.mean(g * h, axis=-1, keepdims=True))
        return dx, xp.sum(dy * h, axis=0)

    return forward, backward, lambda x, w: F.layer_norm(x, w.shape, w)
