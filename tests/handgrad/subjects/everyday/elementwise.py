"""Activations, losses and formulas, entry by entry."""

import math
from math import exp as math_exp
from math import tanh as math_tanh

import numpy
import numpy as np
import scipy
import scipy.special as sp
from numpy import exp, sqrt
from numpy import log as ln
from scipy import special
from scipy.special import erf, expit, gammaln, log_softmax, logsumexp, softmax, xlogy

from .collection import everyday

SIZE = (4, 3)


@everyday(SIZE)
def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


@everyday(SIZE)
def stable_sigmoid(x):
    out = np.empty_like(x)
    positive = x >= 0
    out[positive] = 1 / (1 + np.exp(-x[positive]))
    e = np.exp(x[~positive])
    out[~positive] = e / (1 + e)
    return out


@everyday(SIZE)
def sigmoid_where(x):
    return np.where(x >= 0, 1 / (1 + np.exp(-x)), np.exp(x) / (1 + np.exp(x)))


@everyday(SIZE)
def imported_names(x):
    return exp(x) / sqrt(1 + x**2) + ln(1 + x * x)


@everyday(SIZE)
def whole_name(x):
    return numpy.tanh(x) * numpy.sin(x)


@everyday(SIZE)
def relu_maximum(x):
    return np.maximum(0, x)


@everyday(SIZE)
def relu_mask(x):
    return x * (x > 0)


@everyday(SIZE)
def relu_float_mask(x):
    mask = (x > 0).astype(float)
    return x * mask, mask


@everyday(SIZE)
def relu_index(x):
    y = x.copy()
    y[y < 0] = 0
    return y


@everyday(SIZE)
def leaky(x):
    return np.where(x > 0, x, 0.01 * x)


@everyday(SIZE)
def leaky_multiplied(x):
    y = np.array(x)
    y[x < 0] *= 0.2
    return y


@everyday(SIZE)
def elu(x):
    return np.where(x > 0, x, np.exp(np.minimum(x, 0)) - 1)


@everyday(SIZE)
def selu(x):
    alpha, scale = 1.6732632423543772, 1.0507009873554805
    return scale * (np.maximum(x, 0) + np.minimum(alpha * np.expm1(x), 0))


@everyday(SIZE)
def gelu_tanh(x):
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * np.power(x, 3))))


@everyday(SIZE)
def gelu_erf(x):
    return x * 0.5 * (1 + erf(x / np.sqrt(2)))


@everyday(SIZE)
def silu_expit(x):
    return x * expit(x)


@everyday(SIZE)
def mish(x):
    return x * np.tanh(np.log1p(np.exp(x)))


@everyday(SIZE)
def softplus(x):
    return np.logaddexp(0, x)


