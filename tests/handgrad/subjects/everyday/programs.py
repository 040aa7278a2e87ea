"""Longer ones: dynamic programs, signals, graphs, solvers, networks of objects, as scripts and notebooks have them."""

import copy
import itertools
from dataclasses import dataclass, field

import numpy as np
from scipy import signal
from scipy.spatial.distance import cdist
from scipy.special import expit

from . import elementwise
from .collection import everyday, made


# -- dynamic programs and recurrences
@everyday((10,))
def moving_average(x, alpha=0.3):
    out = [x[0]]
    for v in x[1:]:
        out.append(alpha * v + (1 - alpha) * out[-1])
    return np.array(out)


@everyday((5,), (5,))
def time_warping(x, y):
    D = np.full((6, 6), np.inf)
    D[0, 0] = 0
    for i, j in itertools.product(range(1, 6), range(1, 6)):
        D[i, j] = (x[i - 1] - y[j - 1]) ** 2 + min(D[i - 1, j], D[i, j - 1], D[i - 1, j - 1])
    return D[5, 5]


@everyday((6, 3), np.array([0, 1, 2, 1]))
def alignment(log_p, labels):
    alpha = np.full((6, 4), -np.inf)
    alpha[0, 0] = log_p[0, labels[0]]
    for t in range(1, 6):
        for s in range(4):
            paths = [alpha[t - 1, s]] + ([alpha[t - 1, s - 1]] if s else [])
            alpha[t, s] = np.logaddexp.reduce(paths) + log_p[t, labels[s]]
    return -alpha[-1, -1]


@everyday((5, 3), (3, 3))
def hidden_markov(emission, transition):
    a = emission[0]
    for e in emission[1:]:
        a = e + np.array([np.logaddexp.reduce(a + transition[:, j]) for j in range(3)])
    return np.logaddexp.accumulate(a)


@everyday((4, 3, 2), (2, 5), (5, 5))
def states_in_a_dict(x, Wx, Wh):
    h = {-1: np.zeros((3, 5))}
    for t in range(len(x)):
        h[t] = np.tanh(np.dot(x[t], Wx) + np.dot(h[t - 1], Wh))
    return np.array([h[t] for t in range(len(x))]), h


@everyday((3,), (3,))
def runge_kutta(y, p):
    def slope(u):
        return np.array([p[0] * (u[1] - u[0]), u[0] * (p[1] - u[2]) - u[1], u[0] * u[1] - p[2] * u[2]])

    for _ in range(3):
        k1 = slope(y)
        k2 = slope(y + 0.005 * k1)
        y = y + 0.01 * k2
    return y


@everyday((4, 4))
def sinkhorn(C):
    K, u = np.exp(-C), np.ones(4)
    for _ in range(5):
        v = 1 / (K.T @ u)
        u = 1 / (K @ v)
    return u[:, None] * K * v


# -- signals, counts, pieces
@everyday((5, 4), (2, 3))
def filtered_image(x, k):
    same = signal.convolve2d(x, k, mode="same") + signal.correlate2d(x, k, "same")
    return same[1:, :2] + signal.convolve2d(x, k, "valid") * signal.correlate2d(k, x, "valid").sum()


@everyday((8,), (3,))
def filtered_signal(x, k):
    full = signal.convolve(x, k) + signal.fftconvolve(x, k, mode="full")
    return full[1:-1] + np.correlate(k, x, "same") + np.convolve(k, x, "same") + signal.correlate(x, k, mode="same")


@everyday((6,))
def bin_edges(x):
    counts, edges = np.histogram(x, bins=3)
    return edges * counts.sum() + np.histogram(x, [-3.0, 0.0, 3.0])[1].sum()


@everyday((5,), np.array([0, 1, 0, 2, 2]))
def weighted_counts(x, ids):
    return np.bincount(ids, weights=x, minlength=4) / np.maximum(np.bincount(ids, minlength=4), 1)


@everyday((4, 3))
def pieces(x):
    whole = np.piecewise(x, [x < -1, x > 0], [lambda v: -v, np.expm1, lambda v: v**3])
    return whole + np.piecewise(x, [x > 0.5], [2.0])


