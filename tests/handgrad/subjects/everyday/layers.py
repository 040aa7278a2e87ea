"""Whole layers and networks, with helpers, closures, classes, state, random masks."""

import functools
import random
from collections import namedtuple
from dataclasses import dataclass, field

import numpy as np

from .collection import everyday, made

EPS = 1e-5
mask_rng = np.random.RandomState(7)
MASK = (mask_rng.rand(4, 3) > 0.3) / 0.7
OPTIONS = {"activation": np.tanh, "scale": np.array([1.0, 2.0, 3.0])}


@everyday((6, 3), (3,), (3,))
def batch_norm(x, gamma, beta):
    mu = x.mean(axis=0)
    var = x.var(axis=0)
    x_hat = (x - mu) / np.sqrt(var + EPS)
    return gamma * x_hat + beta, (x_hat, mu, var)


@everyday((4, 5), (5,), (5,))
def layer_norm(x, g, b):
    mean = np.mean(x, -1, keepdims=True)
    centred = x - mean
    inverse = 1.0 / np.sqrt(np.mean(centred**2, -1, keepdims=True) + 1e-6)
    return centred * inverse * g + b


@everyday((4, 5), (5,))
def rms_norm(x, g):
    return x * np.reciprocal(np.sqrt(np.mean(np.square(x), axis=-1, keepdims=True) + 1e-8)) * g


@everyday((2, 4, 3, 3), (4,), (4,))
def group_norm(x, g, b):
    n, c, h, w = x.shape
    y = x.reshape(n, 2, -1)
    y = (y - y.mean(2, keepdims=True)) / np.sqrt(y.var(2, keepdims=True) + EPS)
    return y.reshape(n, c, h, w) * g.reshape(1, -1, 1, 1) + b[None, :, None, None]


