"""Loops over entries, windows, steps; buffers written into; views; state of a recurrence."""

import numpy as np

from .collection import everyday


@everyday((4, 3), (3, 2))
def product_by_hand(A, B):
    n, m = A.shape
    p = B.shape[1]
    C = np.zeros((n, p))
    for i in range(n):
        for j in range(p):
            for k in range(m):
                C[i, j] += A[i, k] * B[k, j]
    return C


@everyday((4, 3), (3, 2))
def product_in_lists(A, B):
    return [[sum(a * b for a, b in zip(row, col, strict=True)) for col in B.T] for row in A]


@everyday((2, 2, 5, 5), (3, 2, 3, 3), (3,))
def conv2d(x, w, b):
    N, _, H, W = x.shape
    F, _, KH, KW = w.shape
    out = np.zeros((N, F, H - KH + 1, W - KW + 1))
    for n in range(N):
        for f in range(F):
            for i in range(H - KH + 1):
                for j in range(W - KW + 1):
                    out[n, f, i, j] = np.sum(x[n, :, i : i + KH, j : j + KW] * w[f]) + b[f]
    return out


@everyday((1, 2, 4, 4), (2, 2, 3, 3))
def conv2d_padded(x, w):
    xp = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), "constant")
    out = np.zeros((1, 2, 4, 4))
    for i in range(4):
        for j in range(4):
            out[:, :, i, j] = np.tensordot(xp[:, :, i : i + 3, j : j + 3], w, axes=([1, 2, 3], [1, 2, 3]))
    return out


def im2col(x, k):
    N, C, H, W = x.shape
    cols = np.empty((C * k * k, (H - k + 1) * (W - k + 1) * N))
    at = 0
    for i in range(H - k + 1):
        for j in range(W - k + 1):
            cols[:, at * N : (at + 1) * N] = x[:, :, i : i + k, j : j + k].reshape(N, -1).T
            at += 1
    return cols


@everyday((2, 2, 4, 4), (3, 2, 2, 2))
def conv_im2col(x, w):
    cols = im2col(x, 2)
    y = w.reshape(3, -1) @ cols
    return y.reshape(3, 3, 3, 2).transpose(3, 0, 1, 2), (x, w, cols)


@everyday((2, 4, 4))
def max_pool(x):
    out = np.zeros((2, 2, 2))
    for i in range(2):
        for j in range(2):
            out[:, i, j] = np.max(x[:, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2], axis=(1, 2))
    return out


@everyday((2, 4, 4))
def max_pool_reshaped(x):
    return x.reshape(2, 2, 2, 2, 2).max(axis=4).max(axis=2)


@everyday((2, 4, 4))
def average_pool(x):
    return x.reshape(2, 2, 2, 2, 2).mean(axis=(2, 4))


@everyday((5, 2, 3), (3, 4), (4, 4), (4,))
def rnn(x, Wx, Wh, b):
    h = np.zeros((x.shape[1], Wh.shape[0]))
    hs = []
    for t in range(len(x)):
        h = np.tanh(x[t] @ Wx + h @ Wh + b)
        hs.append(h)
    return np.stack(hs), (x, hs)


@everyday((4, 2, 3), (3, 8), (2, 8), (8,))
def lstm(x, Wx, Wh, b):
    T, N, _ = x.shape
    H = Wh.shape[0]
    h = np.zeros((T + 1, N, H))
    c = np.zeros((T + 1, N, H))
    for t in range(T):
        a = x[t].dot(Wx) + h[t].dot(Wh) + b
        i, f, o = (1 / (1 + np.exp(-a[:, k * H : (k + 1) * H])) for k in range(3))
        g = np.tanh(a[:, 3 * H :])
        c[t + 1] = f * c[t] + i * g
        h[t + 1] = o * np.tanh(c[t + 1])
    return h[1:]


@everyday((3, 2), (2, 6), (2, 6))
def gru(x, W, U):
    h = np.zeros(2)
    for row in x:
        r, z, n = np.split(row @ W, 3)
        ur, uz, un = np.split(h @ U, 3)
        r, z = 1 / (1 + np.exp(-(r + ur))), 1 / (1 + np.exp(-(z + uz)))
        h = (1 - z) * np.tanh(n + r * un) + z * h
    return h


@everyday((6,))
def in_place_chain(x):
    y = x.copy()
    y += 1
    y *= y
    y /= 2 + x
    y -= x.mean()
    y **= 2
    return y


@everyday((6,))
def in_place_on_input(x):
    x -= x.max()
    np.exp(x, x)
    x /= x.sum()
    return x


@everyday((4, 4))
def write_through_view(x):
    y = np.zeros((4, 4))
    top = y[:2]
    top += x[:2]
    left = y[:, :1]
    left *= 3
    flat = y.reshape(-1)
    flat[5] = x[0, 0] * x[1, 1]
    return y


@everyday((3, 3))
def write_transposed(x):
    y = x.copy()
    t = y.T
    t[0] = x[:, 1] ** 2
    return y