@everyday(SIZE)
def softplus_stable(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


@everyday(SIZE)
def hardtanh(x):
    return np.clip(x, -1, 1)


@everyday(SIZE)
def clip_method(x):
    return x.clip(-0.5, 0.5) + x.clip(min=0)


@everyday(SIZE)
def softsign(x):
    return x / (1 + abs(x))


@everyday(SIZE, SIZE)
def swiglu(a, b):
    return a / (1 + np.exp(-a)) * b


@everyday(SIZE)
def softmax_rows(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


@everyday((5,))
def softmax_vector(x):
    shifted = x - np.max(x)
    return np.exp(shifted) / np.sum(np.exp(shifted))


@everyday(SIZE)
def softmax_transposed(x):
    return (np.exp(x).T / np.sum(np.exp(x), axis=1)).T


@everyday(SIZE)
def softmax_scipy(x):
    return softmax(x, axis=-1) * log_softmax(x, axis=-1)


@everyday(SIZE)
def log_sum_exp(x):
    return logsumexp(x, axis=1) + special.logsumexp(x) + sp.logsumexp(x, axis=0, keepdims=True).sum()


@everyday(SIZE)
def scipy_whole(x):
    return scipy.special.erfc(x) + scipy.special.expit(2 * x) - special.log_expit(x)


@everyday(SIZE, low=0.2)
def scipy_gamma(x):
    return gammaln(x) + xlogy(x, x) + special.entr(x) + special.digamma(x)


@everyday(SIZE)
def scipy_normal(x):
    return special.ndtr(x) + special.log_ndtr(x) + special.i0(x)


@everyday(SIZE, low=0.1)
def powers(x):
    return x**3 + x**0.5 + 2**x + x**-1 + np.power(x, 1.5) + x**x


@everyday(SIZE, low=0.1)
def logs(x):
    return np.log(x) + np.log2(x) + np.log10(x) + np.log1p(x) + np.exp2(x) + np.expm1(x)


@everyday(SIZE, low=-0.99)
def trigonometry(x):
    return np.sin(x) + np.cos(x) * np.tan(x / 2) + np.arctan(x) + np.sinh(x) - np.cosh(x) + np.arcsinh(x)


@everyday((3,), low=-0.9)
def inverse_trigonometry(x):
    return np.arcsin(x / 2) + np.arccos(x / 2) + np.arctanh(x / 2) + np.deg2rad(x) + np.sinc(x)


@everyday(SIZE, SIZE, low=0.1)
def two_arguments(x, y):
    return np.hypot(x, y) + np.arctan2(x, y) + np.logaddexp(x, y) + np.maximum(x, y) - np.minimum(x, 2 * y)


@everyday(SIZE)
def rounded_away(x):
    return x - np.floor(x) + np.sign(x) * x + np.fabs(x) + np.square(x) + np.reciprocal(2 + x * x) + np.mod(x, 0.7)


@everyday(SIZE, SIZE)
def named_ufuncs(x, y):
    return (
        np.add(np.multiply(x, y), np.subtract(x, np.divide(y, 3)))
        + np.negative(x)
        + np.positive(y)
        + np.true_divide(x, 2)
    )


@everyday(SIZE)
def out_argument(x):
    buffer = np.empty(x.shape)
    np.exp(x, out=buffer)
    np.add(buffer, 1, out=buffer)
    return np.log(buffer, out=buffer)


@everyday(SIZE)
def ufunc_where(x):
    return np.divide(1.0, x, out=np.zeros_like(x), where=x > 0.1)


@everyday(SIZE)
def log_where_safe(x):
    return np.where(x > 0, np.log(np.where(x > 0, x, 1)), 0)


@everyday(SIZE)
def log_where_unsafe(x):
    with np.errstate(all="ignore"):
        return np.where(x > 0, np.log(x) + np.sqrt(x), x**2)


@everyday(SIZE, SIZE)
def mse(y, t):
    return np.mean((y - t) ** 2)


@everyday(SIZE, SIZE)
def mse_float(y, t):
    return float(((y - t) ** 2).sum() / len(y))


@everyday(SIZE, SIZE)
def mae(y, t):
    return np.abs(y - t).mean()


@everyday(SIZE, SIZE)
def huber(y, t, delta=1.0):
    r = y - t
    small = np.abs(r) <= delta
    return np.sum(np.where(small, 0.5 * r**2, delta * (np.abs(r) - 0.5 * delta)))


@everyday(SIZE, SIZE)
def log_cosh(y, t):
    return np.log(np.cosh(y - t)).sum()


@everyday(SIZE, SIZE)
def bce_logits(z, t):
    return np.mean(np.maximum(z, 0) - z * t + np.log1p(np.exp(-np.abs(z))))


@everyday((4, 3), np.array([0, 2, 1, 1]))
def cross_entropy(z, labels):
    shifted = z - z.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -log_p[np.arange(len(labels)), labels].mean()


@everyday((4, 3), np.array([0, 2, 1, 1]))
def cross_entropy_one_hot(z, labels):
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    one_hot = np.eye(z.shape[1])[labels]
    return -np.sum(one_hot * np.log(p + 1e-12)) / z.shape[0]


@everyday((4, 3), np.array([0, 2, -1, 1]))
def cross_entropy_ignoring(z, labels):
    keep = labels != -1
    log_p = z - logsumexp(z, axis=1, keepdims=True)
    return -log_p[keep, labels[keep]].sum() / max(keep.sum(), 1)


@everyday((4, 3), np.array([0, 2, 1, 1]))
def hinge(scores, labels):
    n = len(scores)
    right = scores[range(n), labels][:, np.newaxis]
    margins = np.maximum(0, scores - right + 1)
    margins[np.arange(n), labels] = 0
    return margins.sum() / n


@everyday((4, 3), low=0.1)
def entropy(p):
    p = p / p.sum(-1, keepdims=True)
    return -(p * np.log(p)).sum(axis=-1)


@everyday((4, 3), (4, 3), low=0.1)
def kl(p, q):
    return np.sum(special.rel_entr(p, q)) + special.kl_div(p, q).mean()


@everyday((4, 3), (4, 3))
def gaussian_nll(mu, log_var):
    return 0.5 * np.sum(log_var + (1.0 - mu) ** 2 / np.exp(log_var) + math.log(2 * math.pi))


@everyday((4, 5), (4, 5))
def cosine(a, b):
    return np.sum(a * b, axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))


@everyday((3,))
def math_scalars(x):
    total = 0.0
    for v in x:
        total += math.exp(v) * math.sin(v) + math.sqrt(1 + v * v)
    return total


@everyday((3,))
def math_imported(x):
    return [math_tanh(v) + math_exp(-v) for v in x]


@everyday(())
def scalar(x):
    return math.tanh(x) + x**2 - 1 / (1 + math.exp(-x)) + math.pow(x, 3) + math.erf(x) + math.log(2 + x * x, 3)


@everyday((3,))
def python_builtins(x):
    return sum(x) + max(x) * min(x) + abs(x[0]) + pow(x[1], 2) + sum(v * v for v in x)


@everyday((5,))
def horner(x):
    y = 0
    for c in [1.5, -2.0, 0.25, 3.0]:
        y = y * x + c
    return y + np.polyval([1.0, 2.0, 3.0], x)


@everyday(SIZE)
def taken_apart(x):
    a, b, *rest = x
    return a * b + rest[0] - rest[-1]