@everyday((2, 4, 6), (6, 6), (6, 6), (6, 6))
def attention(x, Wq, Wk, Wv):
    b, t, d = x.shape
    heads = 2

    def split(z):
        return z.reshape(b, t, heads, d // heads).transpose(0, 2, 1, 3)

    q, k, v = split(x @ Wq), split(x @ Wk), split(x @ Wv)
    s = q @ k.transpose(0, 1, 3, 2) / np.sqrt(d // heads)
    s = np.where(np.tril(np.ones((t, t), dtype=bool)), s, -np.inf)
    a = np.exp(s - s.max(-1, keepdims=True))
    a /= a.sum(-1, keepdims=True)
    return (a @ v).transpose(0, 2, 1, 3).reshape(b, t, d), {"a": a}


@everyday((3, 4), (5, 4), (5, 4))
def attention_einsum(q, k, v):
    s = np.einsum("qd,kd->qk", q, k) / 2.0
    return np.einsum("qk,kd->qd", softmax_helper(s), v)


def softmax_helper(s, axis=-1):
    e = np.exp(s - np.max(s, axis=axis, keepdims=True))
    return e / np.sum(e, axis=axis, keepdims=True)


def dense(x, W, b, activation=None):
    z = np.zeros((x.shape[0], W.shape[1]))
    z += x.dot(W)
    z += b
    return activation(z) if activation else z


@everyday((4, 3), (3, 5), (5,), (5, 2), (2,))
def two_layers(x, W1, b1, W2, b2):
    return softmax_helper(dense(dense(x, W1, b1, np.tanh), W2, b2))


@everyday((4, 3), (3, 5), (5,), (5, 2), (2,))
def network_loop(x, *parameters):
    h = x
    for k in range(0, len(parameters), 2):
        h = dense(h, parameters[k], parameters[k + 1], activation=OPTIONS["activation"])
    return h


@everyday((4, 3))
def dropout_fixed(x):
    return x * MASK


@everyday((4, 3))
def dropout_seeded(x):
    mask = np.random.RandomState(0).rand(*x.shape) < 0.5
    noise = np.random.default_rng(1).normal(size=x.shape)
    return x * mask / 0.5 + 0.1 * noise


@everyday((4, 3), (4, 3))
def reparameterised(mu, log_var):
    eps = np.random.default_rng(0).standard_normal(mu.shape)
    return mu + np.exp(0.5 * log_var) * eps


@everyday((4, 3))
def noise_in_place(x):
    noise = np.random.default_rng(0).uniform(size=x.shape)
    noise *= x
    return noise


@everyday((4, 3))
def options_in_a_dict(x):
    return OPTIONS["activation"](x) * OPTIONS["scale"]


@everyday((4, 4))
def positions(x):
    n, d = x.shape
    at = np.arange(n)[:, np.newaxis]
    div = np.exp(np.arange(0, d, 2) * -(np.log(10000.0) / d))
    pe = np.zeros((n, d))
    pe[:, 0::2] = np.sin(at * div)
    pe[:, 1::2] = np.cos(at * div)
    return x + pe


@everyday((3, 4))
def rotary(x):
    theta = np.outer(np.arange(3), 1.0 / 10 ** np.arange(2))
    cos, sin = np.cos(theta), np.sin(theta)
    a, b = x[:, ::2], x[:, 1::2]
    y = np.empty_like(x)
    y[:, ::2] = a * cos - b * sin
    y[:, 1::2] = a * sin + b * cos
    return y


@everyday((5, 3), (5, 3))
def contrastive(a, b):
    a = a / np.linalg.norm(a, axis=1, keepdims=True)
    b = b / np.linalg.norm(b, axis=1, keepdims=True)
    s = a @ b.T / 0.1
    s = s - s.max(axis=1, keepdims=True)
    return -np.mean(np.diag(s) - np.log(np.exp(s).sum(axis=1)))


@everyday((4, 3), (4, 3), (4, 3))
def triplet(a, p, n):
    return np.maximum(0.0, ((a - p) ** 2).sum(1) - ((a - n) ** 2).sum(1) + 0.2).mean()


@everyday((4, 3), (3, 2), (2,), 0.01)
def ridge(X, W, b, lam):
    return 0.5 * np.sum((X @ W + b) ** 2) + 0.5 * lam * np.sum(W * W) + lam * np.abs(W).sum()


@everyday((4, 2), (3, 2), (3,))
def mixture(x, mu, log_w):
    d = ((x[:, None] - mu) ** 2).sum(-1)
    a = log_w - np.log(np.exp(log_w).sum()) - 0.5 * d
    top = a.max(axis=1, keepdims=True)
    return (top[:, 0] + np.log(np.exp(a - top).sum(axis=1))).sum()


@everyday((4, 3), np.array([[1, 1, 0], [1, 0, 0], [1, 1, 1], [0, 1, 1]], dtype=bool))
def masked_mean(x, mask):
    return (x * mask).sum(axis=1) / mask.sum(axis=1) + x[mask].max()


@everyday((3, 4), 2)
def top_k(x, k):
    i = np.argsort(-x, axis=1)[:, :k]
    return np.take_along_axis(x, i, axis=1)


class Affine:
    def __init__(self, rng, n, m):
        self.W = rng.normal(size=(n, m))
        self.b = np.zeros(m)
        self.x = None

    def forward(self, x):
        self.x = x
        out = np.zeros((len(x), self.W.shape[1]))
        out[...] = x @ self.W
        out += self.b
        return out

    def __call__(self, x):
        return self.forward(x)


class Tanh:
    def forward(self, x):
        self.out = np.tanh(x)
        return self.out


class Sequential:
    def __init__(self, *layers):
        self.layers = list(layers)

    def forward(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        return x


class Base:
    eps = 1e-3

    def normalise(self, x):
        out = np.empty_like(x)
        for i in range(len(x)):
            out[i] = x[i] / np.sqrt((x[i] ** 2).sum() + self.eps)
        return out

    @staticmethod
    def square(x):
        y = np.zeros(x.shape)
        y[:] = x * x
        return y

    @classmethod
    def shift(cls, x):
        return np.array(x) + cls.eps

    @property
    def factor(self):
        return 2.0

    def forward(self, x):
        return self.normalise(x)


class Derived(Base):
    def forward(self, x):
        return super().forward(x) * self.factor + self.square(x) + self.shift(x)


@dataclass
class Norm:
    momentum: float = 0.9
    mean: np.ndarray = field(default_factory=lambda: np.zeros(3))

    def forward(self, x):
        self.mean *= self.momentum
        self.mean += (1 - self.momentum) * x.mean(axis=0)
        return x - self.mean


@made((4, 3))
def method():
    return Affine(np.random.default_rng(0), 3, 2).forward


@made((4, 3))
def called_object():
    return Affine(np.random.default_rng(0), 3, 2)


@made((4, 3))
def sequential():
    rng = np.random.default_rng(0)
    return Sequential(Affine(rng, 3, 5), Tanh(), Affine(rng, 5, 2)).forward


@made((4, 3))
def inherited():
    return Derived().forward


@made((4, 3))
def data_class():
    return Norm().forward


@made((4, 3))
def closure():
    W = np.random.default_rng(0).normal(size=(3, 2))

    def helper(z):
        out = np.zeros_like(z)
        out[z > 0] = z[z > 0]
        return out

    def forward(x):
        return helper(x @ W)

    return forward


@made((4, 3))
def partially():
    return functools.partial(dense, W=np.ones((3, 2)), b=np.zeros(2), activation=np.tanh)


@made((4, 3))
def an_inner_lambda():
    act = lambda z: 1 / (1 + np.exp(-z))  # noqa: E731
    return lambda x: act(x) * act(2 * x)


@made((4, 3))
def decorated():
    def logged(f):
        @functools.wraps(f)
        def run(*args, **kwargs):
            return f(*args, **kwargs)

        return run

    @logged
    def forward(x):
        out = np.ones(x.shape)
        out *= x
        return out

    return forward


Cache = namedtuple("Cache", "x h")


@everyday((4, 3))
def named_tuple_cache(x):
    h = np.tanh(x)
    return h * 2, Cache(x, h)


@everyday((4, 3))
def python_random(x):
    order = random.Random(0).sample(range(4), 4)
    return x[order] * np.arange(4)[:, None]


@functools.lru_cache
def window(n):
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n)


@everyday((6,))
def cached_helper(x):
    return x * window(6)


@everyday((4, 3))
def nested_functions(x):
    def outer(z):
        def inner(v):
            y = np.zeros(3)
            y[:] = v
            return y**2

        return np.array([inner(row) for row in z])

    return outer(x)


@everyday((4, 3))
def recursive(x):
    return halve(x, 3)


def halve(x, n):
    return x if n == 0 else np.sin(halve(x, n - 1)) + x / 2


@everyday((4, 3))
def keyword_only(x, *, scale=2.0):
    return np.multiply(x, scale)


@everyday((4, 3))
def generators(x):
    return sum(np.tanh(row) for row in x) + np.sum([row.max() for row in x])


@everyday((4, 3))
def asserts_and_prints(x):
    assert x.shape[1:] == (3,), f"got {x.shape}"
    assert np.isfinite(x).all()
    assert not np.isnan(x).any()
    f"{x[0, 0]:.3f} {x!r} {float(x[0, 0]):g}"
    return np.nan_to_num(x)
