"""Linear-chain CRF for one sentence: negative log likelihood, and its gradients by forward and backward messages."""

import numpy as np


def lse(a, axis):
    m = a.max(axis=axis, keepdims=True)
    return (m + np.log(np.exp(a - m).sum(axis=axis, keepdims=True))).squeeze(axis)


def crf_nll(emit, trans, start, tags):
    """emit (T, K), trans[i, j] from i to j, start (K,), tags (T,)"""
    T, K = emit.shape
    alpha = np.zeros((T, K))
    alpha[0] = start + emit[0]
    for t in range(1, T):
        alpha[t] = lse(alpha[t - 1][:, None] + trans, axis=0) + emit[t]
    log_z = lse(alpha[-1], axis=0)
    score = start[tags[0]] + emit[np.arange(T), tags].sum() + trans[tags[:-1], tags[1:]].sum()
    return log_z - score, (emit, trans, start, tags, alpha, log_z)


def backward_messages(emit, trans):
    T, K = emit.shape
    beta = np.zeros((T, K))
    for t in range(T - 2, -1, -1):
        beta[t] = lse(trans + emit[t + 1] + beta[t + 1], axis=1)
    return beta


def crf_nll_grad(cache):
    emit, trans, start, tags, alpha, log_z = cache
    T, K = emit.shape
    beta = backward_messages(emit, trans)
    # expected counts
    gamma = np.exp(alpha + beta - log_z)
    demit = gamma.copy()
    dstart = gamma[0].copy()
    dtrans = np.zeros((K, K))
    for t in range(T - 1):
        xi = alpha[t][:, None] + trans + (emit[t + 1] + beta[t + 1])[None, :] - log_z
        dtrans += np.exp(xi)
    # observed counts
    for t in range(T):
        demit[t, tags[t]] -= 1
    for t in range(1, T):
        dtrans[tags[t - 1], tags[t]] -= 1
    dstart[tags[0]] -= 1
    return {"emit": demit, "trans": dtrans, "start": dstart}
