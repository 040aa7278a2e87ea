"""One GAT layer on a dense adjacency (adj[i, j]: node i listens to node j) and mean readout."""

import numpy as np

SLOPE = 0.2


def gat(x, W, a_src, a_dst, adj):
    h = x @ W
    src = h @ a_src  # what the listener says
    dst = h @ a_dst
    raw = src[:, None] + dst[None, :]
    e = np.where(raw > 0, raw, SLOPE * raw)
    e = np.where(adj, e, -np.inf)
    w = np.exp(e - e.max(1, keepdims=True))
    alpha = w / w.sum(1, keepdims=True)
    out = np.tanh(alpha @ h)
    return out.mean(0), (x, W, a_src, a_dst, h, raw, alpha, out)


def gat_backward(dy, cache):
    x, W, a_src, a_dst, h, raw, alpha, out = cache
    n = x.shape[0]

    # readout and tanh
    dout = np.tile(dy / n, (n, 1))
    dagg = dout * (1 - out**2)

    # aggregation
    dalpha = dagg @ h.T
    dh = alpha.T @ dagg

    # softmax over the neighbours
    de = alpha * (dalpha - (alpha * dalpha).sum(1, keepdims=True))

    # leaky relu
    draw = np.where(raw > 0, de, SLOPE * de)
    dsrc = draw.sum(axis=1)
    ddst = draw.sum(axis=0)

    # the two scores
    da_src = h.T @ dsrc
    da_dst = h.T @ ddst
    dh += np.outer(dsrc, a_src)
    dh += np.outer(ddst, a_dst)

    dW = x.T @ dh
    dx = dh @ W.T
    return dx, dW, da_src, da_dst, None
