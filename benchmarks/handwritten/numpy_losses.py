"""Losses of classes in NumPy: labels, weights, ignored ones, smoothing, means and sums."""

import numpy as np
import torch
import torch.nn.functional as F

from .case import case, labels, shares, zero_one


@case(
    "numpy",
    [(4, 3), labels(4, 3)],
    [(1, 5), labels(1, 5)],
    slips=[
        ("the mean's factor missing", "dz / n", "dz"),
        ("mean over all entries", "dz / n", "dz / dz.size"),
        ("one not subtracted", "dz[np.arange(n), t] -= 1", "pass"),
        ("added for subtracted", "dz[np.arange(n), t] -= 1", "dz[np.arange(n), t] += 1"),
        ("dy ignored", "return dy * dz / n", "return dz / n"),
        ("the labels' columns for every row", "dz[np.arange(n), t] -= 1", "dz[:, t] -= 1"),
        ("writes into the cache", "dz = p.copy()", "dz = p", "overwritten"),
    ],
)
def cross_entropy_mean():
    def forward(z, t):
        z = z - z.max(axis=1, keepdims=True)
        logp = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        n = len(z)
        return -logp[np.arange(n), t].mean(), (np.exp(logp), t, n)

    def backward(dy, cache):
        p, t, n = cache
        dz = p.copy()
        dz[np.arange(n), t] -= 1
        return dy * dz / n

    return forward, backward, F.cross_entropy


