"""Activations in NumPy, with buffers, masks, in-place updates and out=."""

import numpy as np
import torch
import torch.nn.functional as F
from scipy.special import erf

from .case import case


@case(
    "numpy",
    [(4, 3)],
    [(7,)],
    slips=[
        ("the mask from the output's wrong side", "dz[z <= 0] = 0", "dz[z > 0] = 0"),
        ("one at zero", "dz[z <= 0] = 0", "dz[z < 0] = 0", "kinks"),
        ("no mask", "dz[z <= 0] = 0", "pass"),
        ("writes into dy", "dz = dy.copy()", "dz = dy", "overwritten"),
        ("the mask of dy", "dz[z <= 0] = 0", "dz[dy <= 0] = 0"),
        ("only the first row is masked", "dz[z <= 0] = 0", "dz[0][z[0] <= 0] = 0"),
    ],
    also=[
        ("another formula", "dz[z <= 0] = 0", "dz *= z > 0"),
        ("np.where", "dz[z <= 0] = 0", "dz = np.where(z > 0, dz, 0 * dz)"),
    ],
)
def relu_masked():
    def forward(z):
        h = z.copy()
        h[h < 0] = 0
        return h, z

    def backward(dy, z):
        dz = dy.copy()
        dz[z <= 0] = 0
        return dz

    return forward, backward, torch.relu


@case(
    "numpy",
    [(4, 3)],
    [(2, 3, 2)],
    variants=[{"slope": 0.3}, {"slope": 0.25}],
    slips=[
        ("slope everywhere", "np.where(z > 0, 1.0, slope)", "slope"),
        ("sides exchanged", "np.where(z > 0, 1.0, slope)", "np.where(z < 0, 1.0, slope)"),
        ("slope one tenth", "np.where(z > 0, 1.0, slope)", "np.where(z > 0, 1.0, slope / 10)"),
        ("one at zero", "np.where(z > 0, 1.0, slope)", "np.where(z >= 0, 1.0, slope)", "kinks"),
        ("dy ignored", "(dy * np", "(np", "ordinary"),
        ("minus slope", "np.where(z > 0, 1.0, slope)", "np.where(z > 0, 1.0, -slope)"),
    ],
)
def leaky_relu(slope=0.01):
    def forward(z):
        return np.maximum(z, 0) + slope * np.minimum(z, 0)

    def backward(dy, z):
        return (dy * np.where(z > 0, 1.0, slope)).astype(dy.dtype)

    return forward, backward, lambda z: F.leaky_relu(z, slope)


@case(
    "numpy",
    [(4, 3), (3,)],
    [(1, 2), (2,)],
    slips=[
        ("no sum over the batch", ".sum(axis=0)", "[0]"),
        ("mean for sum", ".sum(axis=0)", ".mean(axis=0)"),
        ("a's gradient on the positive side", "dy * z * (z <= 0)", "dy * z * (z > 0)"),
        ("z missing in da", "dy * z * (z <= 0)", "dy * (z <= 0)"),
        ("a missing in dz", "np.where(z > 0, dy, a * dy)", "np.where(z > 0, dy, 0 * dy)"),
        ("one at zero", "np.where(z > 0, dy, a * dy)", "np.where(z >= 0, dy, a * dy)", "kinks"),
    ],
)
def prelu():
    def forward(z, a):
        return np.where(z > 0, z, a * z), (z, a)

    def backward(dy, cache):
        z, a = cache
        dz = np.where(z > 0, dy, a * dy)
        da = (dy * z * (z <= 0)).sum(axis=0)
        return {"z": dz, "a": da}

    return forward, backward, lambda z, a: F.prelu(z, a)


@case(
    "numpy",
    [(4, 3)],
    [(6,)],
    variants=[{"alpha": 0.5}, {"alpha": 2.0}],
    slips=[
        ("alpha forgotten", "h[neg] + alpha", "h[neg] + 1", "ordinary"),
        ("alpha not added", "h[neg] + alpha", "h[neg]"),
        ("sign", "h[neg] + alpha", "h[neg] - alpha"),
        ("the input where the output belongs", "h[neg] + alpha", "z[neg] + alpha"),
        ("writes into dy", "dz = np.array(dy)", "dz = dy", "overwritten"),
        ("= for *=", "dz[neg] *= h", "dz[neg] = h"),
    ],
    also=[("from the input", "h[neg] + alpha", "alpha * np.exp(z[neg])")],
)
def elu_buffered(alpha=1.5):
    def forward(z):
        h = np.empty_like(z)
        neg = z <= 0
        h[~neg] = z[~neg]
        h[neg] = alpha * np.expm1(z[neg])
        return h, (z, h, neg)

    def backward(dy, cache):
        z, h, neg = cache
        dz = np.array(dy)
        dz[neg] *= h[neg] + alpha
        return dz

    return forward, backward, lambda z: F.elu(z, alpha)