@everyday((4, 3))
def parts_of_numbers(x):
    fraction, whole = np.modf(x)
    return fraction * x + whole


@everyday((4, 3))
def covariances(x):
    return np.cov(x, rowvar=False) + np.cov(x.T, bias=True) + np.cov(x.T, ddof=0)


@everyday((3, 3))
def imported_inside(A):
    import scipy.linalg
    from numpy import tanh

    return scipy.linalg.expm(tanh(A)) + scipy.linalg.inv(np.eye(3) + A @ A.T)


# -- arrays made, walked and refused
@everyday((4, 3))
def walked(x):
    out = np.zeros_like(x)
    it = np.nditer(x, flags=["multi_index"])
    while not it.finished:
        out[it.multi_index] = np.sin(it[0])
        it.iternext()
    for v in np.nditer(x):
        out[0, 0] += v
    return out


@everyday((3, 4))
def from_a_generator(x):
    squares = np.fromiter((v * v for v in x.ravel()), dtype=float, count=12)
    cubes = np.frompyfunc(lambda v: v**3, 1, 1)(x).astype(float)
    return squares.reshape(3, 4) + cubes + np.array(x, copy=True, ndmin=3)


@everyday((3, 4))
def asked_for_dtypes(x):
    np.testing.assert_allclose(x, x * 1.0)
    kind = np.promote_types(np.result_type(x, np.float32), x.dtype)
    out = np.zeros(x.shape, dtype=kind)
    out[:] = x
    return out * x.dtype.type(2) if np.can_cast(kind, float) else out


@everyday((4, 3))
def tried_first(x):
    try:
        y = x.reshape(5, 5)
    except ValueError:
        y = x.reshape(3, 4)
    try:
        y[:] = np.ones(7)
    except ValueError:
        y = 2 * y
    try:
        return np.linalg.cholesky(-y @ y.T)
    except np.linalg.LinAlgError:
        return np.linalg.cholesky(y @ y.T + np.eye(3))


@everyday((4, 3))
def lists_reduced(x):
    return np.add.reduce([x[0], x[1] ** 2]) + np.maximum([x[2, 0], 0.0, x[3, 1]], 0)


@everyday((3,))
def rotation(a):
    c, s = np.cos(a), np.sin(a)
    about_z = np.array([[c[0], -s[0], 0], [s[0], c[0], 0], [0, 0, 1]])
    return about_z @ np.array([[c[1], 0, s[1]], [0, 1, 0], [-s[1], 0, c[1]]])


@everyday((4, 3))
def helpers_of_another_module(x):
    return elementwise.out_argument(x) + elementwise.log_where_safe(x)


# -- graphs, images, attention
@everyday((4, 3), np.array([[0, 1], [1, 2], [2, 3], [3, 0]]))
def graph_layer(x, edges):
    A = np.zeros((4, 4))
    A[edges[:, 0], edges[:, 1]] = 1
    D = np.diag(1 / np.sqrt((A + A.T).sum(1)))
    messages = np.zeros_like(x)
    for source, target in edges:
        messages[target] += x[source]
    return np.tanh(D @ (A + A.T) @ D @ x) + messages


@everyday((2, 3, 5, 5), (4, 3, 3, 3))
def convolution_by_indices(x, w):
    x = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="constant")
    channel = np.repeat(np.arange(3), 9).reshape(-1, 1)
    i = np.tile(np.repeat(np.arange(3), 3), 3).reshape(-1, 1) + np.repeat(np.arange(5), 5)
    j = np.tile(np.arange(3), 9).reshape(-1, 1) + np.tile(np.arange(5), 5)
    columns = x[:, channel, i, j].transpose(1, 2, 0).reshape(27, -1)
    return (w.reshape(4, -1) @ columns).reshape(4, 5, 5, 2).transpose(3, 0, 1, 2)