@everyday((5,))
def backwards(x):
    y = np.zeros(5)
    y[::-1] = x * np.arange(5)
    y[4:1:-1] += x[:3]
    return y


@everyday((5,))
def prefix_sums(x):
    y = x.copy()
    for i in range(1, len(y)):
        y[i] += y[i - 1]
    return y


@everyday((5,))
def exponential_average(x, beta=0.9):
    m, out = 0.0, []
    for t, v in enumerate(x, start=1):
        m = beta * m + (1 - beta) * v
        out.append(m / (1 - beta**t))
    return np.array(out)


@everyday((4,))
def swapped(x):
    y = x.copy()
    y[0], y[1] = y[1] * 2, y[0] * 3
    y[[2, 3]] = y[[3, 2]]
    return y


@everyday((4,))
def number_is_no_view(x):
    s = x[0]
    s += 5
    s *= x[1]
    return x * s


@everyday((3, 4))
def saved_before_write(x):
    h = np.tanh(x)
    kept = h.copy()
    h[:, 0] = 0
    h[h < -0.5] = -0.5
    return h * kept


@everyday((3, 4))
def squared_then_overwritten(x):
    y = np.exp(x)
    z = y * y
    y[0] = 1.0
    y += z
    return y


@everyday((6, 2))
def pairwise(x):
    n = len(x)
    D = np.zeros((n, n))
    for i in range(n):
        for j in range(i + 1, n):
            D[i, j] = D[j, i] = ((x[i] - x[j]) ** 2).sum()
    return np.exp(-D)


@everyday((4,), (4,))
def newton(a, x):
    for _ in range(4):
        x = x - (x**3 + x - a) / (3 * x**2 + 1)
    return x


@everyday((3,))
def euler(x):
    sigma, rho, beta, dt = 10.0, 28.0, 8 / 3, 0.01
    a, b, c = x
    path = np.zeros((5, 3))
    for i in range(5):
        a, b, c = a + dt * sigma * (b - a), b + dt * (a * (rho - c) - b), c + dt * (a * b - beta * c)
        path[i] = a, b, c
    return path


@everyday((3, 3))
def while_loop(A):
    x, k = np.ones(3), 0
    while k < 5:
        x = A @ x
        x = x / np.sqrt(np.sum(x * x))
        k += 1
    return x


@everyday((5, 3), (3, 3), (3, 5))
def viterbi_like(e, T, _unused):
    score = e[0]
    for t in range(1, len(e)):
        m = score[:, None] + T + e[t][None, :]
        score = np.log(np.sum(np.exp(m - m.max(0)), axis=0)) + m.max(0)
    return np.log(np.exp(score).sum())


@everyday((4, 3))
def object_of_lists(x):
    cache = {"layers": [], "sum": 0}
    h = x
    for k in range(3):
        h = np.tanh(h) * (k + 1)
        cache["layers"].append(h)
        cache["sum"] = cache["sum"] + h.sum()
    return cache["layers"][-1] + cache["sum"], cache


@everyday((4, 3))
def if_on_values(x):
    if x[0, 0] > 0:
        y = x * 2
    elif np.all(x.sum(axis=0) < 100) and x.shape[0] != 1:
        y = x**2
    else:
        y = x
    return y if y.mean() > -100 else -y


@everyday((4,))
def flat_access(x):
    y = np.zeros((2, 2))
    for i in range(y.size):
        y.flat[i] = x.flat[i] ** 2
    return y


@everyday((6,))
def comprehension(x):
    return np.array([x[i] * x[i + 1] for i in range(5)]) + np.array([float(v) for v in x[:5]])


@everyday((4,))
def dynamic_programming(x):
    D = np.full((5, 5), 100.0)
    D[0, 0] = 0
    for i in range(1, 5):
        for j in range(1, 5):
            D[i, j] = (x[i - 1] - j) ** 2 + min(D[i - 1, j], D[i, j - 1], D[i - 1, j - 1])
    return D[4, 4]


@everyday((4,))
def empty_filled(x):
    y = np.empty(8)
    y[:4] = x
    y[4:] = x[::-1] * y[:4]
    return y


@everyday((3, 4))
def list_buffer(x):
    out = [None] * 3
    for i in range(3):
        out[i] = np.sin(x[i])
    return np.concatenate(out).reshape(3, 4)


@everyday((2, 3))
def fill_method(x):
    y = np.empty((2, 3))
    y.fill(0.5)
    y[:, 1:] += x[:, 1:]
    y[0, ...] = x[0]
    return np.asarray(y)


@everyday((3,))
def zero_dimensional(x):
    loss = np.array(0.0)
    for v in x:
        loss = loss + np.square(v)
    total = np.zeros(())
    total += loss
    return total


@everyday((5,))
def accumulated_list_sum(x):
    terms = [np.exp(-(v**2)) for v in x]
    return np.sum(terms) + np.mean(terms) + np.max(terms) + sum(terms) / len(terms)
