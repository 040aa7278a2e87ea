"""Closures and array-API code."""

import torch
import torch.nn.functional as F

from ..draws import between, labels, zero_one
from ..table import enter


def closure(name, reference, inputs, also, slips, *constants):
    made = f"closures.{name}"
    enter("closure", made, None, reference, inputs, also, slips, lambda module: getattr(module, name)(*constants))


def tversky(p, g):
    tp, fp, fn = (p * g).sum(), (p * (1 - g)).sum(), ((1 - p) * g).sum()
    return 1 - (tp + 1) / (tp + 0.3 * fp + 0.7 * fn + 1)


closure(
    "make_tversky",
    tversky,
    [between(0.1, 0.9, 3, 4), zero_one(3, 4)],
    [between(0.1, 0.9, 6), zero_one(6)],
    [
        (
            "operand order",
            "alpha and beta exchanged",
            "dden = g + alpha * (1 - g) - beta * g",
            "dden = g + beta * (1 - g) - alpha * g",
        ),
        (
            "missing path",
            "true positives forgotten below",
            "dden = g + alpha * (1 - g) - beta * g",
            "dden = alpha * (1 - g) - beta * g",
        ),
        ("missing square", "the quotient rule without the square", "/ den**2, None", "/ den, None"),
        ("sign", "false negatives grow with p", "(1 - g) - beta * g", "(1 - g) + beta * g"),
        ("constant", "smooth forgotten above", "num = tp + smooth", "num = tp"),
    ],
    0.3,
    0.7,
)


closure(
    "make_soft_threshold",
    lambda x: torch.nn.functional.softshrink(x, 0.5),
    [(4, 5)],
    [(12,)],
    [
        ("sign", "the negative side forgotten", "g * (np.abs(x) > lam)", "g * (x > lam)"),
        ("mask", "the dead zone's gradient", "g * (np.abs(x) > lam)", "g * (np.abs(x) < lam)"),
        (
            "missing factor",
            "the sign multiplied once more",
            "g * (np.abs(x) > lam)",
            "g * np.sign(x) * (np.abs(x) > lam)",
        ),
    ],
    0.5,
)


closure(
    "make_residual_layer",
    lambda x, W: x + 0.5 * torch.tanh(x @ W) @ W.T,
    [(4, 3), (3, 5)],
    [(2, 4), (4, 2)],
    [
        ("missing path", "W used once", " + scale * dy.T @ t", ""),
        ("missing path", "residual forgotten", "dx = dy + dz @ W.T", "dx = dz @ W.T"),
        ("missing factor", "the scale forgotten for W", "scale * dy.T @ t", "dy.T @ t"),
        ("missing square", "tanh's square", "(1 - t**2)", "(1 - t)"),
    ],
    0.5,
)


def smoothed(s, y):
    w = torch.tensor([0.5, 1.2, 2.0], dtype=torch.float64)[y]
    target = torch.full_like(s, 0.2 / 3) + 0.8 * F.one_hot(y, 3).double()
    return -(w[:, None] * target * s.log_softmax(1)).sum() / w.sum()


closure(
    "make_smoothed_cross_entropy",
    smoothed,
    [(5, 3), labels(3, 5)],
    [(4, 3), labels(3, 4)],
    [
        (
            "count",
            "divided by the batch, not by the weights",
            "(p - target) / w.sum(), None",
            "(p - target) / len(w), None",
        ),
        ("missing factor", "class weights forgotten", "dy * w[:, None] * (p - target)", "dy * (p - target)"),
        ("sign", "target minus probability", "* (p - target) /", "* (target - p) /"),
        ("upstream", "dy ignored", "return dy * w[:, None]", "return w[:, None]"),
    ],
    0.2,
    [0.5, 1.2, 2.0],
)


def xp(name, reference, inputs, also, slips):
    enter("array API", f"array_api_layers.{name}", f"{name}_vjp", reference, inputs, also, slips)


xp(
    "rms_gate",
    lambda x, g: x * torch.rsqrt((x**2).mean(-1, keepdim=True) + 1e-3) * torch.sigmoid(g),
    [(3, 4), (3, 4)],
    [(2, 5), (2, 5)],
    [
        (
            "missing path",
            "the norm held fixed",
            "dx = r * (dn - n * xp.mean(dn * n, axis=-1, keepdims=True))",
            "dx = r * dn",
        ),
        (
            "axis",
            "mean over the rows",
            "xp.mean(dn * n, axis=-1, keepdims=True)",
            "xp.mean(dn * n, axis=0, keepdims=True)",
        ),
        ("stale variable", "the gate missing in the norm's part", "xp.mean(dn * n,", "xp.mean(dy * n,"),
        ("wrong cached array", "x for n in the gate", "dg = dy * n * s", "dg = dy * x * s"),
        ("count", "a sum for the mean", "xp.mean(dn * n", "xp.sum(dn * n"),
    ],
)


xp(
    "cross_attention",
    lambda q, k, v: (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1) @ v,
    [(3, 4), (3, 4), (3, 4)],
    [(2, 3), (5, 3), (5, 2)],
    [
        ("missing factor", "the scale", "keepdims=True)) * scale", "keepdims=True))"),
        (
            "axis",
            "softmax's sum over the wrong axis",
            "xp.sum(a * da, axis=-1, keepdims=True)",
            "xp.sum(a * da, axis=-2, keepdims=True)",
        ),
        ("transpose", "square weights not transposed", "xp.matmul(xp.matrix_transpose(a), dy)", "xp.matmul(a, dy)"),
        ("copy-paste", "k for q", "xp.matmul(xp.matrix_transpose(ds), q)", "xp.matmul(xp.matrix_transpose(ds), k)"),
        ("results' order", "dk first", "return dq, dk, dv", "return dk, dq, dv"),
    ],
)


xp(
    "log_cosh_loss",
    lambda p, t: torch.log(torch.cosh(p - t)).mean(),
    [(4, 3), (4, 3)],
    [(2, 5), (2, 5)],
    [
        ("count", "divided by the rows", "/ (r.shape[0] * r.shape[1])", "/ r.shape[0]"),
        ("sign", "both the same sign", "return g, -g", "return g, g"),
        ("wrong formula", "tanh's derivative", "xp.tanh(r)", "(1 - xp.tanh(r) ** 2)"),
        ("upstream", "dy ignored", "dy * xp.tanh(r)", "xp.tanh(r)"),
    ],
)


def planar(z, u, w, b):
    h = torch.tanh(z @ w + b)
    out = z + h[:, None] * u
    return torch.log((1 + (1 - h**2) * (w @ u)).abs()) - 0.5 * (out**2).sum(1)


xp(
    "planar_flow",
    planar,
    [(4, 3), between(0, 0.5, 3), between(0, 0.5, 3), ()],
    [(3, 2), between(0, 0.5, 2), between(0, 0.5, 2), ()],
    [
        ("missing path", "log determinant through h forgotten", " - 2 * h * wu * ddet", ""),
        ("missing factor", "the two of the square", "- 2 * h * wu * ddet", "- h * wu * ddet"),
        ("missing path", "u in the determinant forgotten", ", h) + dwu * w", ", h)"),
        ("copy-paste", "w's gradient from w", "da) + dwu * u", "da) + dwu * w"),
        ("missing path", "z's direct path", "dz = dout + da[:, None]", "dz = da[:, None]"),
        ("wrong formula", "derivative of log forgotten", "ddet = dll / det", "ddet = dll * det"),
    ],
)