@everyday((2, 1, 4, 4))
def pooled_by_index(x):
    columns = x.reshape(2, 1, 2, 2, 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(-1, 4)
    return columns[np.arange(len(columns)), np.argmax(columns, axis=1)].reshape(2, 1, 2, 2)


@everyday((2, 4, 6), (6, 18), (6, 6))
def heads_split(x, W, Wo, heads=2):
    B, T, C = x.shape
    q, k, v = (t.reshape(B, T, heads, C // heads).transpose(0, 2, 1, 3) for t in np.split(x @ W, 3, axis=-1))
    scores = np.where(np.tril(np.ones((T, T))) == 0, -1e10, q @ k.swapaxes(-1, -2) / np.sqrt(C // heads))
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    return (weights @ v).transpose(0, 2, 1, 3).reshape(B, T, C) @ Wo


@everyday((4, 6))
def sparsemax(z):
    ordered = -np.sort(-z, axis=1)
    sums = np.cumsum(ordered, axis=1) - 1
    count = (ordered * np.arange(1, 7) > sums).sum(axis=1)
    return np.maximum(z - (sums[np.arange(4), count - 1] / count)[:, None], 0)


@everyday((4, 3), np.array([0, 2, 1, 1]))
def focal_loss(z, labels, gamma=2.0):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    p = (e / e.sum(axis=1, keepdims=True))[np.arange(len(labels)), labels]
    return np.mean(-((1 - p) ** gamma) * np.log(p + 1e-12))


# -- objects
@made((4, 3))
def network_of_objects():
    class Linear:
        def __init__(self, n, m, rng):
            self.W, self.b = rng.randn(n, m) / np.sqrt(n), np.zeros(m)

        def __call__(self, x):
            self.x = x
            return x @ self.W + self.b

    class Rectifier:
        def __call__(self, x):
            self.mask = x > 0
            return self.mask * x

    class Network:
        def __init__(self):
            rng = np.random.RandomState(0)
            self.layers = [Linear(3, 5, rng), Rectifier(), Linear(5, 2, rng)]

        def forward(self, x):
            for layer in self.layers:
                x = layer(x)
            return x

    return Network().forward


@made((3, 4))
def gated_state():
    rng = np.random.RandomState(1)
    P = {k: rng.randn(4, 4) * 0.3 for k in "zrh"}

    class Cell:
        h = np.zeros((1, 4))

        def step(self, x):
            z, r = expit(x @ P["z"] + self.h), expit(x @ P["r"] + self.h)
            self.h = (1 - z) * self.h + z * np.tanh(x @ P["h"] + r * self.h)
            return self.h

        def forward(self, xs):
            self.h = np.zeros((1, 4))
            return np.concatenate([self.step(x[None]) for x in xs])

    return Cell().forward


@made((4, 3))
def norm_as_a_data_class():
    @dataclass
    class Norm:
        eps: float = 1e-5
        gamma: np.ndarray = field(default_factory=lambda: np.ones(3))

        def forward(self, x):
            self.centred = x - x.mean(axis=1, keepdims=True)
            self.std = np.sqrt((self.centred**2).mean(1, keepdims=True) + self.eps)
            return self.gamma * self.centred / self.std

    return Norm().forward


@made((4, 3))
def slots_and_class_methods():
    class Layer:
        __slots__ = ("kept", "w")

        def __init__(self):
            self.w = np.ones(3) * 2

        @classmethod
        def build(cls):
            return cls()

        @property
        def weights(self):
            return copy.copy(self.w)

        @staticmethod
        def act(z):
            return np.tanh(z)

        def forward(self, x):
            self.kept = x
            return self.act(x) * self.weights

    return Layer.build().forward


@made((4, 3))
def mask_of_an_old_generator():
    class Dropout:
        def forward(self, x, p=0.5):
            rng = np.random.RandomState(7)
            self.mask = (rng.rand(*x.shape) < p).astype(x.dtype)
            out = x * self.mask
            out /= p
            return out * rng.binomial(1, 0.8, size=x.shape)

    return Dropout().forward


# -- what is refused, with its reason
@everyday((5, 2))
def compiled_distances(x):
    return cdist(x, np.ones((3, 2)))


@everyday((4, 3))
def masked_array(x):
    return np.ma.masked_array(x, x < 0).sum(axis=1).filled(0)


@everyday((4, 3))
def of_its_bytes(x):
    return np.frombuffer(x.tobytes(), dtype=x.dtype).reshape(x.shape) * 2


@everyday((4, 2))
def as_complex(x):
    return (x.view(np.complex128) * 1j).real
