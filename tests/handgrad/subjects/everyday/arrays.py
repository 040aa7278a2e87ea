"""Shapes, indices, sums, products, and parts put together in another way."""

import numpy as np
from numpy.lib.stride_tricks import as_strided, sliding_window_view

from .collection import everyday

rng = np.random.default_rng(3)
WEIGHTS = rng.normal(size=(3, 5))
PERMUTATION = np.array([2, 0, 1])


@everyday((4, 3), (3, 2), (2,))
def affine(x, W, b):
    return x @ W + b


@everyday((4, 3), (2, 3))
def dot_transposed(x, W):
    return np.dot(x, W.T)


@everyday((4, 3))
def global_weights(x):
    return np.matmul(x, WEIGHTS) + x.dot(WEIGHTS)


@everyday((3,), (3,))
def products(a, b):
    return np.outer(a, b) + np.inner(a, b) + np.dot(a, b) * np.vdot(a, b) + np.kron(a, b).sum() + np.cross(a, b)


@everyday((2, 3, 4), (2, 4, 5))
def batched(a, b):
    return np.matmul(a, b).swapaxes(1, 2) + np.einsum("bij,bjk->bki", a, b)


@everyday((2, 3, 4), (4, 5))
def tensordot(a, b):
    return np.tensordot(a, b, axes=([2], [0])) + np.tensordot(a, b, axes=1)


@everyday((3, 3), (3,))
def einsums(A, v):
    return (
        np.einsum("ii->i", A)
        + np.einsum("ij,j->i", A, v)
        + np.einsum("ij,ij->", A, A)
        + np.einsum("i,j->ij", v, v, optimize=True).sum(0)
    )


@everyday((3, 3))
def traces(A):
    return (
        np.trace(A) * np.diag(A) + A.diagonal() + np.diag(A[0]).sum(axis=1) + np.tril(A).sum(0) - np.triu(A, 1).sum(1)
    )


@everyday((2, 3, 4))
def sums(x):
    return (
        x.sum()
        + x.sum(axis=(0, 2))
        + np.sum(x, axis=1, keepdims=True).sum(0) @ np.ones((4, 3))
        + np.mean(x, axis=-1).sum(0)
    )


@everyday((4, 3))
def moments(x):
    return (
        x.var(axis=0) + x.std(0, ddof=1) + np.var(x) + np.std(x, axis=0) + np.average(x, axis=0, weights=[1, 2, 3, 4])
    )


@everyday((4, 3), low=0.5)
def running(x):
    return (
        np.cumsum(x, axis=0) + np.cumprod(x, axis=1) + np.cumsum(x).reshape(x.shape) + x.cumsum(1) + np.prod(x, axis=0)
    )


@everyday((4, 3))
def extremes(x):
    return (
        x.max(axis=0) + np.min(x, axis=0) + np.amax(x) - np.ptp(x, axis=0) + np.median(x, axis=0) + np.maximum.reduce(x)
    )


@everyday((4, 3))
def extremes_by_index(x):
    i = np.argmax(x, axis=1)
    return x[np.arange(4), i] + np.take_along_axis(x, np.argmin(x, axis=1)[:, None], axis=1)[:, 0]


@everyday((5,))
def sorted_values(x):
    order = np.argsort(x)
    return np.sort(x) * np.arange(5) + x[order][::-1] + np.sort(x)[-2:].sum()


@everyday((5,))
def sorted_in_place(x):
    y = x.copy()
    y.sort()
    return np.diff(y) + y[1:]


@everyday((6,))
def median_and_quantile(x):
    return np.median(x) + np.percentile(x, 30) + np.quantile(x, 0.75)


@everyday((3, 4))
def reshaped(x):
    return x.reshape(2, -1) + x.T.reshape((2, 6)) + x.ravel()[:6] + x.flatten()[6:] + np.reshape(x, (6, 2)).T


@everyday((3, 4))
def fortran_order(x):
    return x.reshape(4, 3, order="F") + x.T + x.ravel(order="F").reshape(4, 3)