@case(
    "numpy",
    [(5, 4), labels(5, 4, -1)],
    [(3, 2), labels(3, 2, -1)],
    slips=[
        ("divided by all", "dy / kept.sum()", "dy / len(t)"),
        ("the ignored row keeps its gradient", "dz[~kept] = 0", "pass"),
        ("the wrong rows", "dz[~kept] = 0", "dz[kept] = 0"),
        ("sum for mean", "(dy / kept.sum())", "dy"),
        ("the labels shifted by one", "dz[kept, t[kept]] -= 1", "dz[kept, t[kept] - 1] -= 1"),
        ("only the first row kept", "dz[kept, t[kept]] -= 1", "i = kept.argmax(); dz[i, t[i]] -= 1"),
    ],
)
def cross_entropy_ignore_index():
    def forward(z, t):
        e = np.exp(z - z.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        kept = t != -1
        logp = z - z.max(axis=1, keepdims=True) - np.log(e.sum(axis=1, keepdims=True))
        return -logp[kept, t[kept]].sum() / kept.sum(), (p, t, kept)

    def backward(dy, cache):
        p, t, kept = cache
        dz = p.copy()
        dz[kept, t[kept]] -= 1
        dz[~kept] = 0
        return dz * (dy / kept.sum()).astype(p.dtype), None

    return forward, backward, lambda z, t: F.cross_entropy(z, t, ignore_index=-1)


@case(
    "numpy",
    [(4, 3), labels(4, 3)],
    variants=[{"a": 0.3}, {"a": 0.5}],
    slips=[
        ("no smoothing backward", "q += a / k", "q += 0"),
        ("spread over the other classes", "q += a / k", "q += a / (k - 1)"),
        ("smoothing not taken from the label", "= 1 - a", "= 1"),
        ("smoothed twice", "q += a / k", "q += 2 * a / k"),
        ("sum for mean", "(p - q) / n", "(p - q)"),
        ("targets minus probabilities", "(p - q) / n", "(q - p) / n"),
    ],
)
def label_smoothing(a=0.1):
    def forward(z, t):
        m = z.max(1, keepdims=True)
        logp = z - (m + np.log(np.exp(z - m).sum(1, keepdims=True)))
        n, k = z.shape
        loss = (1 - a) * -logp[range(n), t].sum() / n + a * -logp.sum() / (n * k)
        return loss, (logp, t)

    def backward(dy, cache):
        logp, t = cache
        n, k = logp.shape
        p = np.exp(logp)
        q = np.zeros_like(p)
        q[range(n), t] = 1 - a
        q += a / k
        return dy * (p - q) / n

    return forward, backward, lambda z, t: F.cross_entropy(z, t, label_smoothing=a)


@case(
    "numpy",
    [(4, 3), labels(4, 3)],
    slips=[
        ("divided by n", "dz / w[t].sum()", "dz / len(t)"),
        ("weights of the classes for those of the labels", "w[t][:, None]", "w[None, :]"),
        ("no weights", "dz *= w[t][:, None]", "pass"),
        ("weights squared", "dz *= w[t][:, None]", "dz *= w[t][:, None] ** 2"),
        ("weights of the next class", "dz *= w[t][:, None]", "dz *= w[(t + 1) % 3][:, None]"),
    ],
)
def cross_entropy_class_weights():
    table = [0.5, 2.0, 1.25]

    def forward(z, t):
        w = np.array(table, dtype=z.dtype)
        zs = z - z.max(1, keepdims=True)
        lse = np.log(np.exp(zs).sum(1))
        nll = lse - zs[np.arange(len(t)), t]
        return (w[t] * nll).sum() / w[t].sum(), (np.exp(zs - lse[:, None]), t, w)

    def backward(dy, cache):
        p, t, w = cache
        dz = p.copy()
        for i, c in enumerate(t):
            dz[i, c] -= 1
        dz *= w[t][:, None]
        return dy * dz / w[t].sum()

    return forward, backward, lambda z, t: F.cross_entropy(z, t, torch.tensor(table, dtype=z.dtype))


@case(
    "numpy",
    [(4, 3), zero_one(4, 3)],
    [(6,), zero_one(6)],
    variants=[{"weight": 0.5}],
    slips=[
        ("weight forgotten", "(1 - t) * s - weight * t * (1 - s)", "s - t"),
        ("weight on the negatives", "(1 - t) * s - weight * t * (1 - s)", "weight * (1 - t) * s - t * (1 - s)"),
        ("sum for mean", "dy * dz / z.size", "dy * dz"),
        ("another number of entries", "dy * dz / z.size", "dy * dz / (len(z) + 1)"),
        ("sigmoid of minus z", "np.tanh(z / 2)", "np.tanh(-z / 2)"),
        (
            "dt of the sign",
            "-(z + (weight - 1) * (z - np.logaddexp(0, z)))",
            "(z + (weight - 1) * (z - np.logaddexp(0, z)))",
        ),
    ],
)
def bce_with_logits(weight=3.0):
    def forward(z, t):
        losses = (1 - t) * z + (1 + (weight - 1) * t) * np.logaddexp(0, -z)
        return losses.mean(), (z, t)

    def backward(dy, cache):
        z, t = cache
        s = 0.5 + 0.5 * np.tanh(z / 2)
        dz = (1 - t) * s - weight * t * (1 - s)
        dt = -(z + (weight - 1) * (z - np.logaddexp(0, z)))
        return dy * dz / z.size, dy * dt / z.size

    def reference(z, t):
        return F.binary_cross_entropy_with_logits(z, t, pos_weight=torch.tensor(weight, dtype=z.dtype))

    return forward, backward, reference


@case(
    "numpy",
    [(4, 3), labels(4, 3)],
    [(6, 2), labels(6, 2)],
    slips=[
        ("the right class gets no part", "dz[rows, t] = -g.sum(axis=1)", "dz[rows, t] = 0"),
        ("minus one only", "dz[rows, t] = -g.sum(axis=1)", "dz[rows, t] = -1 / n"),
        ("sign", "dz[rows, t] = -g.sum(axis=1)", "dz[rows, t] = g.sum(axis=1)"),
        ("the margin's own class counted", "over[rows, t] = False", "pass"),
        ("sum for mean", "over / n", "over * 1.0"),
        ("all classes, not those over", "g = over / n", "g = (over | True) / n"),
    ],
)
def hinge_of_classes():
    def forward(z, t):
        rows = np.arange(len(t))
        margins = 1 + z - z[rows, t][:, None]
        over = margins > 0
        over[rows, t] = False
        return np.where(over, margins, 0).sum() / len(t), (over, t, z.dtype)

    def backward(dy, cache):
        over, t, dtype = cache
        n, rows = len(t), np.arange(len(t))
        g = over / n
        dz = g.copy()
        dz[rows, t] = -g.sum(axis=1)
        return (dy * dz).astype(dtype), None

    def reference(z, t):
        margins = 1 + z - z.gather(1, t[:, None])
        own = F.one_hot(t, z.shape[1]).bool()
        return torch.relu(margins).masked_fill(own, 0).sum() / len(t)

    return forward, backward, reference


@case(
    "numpy",
    [(4, 3), shares(4, 3)],
    [(2, 5), shares(2, 5)],
    slips=[
        ("dq forgotten a one", "+ 1 - logp", "- logp"),
        ("sign of dz", "(p * q.sum(1, keepdims=True) - q) *", "(q - p * q.sum(1, keepdims=True)) *"),
        (
            "batch mean over entries",
            "(p * q.sum(1, keepdims=True) - q) * (dy / len(q))",
            "(p * q.sum(1, keepdims=True) - q) * (dy / q.size)",
        ),
        ("dz without the sum of q", "(p * q.sum(1, keepdims=True) - q)", "(p - q * q)"),
        ("logarithm of p for q", "np.log(q) + 1 - logp", "logp + 1 - logp"),
    ],
)
def kl_divergence():
    def forward(z, q):
        m = z.max(1, keepdims=True)
        logp = z - m - np.log(np.exp(z - m).sum(1, keepdims=True))
        return (q * (np.log(q) - logp)).sum() / len(q), (logp, q)

    def backward(dy, cache):
        logp, q = cache
        p = np.exp(logp)
        dz = (p * q.sum(1, keepdims=True) - q) * (dy / len(q))
        dq = (np.log(q) + 1 - logp) * (dy / len(q))
        return dz, dq

    return forward, backward, lambda z, q: F.kl_div(F.log_softmax(z, 1), q, reduction="batchmean")


@case(
    "numpy",
    [(4, 3), labels(4, 3)],
    variants=[{"gamma": 1.0}, {"gamma": 3.0}],
    slips=[
        ("the modulating factor's derivative missing", "gamma * (1 - pt) ** (gamma - 1) * pt * logpt", "0"),
        ("gamma forgotten", "gamma * (1 - pt) ** (gamma - 1)", "(1 - pt) ** (gamma - 1)"),
        ("sign of the factor", "dlogpt = gamma *", "dlogpt = -gamma *"),
        ("exponent not lowered", "(1 - pt) ** (gamma - 1) * pt", "(1 - pt) ** gamma * pt"),
        ("only the label's entry", "onehot - p", "onehot * (1 - p)"),
        ("mean forgotten", "dy / n", "dy"),
    ],
)
def focal_loss(gamma=2.0):
    def forward(z, t):
        z = z - z.max(1, keepdims=True)
        logp = z - np.log(np.exp(z).sum(1, keepdims=True))
        logpt = logp[np.arange(len(t)), t]
        pt = np.exp(logpt)
        return -((1 - pt) ** gamma * logpt).mean(), (np.exp(logp), pt, logpt, t)

    def backward(dy, cache):
        p, pt, logpt, t = cache
        n = len(t)
        onehot = np.eye(p.shape[1], dtype=p.dtype)[t]
        dlogpt = gamma * (1 - pt) ** (gamma - 1) * pt * logpt - (1 - pt) ** gamma
        return dlogpt[:, None] * (onehot - p) * (dy / n)

    def reference(z, t):
        logp = F.log_softmax(z, 1).gather(1, t[:, None])[:, 0]
        return -((1 - logp.exp()) ** gamma * logp).mean()

    return forward, backward, reference