@case(
    "numpy",
    [(4, 3)],
    [(5,)],
    variants=[{"beta": 2.0}, {"beta": 0.5}],
    slips=[
        ("beta too much", "dy / (1 + np.exp(-beta * z))", "beta * dy / (1 + np.exp(-beta * z))"),
        ("beta forgotten", "dy / (1 + np.exp(-beta * z))", "dy / (1 + np.exp(-z))"),
        ("sign in the exponent", "dy / (1 + np.exp(-beta * z))", "dy / (1 + np.exp(beta * z))"),
        ("one missing", "dy / (1 + np.exp(-beta * z))", "dy / np.exp(-beta * z)"),
        (
            "overflows for large z",
            "dy / (1 + np.exp(-beta * z))",
            "dy * np.exp(beta * z) / (1 + np.exp(beta * z))",
            "large",
        ),
        (
            "a threshold only backward",
            "dy / (1 + np.exp(-beta * z))",
            "np.where(z > 3, dy, dy / (1 + np.exp(-beta * z)))",
            "wide",
        ),
    ],
)
def softplus(beta=1.5):
    def forward(z):
        return np.logaddexp(0, beta * z) / beta

    def backward(dy, z):
        with np.errstate(all="ignore"):
            return dy / (1 + np.exp(-beta * z))

    return forward, backward, lambda z: torch.logaddexp(torch.zeros_like(z), beta * z) / beta


@case(
    "numpy",
    [(4, 3)],
    [(2, 2, 2)],
    slips=[
        ("the factor 3 missing", "1 + 3 * 0.044715 * z**2", "1 + 0.044715 * z**2"),
        ("the square of tanh missing", "(1 - t**2)", "(1 - t)"),
        ("a half missing", "0.5 * z * (1 - t**2)", "z * (1 - t**2)"),
        ("the second term missing", " + 0.5 * z * (1 - t**2) * C * (1 + 3 * 0.044715 * z**2)", ""),
        ("constant of sigmoid approximation", "* C * (1 + 3", "* 0.797 * (1 + 3"),
        ("a digit of a constant", "1 + 3 * 0.044715", "1 + 3 * 0.04715"),
        ("a float32 constant", "* C * (1 + 3", "* float(np.float32(C)) * (1 + 3"),
    ],
    also=[("the cube's derivative by hand", "(1 + 3 * 0.044715 * z**2)", "(1 + 0.134145 * z * z)")],
)
def gelu_tanh_numpy():
    C = 0.7978845608028654

    def forward(z):
        t = np.tanh(C * (z + 0.044715 * z**3))
        return 0.5 * z * (1 + t), (z, t)

    def backward(dy, cache):
        z, t = cache
        return dy * (0.5 * (1 + t) + 0.5 * z * (1 - t**2) * C * (1 + 3 * 0.044715 * z**2))

    return forward, backward, lambda z: F.gelu(z, approximate="tanh")


@case(
    "numpy",
    [(4, 3)],
    [(9,)],
    slips=[
        ("the density without its half", "np.exp(-0.5 * z * z)", "np.exp(-z * z)"),
        ("z missing", "dz += z * pdf", "dz += pdf"),
        ("= for +=", "dz += z * pdf", "dz = z * pdf"),
        ("sign", "dz += z * pdf", "dz -= z * pdf"),
        ("1/sqrt(pi)", "* 0.3989422804014327", "* 0.5641895835477563"),
        ("a short constant", "* 0.3989422804014327", "* 0.3989423"),
    ],
)
def gelu_erf():
    def forward(z):
        return z * (0.5 * (1 + erf(z * 0.7071067811865476)))

    def backward(dy, z):
        pdf = np.exp(-0.5 * z * z) * 0.3989422804014327
        dz = 0.5 * (1 + erf(z * 0.7071067811865476))
        dz += z * pdf
        dz *= dy
        return dz

    return forward, backward, F.gelu


@case(
    "numpy",
    [(4, 3)],
    [(8,)],
    slips=[
        ("the sigmoid's own derivative only", "dz += s", "dz += 0"),
        ("1 + s for 1 - s", "np.subtract(1, s, out=dz)", "np.add(1, s, out=dz)"),
        ("z forgotten", "np.multiply(dz, z, out=dz)", "pass"),
        ("s forgotten", "np.multiply(dz, s, out=dz)", "pass"),
        ("out= the cache", "np.multiply(dz, z, out=dz)", "dz = np.multiply(dz, z, out=z)", "overwritten"),
        ("out= dy", "np.multiply(dz, dy, out=dz)", "dz = np.multiply(dz, dy, out=dy)", "overwritten"),
    ],
)
def silu_out():
    def forward(z):
        s = np.empty_like(z)
        np.negative(z, out=s)
        with np.errstate(over="ignore"):
            np.exp(s, out=s)
        s += 1
        np.divide(1, s, out=s)
        return z * s, (z, s)

    def backward(dy, cache):
        z, s = cache
        dz = np.empty_like(z)
        np.subtract(1, s, out=dz)
        np.multiply(dz, s, out=dz)
        np.multiply(dz, z, out=dz)
        dz += s
        np.multiply(dz, dy, out=dz)
        return dz

    return forward, backward, F.silu


@case(
    "numpy",
    [(4, 3)],
    [(3, 1)],
    slips=[
        ("the sigmoid missing", "z * (1 - t * t) * s", "z * (1 - t * t)"),
        ("the first term missing", "t + z * (1", "z * (1"),
        ("1 - t", "(1 - t * t)", "(1 - t)"),
        ("sigmoid of minus z", "1 / (1 + np.exp(-z))", "1 / (1 + np.exp(z))"),
        ("z missing", "z * (1 - t * t) * s", "(1 - t * t) * s"),
        ("dy squared", "return dy * (t", "return dy * dy * (t"),
    ],
)
def mish():
    def forward(z):
        t = np.tanh(np.logaddexp(0, z))
        return z * t, {"z": z, "t": t}

    def backward(dy, cache):
        z, t = cache["z"], cache["t"]
        with np.errstate(over="ignore"):
            s = 1 / (1 + np.exp(-z))
        return dy * (t + z * (1 - t * t) * s)

    return forward, backward, F.mish