@everyday((2, 3, 4))
def axes_moved(x):
    return (
        x.transpose(2, 0, 1)
        + np.moveaxis(x, -1, 0)
        + np.transpose(x, (2, 0, 1))
        + np.rollaxis(x, 2)
        + np.swapaxes(x, 0, 2).swapaxes(1, 2)
    )


@everyday((3,), (4,))
def new_axes(a, b):
    return (
        a[:, None] * b[None, :]
        + np.expand_dims(a, 1)
        - b[np.newaxis]
        + np.squeeze(a[:, None, None], axis=2)
        + np.atleast_2d(b)
    )


@everyday((3,))
def broadcast(a):
    return np.broadcast_to(a, (2, 3)) * np.tile(a, (2, 1)) + np.repeat(a, 2).reshape(2, 3) + a.repeat(2).reshape(3, 2).T


@everyday((2, 3), (2, 3))
def joined(a, b):
    return (
        np.concatenate([a, b]).sum() + np.concatenate((a, b), axis=1) @ np.hstack([b, a]).T + np.vstack([a, b])[:2, :2]
    )


@everyday((3,), (3,))
def stacked(a, b):
    return (
        np.stack([a, b], axis=1)
        + np.column_stack((a, b))
        + np.array([a, b]).T
        + np.c_[a, b]
        + np.r_[a, b].reshape(3, 2)
        + np.dstack([a, b])[0]
    )


@everyday((2, 2), (2, 2))
def blocks(a, b):
    return np.block([[a, b], [b.T, a @ b]])


@everyday((4, 6))
def split_apart(x):
    a, b = np.split(x, 2, axis=1)
    c, d, e = np.array_split(x, 3, axis=1)
    top, bottom = np.vsplit(x, 2)
    return a * b + np.hstack([c, d[:, :1]]) * e[:, :1] + top.sum() + bottom[0, 0]


@everyday((4, 8))
def gates(z):
    i, f, g, o = np.split(z, [2, 4, 6], axis=-1)
    return 1 / (1 + np.exp(-i)) * np.tanh(g) + f * o


@everyday((3, 4))
def slices(x):
    return x[1:, ::2] - x[:-1, 1::2] + x[::-1][:2, :2] + x[..., -2:][:2] + x[0, 0]


@everyday((3, 4))
def reversed_axes(x):
    return (
        np.flip(x, axis=1)
        + np.fliplr(x)
        + np.flipud(x)
        + x[:, ::-1]
        + np.roll(x, 1, axis=0)
        + np.roll(x, 2)
        + np.rot90(x, 2)
    )


@everyday((5, 3))
def fancy(x):
    return x[[0, 2, 4]] + x[np.array([1, 1, 3])] + x[:, PERMUTATION][:3] + x[np.ix_([0, 1, 2], [2, 1, 0])]


@everyday((5, 3), np.array([0, 4, 4, 2]))
def embedding(table, ids):
    return table[ids] + table.take(ids, axis=0) + np.take(table, ids, axis=0)


@everyday((4, 3), np.array([0, 1, 0, 2]))
def scatter_add(x, ids):
    out = np.zeros((3, x.shape[1]))
    np.add.at(out, ids, x)
    return out


@everyday((4, 3), np.array([0, 1, 0, 2]))
def segment_mean(x, ids):
    total, count = np.zeros((3, 3)), np.zeros(3)
    for i, k in enumerate(ids):
        total[k] += x[i]
        count[k] += 1
    return total / count[:, None]


@everyday((3, 4))
def masked(x):
    mask = np.array([[True, False, True, False]] * 3)
    y = np.zeros_like(x)
    y[mask] = x[mask] ** 2
    y[~mask] = -1
    return y + x[mask].sum()


