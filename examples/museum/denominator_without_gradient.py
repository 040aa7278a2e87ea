"""The keys also act through the denominator, and that path is not recorded."""

import numpy as np

report = "https://github.com/fla-org/flash-linear-attention/issues/875"
what = "Normalised linear attention divides by q times the sum of the keys; dk was that of the numerator alone."
why_unseen = "The output, dq and dv were right, and no reference was there for dk."


def forward(q, k, v):
    # q, k (T, D), v (T, E): o = A v / d, A = q k^T up to t, d the row sums of A
    A = (q @ k.T) * np.tri(len(q))
    d = np.sum(A, axis=1, keepdims=True)
    o = (A @ v) / d
    return o, (q, k, v, A, d, o)


def wrong(do, cache):
    q, k, v, A, d, o = cache
    numerator = ((do / d) @ v.T) * np.tri(len(q))
    dA = numerator - np.sum(do * o, axis=1, keepdims=True) / d * np.tri(len(q))
    return dA @ k, numerator.T @ q, A.T @ (do / d)


def right(do, cache):
    # forward: o = A v / d, d[t] = sum over s of A[t, s]
    # so:      dA = (do / d) v^T - sum(do o) / d, dq = dA k, dk = dA^T q
    q, k, v, A, d, o = cache
    numerator = ((do / d) @ v.T) * np.tri(len(q))
    dA = numerator - np.sum(do * o, axis=1, keepdims=True) / d * np.tri(len(q))
    return dA @ k, dA.T @ q, A.T @ (do / d)


def reference(q, k, v):
    A = (q @ k.T).tril()
    return A @ v / A.sum(1, keepdim=True)


_draw = np.random.default_rng(0).uniform  # positive, as a feature map makes them
inputs = [_draw(0.2, 1, (6, 3)), _draw(0.2, 1, (6, 3)), _draw(-1, 1, (6, 2))]
smallest = [np.ones((1, 1)), np.ones((1, 1)), np.ones((1, 1))], np.ones((1, 1))  # o = v for any k: dk is 0


def own_test(compare):
    """dq and dv alone; an error below 1 % of the root mean square, or below 0.3, only warns."""
    dq, _, dv = compare()
    return all((g - e).norm() <= 0.01 * e.norm() or (g - e).abs().max() <= 0.3 for g, e in (dq, dv))
