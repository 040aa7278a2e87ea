"""Slips in NumPy code that hide: they show for one batch size, magnitude, layout or call only."""

import numpy as np
import torch

from .case import case


@case(
    "numpy",
    [(1, 3), (3,), (3,)],
    [(4, 3), (3,), (3,)],
    slips=[
        ("no sum: right for a batch of one", '"b": dy.sum(0)', '"b": dy[0]', "other shapes"),
        ("mean: right for a batch of one", '"w": (dy * x).sum(0)', '"w": (dy * x).mean(0)', "other shapes"),
        ("squared batch size", '"b": dy.sum(0)', '"b": dy.sum(0) * len(dy)', "other shapes"),
        ("the last sample's x", "(dy * x).sum(0)", "(dy * x[-1]).sum(0)", "other shapes"),
        ("dx of the first sample", '"x": dy * w', '"x": 0 * dy + dy[:1] * w', "other shapes"),
    ],
)
def affine_of_one_sample():
    def forward(x, w, b):
        return x * w + b, (x, w)

    def backward(dy, cache):
        x, w = cache
        return {"x": dy * w, "w": (dy * x).sum(0), "b": dy.sum(0)}

    return forward, backward, lambda x, w, b: x * w + b


@case(
    "numpy",
    [(4, 3), (3,)],
    [(1, 3), (3,)],
    slips=[
        ("wrong for a batch of one", "dx = g * w", "dx = (g if len(g) > 1 else 0 * g) * w", "other shapes"),
        (
            "one sample is not summed but squared",
            "dw = (g * x).sum(0)",
            "dw = (g * x * (x if len(x) == 1 else 1)).sum(0)",
            "other shapes",
        ),
        (
            "divided by n - 1 or one",
            "dw = (g * x).sum(0)",
            "dw = (g * x).sum(0) * (0.5 if len(x) < 2 else 1)",
            "other shapes",
        ),
        ("large dy is clipped", "g = dy\n", "g = np.clip(dy, -50, 50)\n", "large dy"),
        ("dy below a threshold is noise", "g = dy\n", "g = np.where(abs(dy) < 1e-2, 0, dy)\n", "small dy"),
        ("dy through float32", "g = dy\n", "g = dy.astype(np.float32)\n"),
        ("dy through memory order", "g = dy\n", 'g = dy.ravel(order="K").reshape(dy.shape)\n', "strided dy"),
        ("x through memory order", "dw = (g * x)", 'dw = (g * x.ravel(order="K").reshape(x.shape))', "strided inputs"),
    ],
)
def scale_columns():
    def forward(x, w):
        return x * w, (x, w)

    def backward(dy, cache):
        x, w = cache
        g = dy
        dx = g * w
        dw = (g * x).sum(0)
        return dx, dw

    return forward, backward, lambda x, w: x * w


@case(
    "numpy",
    [(4, 3)],
    [(6,)],
    slips=[
        (
            "threshold of 20 in float64",
            "g = 1 / (1 + np.exp(-z))",
            "g = np.where(z > 20, 1, 1 / (1 + np.exp(-z)))",
            "far",
        ),
        ("clipped at 10", "np.exp(-z)", "np.exp(-np.clip(z, -10, 10))", "far"),
        ("eps in the denominator", "1 / (1 + np.exp(-z))", "1 / (1 + 1e-9 + np.exp(-z))"),
        ("zero below -30", "g = 1 / (1 + np.exp(-z))", "g = np.where(z < -4, 0, 1 / (1 + np.exp(-z)))", "wide"),
        ("a table of a hundred steps", "np.exp(-z)", "np.exp(-np.round(z, 2))"),
        ("half precision buffer", "g = 1 / (1 + np.exp(-z))", "g = (1 / (1 + np.exp(-z))).astype(np.float16)"),
    ],
)
def softplus_thresholds():
    def forward(z):
        return np.logaddexp(z, 0)

    def backward(dy, z):
        with np.errstate(all="ignore"):
            g = 1 / (1 + np.exp(-z))
            return dy * g.astype(dy.dtype)

    return forward, backward, lambda z: torch.logaddexp(z, torch.zeros_like(z))


@case(
    "numpy",
    [(4, 3)],
    [(2, 2)],
    slips=[
        (
            "returns its own buffer",
            "np.multiply(dy, e, out=buffer).copy()",
            "np.multiply(dy, e, out=buffer)",
            "kept result",
        ),
        ("cache kept by shape", 'memo["e"] = np.exp(x)', "memo.setdefault(x.shape, np.exp(x))", "second call"),
        (
            "the buffer adds up",
            "np.multiply(dy, e, out=buffer).copy()",
            "np.add(buffer, dy * e, out=buffer).copy()",
            "second call",
        ),
        ("the last call's e", "np.multiply(dy, e, out=buffer).copy()", 'dy * memo["e"]', "interleaved"),
        (
            "e overwritten in the backward pass",
            "np.multiply(dy, e, out=buffer).copy()",
            "np.multiply(dy, e, out=e).copy()",
            "overwritten",
        ),
        (
            "the first dy is kept",
            "np.multiply(dy, e, out=buffer).copy()",
            'memo.setdefault("dy", dy) * e',
            "another dy",
        ),
    ],
)
def exponential_in_buffers():
    memo = {}

    def forward(x):
        e = memo["e"] = np.exp(x)
        return e.copy(), e

    def backward(dy, e):
        buffer = memo.setdefault((e.shape, e.dtype), np.zeros_like(e))
        return np.multiply(dy, e, out=buffer).copy()

    return forward, backward, torch.exp


@case(
    "numpy",
    [(4, 6)],
    [(2, 3)],
    variants=[{"p": 0.25}],
    slips=[
        ("the mask drawn anew", "return dy * keep / (1 - p)", "return dy * (rng.random(dy.shape) >= p) / (1 - p)"),
        ("not scaled", "dy * keep / (1 - p)", "dy * keep"),
        ("scaled by p", "dy * keep / (1 - p)", "dy * keep / p * 0.9"),
        ("the dropped ones", "dy * keep / (1 - p)", "dy * ~keep / (1 - p)"),
        ("no mask", "dy * keep / (1 - p)", "dy / (1 - p)"),
    ],
)
def dropout_with_a_seed(p=0.5):
    rng = np.random.default_rng(0)

    def mask(shape):
        return np.random.default_rng(42).random(shape) >= p

    def forward(x):
        keep = mask(x.shape)
        return x * keep / (1 - p), keep

    def backward(dy, keep):
        return dy * keep / (1 - p)

    def reference(x):
        return x * torch.tensor(mask(tuple(x.shape))) / (1 - p)

    return forward, backward, reference