@everyday((3, 3))
def causal(scores):
    mask = np.triu(np.ones((3, 3), dtype=bool), k=1)
    s = scores.copy()
    s[mask] = -np.inf
    e = np.exp(s - s.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


@everyday((3, 3))
def causal_where(scores):
    s = np.where(np.tril(np.ones((3, 3))) == 0, -1e9, scores)
    e = np.exp(s - np.max(s, -1, keepdims=True))
    return e / np.sum(e, -1, keepdims=True)


@everyday((3, 4))
def zeros_filled(x):
    out = np.zeros((5, 6))
    out[1:-1, 1:-1] = x
    return out[:-2, :-2] + 2 * out[2:, 2:] - out[1:-1, 1:-1]


@everyday((3, 4))
def padded(x):
    return (
        np.pad(x, 1)[:3, :4]
        + np.pad(x, ((0, 0), (1, 1)), mode="edge")[:, 2:]
        + np.pad(x, ((1, 0), (0, 0)), "reflect")[:3]
        + np.pad(x, ((1, 1), (0, 0)), mode="wrap")[2:]
    )


@everyday((3, 4))
def padded_with(x):
    return np.pad(x, [(0, 0), (2, 0)], mode="constant", constant_values=1.5) ** 2


@everyday((7,), (3,))
def convolved(x, k):
    return (
        np.convolve(x, k, mode="valid") + np.convolve(x, k, "same")[1:-1] + np.convolve(x, k)[2:7] + np.correlate(x, k)
    )


@everyday((6,))
def windows(x):
    return sliding_window_view(x, 3).max(axis=-1) + np.lib.stride_tricks.sliding_window_view(x, 3).mean(-1)


@everyday((4, 5))
def strided(x):
    s0, s1 = x.strides
    return as_strided(x, shape=(3, 4, 2, 2), strides=(s0, s1, s0, s1)).sum(axis=(2, 3))


@everyday((4,))
def selected(x):
    return np.select([x > 1, x > 0], [x**2, np.sin(x)], default=-x) + np.choose([0, 1, 0, 1], [x, 2 * x])


@everyday((4,))
def piecewise_buffer(x):
    y = np.full(x.shape, 0.5)
    np.copyto(y, x, where=x > 0)
    np.putmask(y, x < -1, x)
    return y


@everyday((3, 3))
def diagonal_filled(A):
    B = A.copy()
    np.fill_diagonal(B, 2.0)
    return B + np.eye(3) * A[0]


@everyday((4, 3))
def along_axis(x):
    out = np.zeros_like(x)
    np.put_along_axis(out, np.argmax(x, axis=1)[:, None], np.max(x, axis=1, keepdims=True), axis=1)
    return out + np.apply_along_axis(lambda row: row / np.sqrt((row**2).sum()), 1, x)


@everyday((3, 3))
def linear_algebra(A):
    S = A @ A.T + 3 * np.eye(3)
    return np.linalg.inv(S) + np.linalg.solve(S, A) + np.linalg.det(S) + np.linalg.slogdet(S)[1]


@everyday((3, 3))
def decompositions(A):
    S = A @ A.T + 3 * np.eye(3)
    return np.linalg.cholesky(S).sum() + np.linalg.eigvalsh(S) + np.linalg.matrix_power(A, 3)[0] + np.linalg.pinv(A)[0]


@everyday((4, 3))
def norms(x):
    return (
        np.linalg.norm(x)
        + np.linalg.norm(x, axis=1)
        + np.linalg.norm(x, 1, axis=1)
        + np.linalg.norm(x, ord=np.inf, axis=-1)
        + np.linalg.norm(x, axis=1, keepdims=True)[:, 0]
    )


@everyday((4, 2), (3, 2))
def distances(a, b):
    d = a[:, None, :] - b[None, :, :]
    return np.sqrt((d**2).sum(-1)) + np.sqrt(np.maximum((a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T, 1e-12))


@everyday((5,), (5,))
def least_squares(x, y):
    A = np.vstack([x, np.ones_like(x)]).T
    slope, intercept = np.linalg.solve(A.T @ A, A.T @ y)
    return slope * x + intercept


@everyday((6,), low=0.1)
def integrals(y):
    return (
        np.trapezoid(y, dx=0.5)
        + np.gradient(y)
        + np.interp(1.3, np.arange(6.0), y)
        + np.diff(y, n=2).sum()
        + np.ediff1d(y).sum()
    )


@everyday((4, 3))
def reduced_ufuncs(x):
    return (
        np.add.reduce(x, axis=0)
        + np.multiply.reduce(x, axis=0)
        + np.add.accumulate(x)[-1]
        + np.add.outer(x[0], x[1]).sum(1)
        + np.maximum.accumulate(x)[1]
        + np.logaddexp.reduce(x, axis=0)
    )


@everyday((4, 3))
def nan_safe(x):
    y = np.where(x > 0, x, np.nan)
    return np.nansum(y, axis=0) + np.nanmean(y) + np.nan_to_num(y).sum(0) + np.nanmax(y)


@everyday((3, 4))
def masked_reductions(x):
    return (
        np.sum(x, axis=1, where=x > 0) + np.mean(x, axis=1, where=x > -10) + np.max(x, axis=1, initial=-5, where=x < 5)
    )


@everyday((4, 3))
def inserted(x):
    return (
        np.insert(x, 0, 1.0, axis=1)[:, 1:]
        + np.append(x, x, axis=0)[4:]
        + np.delete(np.hstack([x, x]), [0, 1, 2], axis=1)
    )


@everyday((3,))
def from_nested_lists(angles):
    a, b, c = angles
    R = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    return R @ np.array([b, c]) + np.asarray([b, 1.0])


@everyday((2, 3))
def list_of_rows(x):
    rows = []
    for row in x:
        rows.append(row / row.sum() if row.sum() > 5 else row * 2)
    return np.array(rows) + np.stack(rows) + np.vstack(rows)


@everyday((2, 3))
def types(x):
    x = np.asarray(x, dtype=np.float64)
    y = np.ascontiguousarray(x.T).astype(np.float64)
    z = np.zeros(y.shape, dtype=x.dtype)
    z[:] = y
    assert isinstance(x, np.ndarray)
    assert x.dtype == np.float64
    return z + np.float64(2) * np.finfo(x.dtype).eps + x.T.astype(float)


@everyday((4,))
def item_by_item(x):
    y = np.zeros(4)
    for i in range(4):
        y[i] = x[i].item() ** 2 + float(x[i - 1])
    return y.tolist()


@everyday((4, 3))
def compare_and_count(x):
    n = np.count_nonzero(x > 0) + (x > 0).sum()
    good = np.isfinite(x) & (x < 100)
    return x / (1 + n) * good + np.any(x > 3) + np.all(x < 9) * x


@everyday((3, 4))
def ufunc_methods(x):
    y = np.ones((2, 4))
    np.multiply.at(y, [0, 0, 1], x)
    np.subtract.at(y, [1], x[:1])
    return y + np.add.reduceat(x, [0, 2], axis=0)


@everyday((8,))
def spectrum(x):
    f = np.fft.rfft(x)
    return np.abs(f) ** 2 + np.fft.irfft(f * 0.5)[:5] + f.real


@everyday((6,))
def binned(x):
    edges = np.linspace(-1, 1, 5)
    i = np.clip(np.digitize(x, edges), 0, 4) + np.searchsorted(edges, 0.1)
    return x * i + np.histogram(x, bins=3)[0].sum() + np.unique(np.round(x).astype(int)).size


@everyday((3, 4))
def mesh(x):
    i, j = np.meshgrid(np.arange(4), np.arange(3))
    k, m = np.indices(x.shape)
    return x * (i + j) + x[k, m] + np.ogrid[0:3, 0:1][0] * x + sum(x[i] for i in np.ndindex(x.shape))


@everyday((5,))
def vectorized(x):
    f = np.vectorize(lambda v: v**2 if v > 0 else np.exp(v))
    return f(x) + np.array([v for _i, v in np.ndenumerate(x)])
