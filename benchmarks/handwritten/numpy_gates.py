"""Piecewise and gated activations in NumPy, and scalars by math."""

import math

import numpy as np
import torch
import torch.nn.functional as F

from .case import case


@case(
    "numpy",
    [(4, 3)],
    [(12,)],
    slips=[
        ("2z/3 for z/3", "z / 3 + 0.5", "2 * z / 3 + 0.5"),
        ("a half missing", "z / 3 + 0.5", "z / 3"),
        ("zero above 3", "g[z > 3] = 1", "g[z > 3] = 0", "wide"),
        ("the lower side forgotten", "g[z <= -3] = 0", "pass", "wide"),
        ("the edge at 2", "g[z > 3] = 1", "g[z > 2] = 1", "wide"),
        ("z/6", "z / 3 + 0.5", "z / 6 + 0.5"),
    ],
)
def hardswish():
    def forward(z):
        return z * np.clip(z + 3, 0, 6) / 6

    def backward(dy, z):
        g = z / 3 + 0.5
        g[z <= -3] = 0
        g[z > 3] = 1
        return dy * g

    return forward, backward, lambda z: torch.where(z > 3, z, torch.where(z <= -3, 0 * z, z * (z + 3) / 6))


@case(
    "numpy",
    [(4, 3)],
    [(10,)],
    slips=[
        ("no upper edge", "(z > 0) & (z < 6)", "(z > 0)", "wide"),
        ("no lower edge", "(z > 0) & (z < 6)", "(z < 6)"),
        ("or for and", "(z > 0) & (z < 6)", "(z > 0) | (z < 6)"),
        ("passes at 6", "(z > 0) & (z < 6)", "(z > 0) & (z <= 6)", "kinks"),
        ("passes at 0", "(z > 0) & (z < 6)", "(z >= 0) & (z < 6)", "kinks"),
        ("edge at 5", "(z > 0) & (z < 6)", "(z > 0) & (z < 5)", "wide"),
    ],
)
def relu6():
    def forward(z):
        return np.minimum(np.maximum(z, 0), 6), (z > 0) & (z < 6)

    def backward(dy, mask):
        dz = np.zeros(dy.shape, dy.dtype)
        dz[mask] = dy[mask]
        return dz

    return forward, backward, F.relu6


@case(
    "numpy",
    [(3, 4), (4, 6)],
    [(1, 2), (2, 2)],
    slips=[
        ("halves exchanged", "np.concatenate([da, db], axis=1)", "np.concatenate([db, da], axis=1)"),
        ("gate's derivative without a", "dy * b * (s + a * s * (1 - s))", "dy * b * s * (1 - s)"),
        ("db without the gate", "db = dy * a * s", "db = dy * s"),
        ("dW from the output", "x.T @ dz", "x.T @ (dz * dz)"),
        ("W for its transpose", "dz @ W.T", "dz @ W[:, ::-1].T"),
        ("the product in place of the sum", "(s + a * s * (1 - s))", "(s * a * s * (1 - s))"),
    ],
)
def swiglu():
    def forward(x, W):
        z = x @ W
        a, b = np.split(z, 2, axis=1)
        s = 0.5 * (1 + np.tanh(0.5 * a))
        return a * s * b, (x, W, a, b, s)

    def backward(dy, cache):
        x, W, a, b, s = cache
        da = dy * b * (s + a * s * (1 - s))
        db = dy * a * s
        dz = np.concatenate([da, db], axis=1)
        return dz @ W.T, x.T @ dz

    def reference(x, W):
        a, b = (x @ W).chunk(2, dim=1)
        return F.silu(a) * b

    return forward, backward, reference


@case(
    "numpy",
    [(3, 6)],
    [(2, 2)],
    slips=[
        ("interleaved for halves", "dx[:, :k] = dy * s", "dx[:, ::2] = dy * s"),
        ("1 - s missing", "* s * (1 - s)", "* s"),
        ("off by one slice", "dx[:, k:] =", "dx[:, k - 1 : -1] ="),
        ("the gate's own half", "dy * x[:, :k] * s * (1 - s)", "dy * x[:, k:] * s * (1 - s)"),
        ("left half never written", "dx[:, :k] = dy * s", "pass"),
        ("sign", "* s * (1 - s)", "* s * (s - 1)"),
    ],
)
def glu():
    def forward(x):
        k = x.shape[1] // 2
        s = 0.5 + 0.5 * np.tanh(0.5 * x[:, k:])
        return x[:, :k] * s, (x, s, k)

    def backward(dy, cache):
        x, s, k = cache
        dx = np.zeros_like(x)
        dx[:, :k] = dy * s
        dx[:, k:] = dy * x[:, :k] * s * (1 - s)
        return dx

    return forward, backward, lambda x: F.glu(x, dim=1)


