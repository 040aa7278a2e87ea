import numpy as np


def run(x, W, U, b, order):
    h = np.zeros((len(x) + 1, U.shape[0]))
    for t in order:
        prev = t + 1 if order.step < 0 else t - 1
        h[t] = np.tanh(x[t] @ W + h[prev] @ U + b)
    return h


def birnn(x, Wf, Uf, bf, Wb, Ub, bb, V, c):
    """x: (T, D) -> (T, K); row -1 (= T) of the state arrays stays zero and serves as the start for both directions."""
    T = len(x)
    hf = run(x, Wf, Uf, bf, range(0, T))
    hb = run(x, Wb, Ub, bb, range(T - 1, -1, -1))
    h = np.concatenate([hf[:T], hb[:T]], axis=1)
    return h @ V + c, (x, Wf, Uf, Wb, Ub, V, hf, hb, h)


def birnn_backward(dy, cache):
    x, Wf, Uf, Wb, Ub, V, hf, hb, h = cache
    T, H = len(x), Uf.shape[0]
    dV = h.T @ dy
    dc = dy.sum(axis=0)
    dh = dy @ V.T
    dhf, dhb = dh[:, :H], dh[:, H:]
    dx = np.zeros_like(x)

    # forward direction: the last time step first
    dWf, dUf, dbf = np.zeros_like(Wf), np.zeros_like(Uf), np.zeros(H)
    carry = np.zeros(H)
    for t in range(T - 1, -1, -1):
        da = (dhf[t] + carry) * (1 - hf[t] ** 2)
        dWf += np.outer(x[t], da)
        dUf += np.outer(hf[t - 1], da)
        dbf += da
        dx[t] += Wf @ da
        carry = Uf @ da

    # backward direction: the first time step first
    dWb, dUb, dbb = np.zeros_like(Wb), np.zeros_like(Ub), np.zeros(H)
    carry = np.zeros(H)
    for t in range(T):
        da = (dhb[t] + carry) * (1 - hb[t] ** 2)
        dWb += np.outer(x[t], da)
        dUb += np.outer(hb[t + 1], da)
        dbb += da
        dx[t] += Wb @ da
        carry = Ub @ da

    return dx, dWf, dUf, dbf, dWb, dUb, dbb, dV, dc