@case(
    "numpy",
    [(4, 3)],
    [(6,)],
    slips=[
        ("s for s (1 - s)", "s * (1 - s)", "s"),
        ("1 + s", "s * (1 - s)", "s * (1 + s)"),
        ("the derivative of the input", "s * (1 - s)", "z * (1 - z)"),
        ("dy forgotten", "return dy * s", "return s"),
        ("the negative side has the other sign", "s * (1 - s)", "np.where(z < 0, -1, 1) * s * (1 - s)"),
        ("dy made one sign", "return dy * s", "return abs(dy) * s"),
    ],
    also=[("from one exponential", "s * (1 - s)", "0.25 / np.cosh(z / 2) ** 2")],
)
def sigmoid_two_sided():
    def forward(z):
        s = np.empty_like(z)
        pos = z >= 0
        s[pos] = 1 / (1 + np.exp(-z[pos]))
        e = np.exp(z[~pos])
        s[~pos] = e / (1 + e)
        return s, (z, s)

    def backward(dy, cache):
        z, s = cache
        with np.errstate(over="ignore"):
            return dy * s * (1 - s)

    return forward, backward, torch.sigmoid


@case(
    "numpy",
    [(5,)],
    [(1,)],
    dtypes=("float64",),
    slips=[
        ("square missing", "1 - h * h", "1 - h"),
        (
            "last number dropped",
            "for d, h in zip(dy, hs, strict=True)",
            "for d, h in zip(dy[:-1], hs[:-1], strict=True)] + [0.0",
        ),
        ("in reverse order", "zip(dy, hs, strict=True)", "zip(dy, hs[::-1], strict=True)"),
        ("sign", "1 - h * h", "h * h - 1"),
        ("sum for each", "float(d)", "float(sum(dy))"),
        ("rounded to six digits", "1 - h * h", "round(1 - h * h, 6)"),
    ],
)
def tanh_of_floats():
    def forward(z):
        hs = [math.tanh(float(v)) for v in z]
        return np.array(hs), hs

    def backward(dy, hs):
        return np.array([float(d) * (1 - h * h) for d, h in zip(dy, hs, strict=True)])

    return forward, backward, torch.tanh


@case(
    "numpy",
    [(), ()],
    dtypes=("float64",),
    slips=[
        ("x for y in dx", "return dy * x / r, dy * y / r", "return dy * y / r, dy * x / r"),
        ("r squared", "dy * x / r", "dy * x / (r * r)"),
        ("factor 2", "dy * x / r", "2 * dy * x / r"),
        ("dy forgotten in y", "dy * y / r", "y / r"),
        ("sign", "dy * y / r", "-dy * y / r"),
    ],
)
def hypot_scalar():
    def forward(x, y):
        return math.sqrt(1 + float(x) ** 2 + float(y) ** 2)

    def backward(dy, x, y):
        r = math.sqrt(1 + float(x) ** 2 + float(y) ** 2)
        return dy * x / r, dy * y / r

    return forward, backward, lambda x, y: torch.sqrt(1 + x**2 + y**2)


@case(
    "numpy",
    [(4, 3)],
    [(2, 5)],
    variants=[{"scale": 2.0, "alpha": 0.5}],
    slips=[
        ("scale forgotten", "g[~pos] = scale * alpha", "g[~pos] = alpha"),
        ("alpha forgotten", "g[~pos] = scale * alpha", "g[~pos] = scale"),
        ("one on the positive side", "np.full_like(z, scale)", "np.ones_like(z)"),
        ("exp of the wrong sign", "np.exp(z[~pos])", "np.exp(-z[~pos])"),
        ("seven digits of scale", "np.full_like(z, scale)", "np.full_like(z, round(scale, 5) + 1e-7)"),
    ],
)
def selu_masked(scale=1.0507009873554805, alpha=1.6732632423543772):
    def forward(z):
        return scale * np.where(z > 0, z, alpha * np.expm1(np.minimum(z, 0)))

    def backward(dy, z):
        pos = z > 0
        g = np.full_like(z, scale)
        g[~pos] = scale * alpha * np.exp(z[~pos])
        return g * dy

    return forward, backward, lambda z: scale * F.elu(z, alpha)
