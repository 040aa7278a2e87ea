import numpy as np


def split_heads(m, heads):
    n, d = m.shape
    return m.reshape(n, heads, d // heads).transpose(1, 0, 2)


def merge_heads(m):
    heads, n, d = m.shape
    return m.transpose(1, 0, 2).reshape(n, heads * d)


def mha_forward(x, Wq, Wk, Wv, Wo, allowed):
    """x: (n, d); allowed: (n, n) bool; two heads."""
    q, k, v = (split_heads(x @ W, 2) for W in (Wq, Wk, Wv))
    scale = 1 / np.sqrt(q.shape[-1])
    s = q @ k.transpose(0, 2, 1) * scale
    s = np.where(allowed, s, -np.inf)
    s = s - s.max(axis=-1, keepdims=True)
    p = np.exp(s)
    p = p / p.sum(axis=-1, keepdims=True)
    ctx = merge_heads(p @ v)
    return ctx @ Wo, (x, Wq, Wk, Wv, Wo, q, k, v, p, ctx, scale)


def softmax_backward(dp, p):
    return p * (dp - np.sum(dp * p, axis=-1, keepdims=True))


def project_backward(dheads, x, W):
    d = merge_heads(dheads)
    return d @ W.T, x.T @ d


def mha_backward(dout, cache):
    x, Wq, Wk, Wv, Wo, q, k, v, p, ctx, scale = cache
    dWo = ctx.T @ dout
    dctx = split_heads(dout @ Wo.T, 2)

    dp = dctx @ v.transpose(0, 2, 1)
    dv = p.transpose(0, 2, 1) @ dctx

    # masked scores have p = 0, so nothing flows there
    ds = softmax_backward(dp, p) * scale
    dq = ds @ k
    dk = ds.transpose(0, 2, 1) @ q

    dx_q, dWq = project_backward(dq, x, Wq)
    dx_k, dWk = project_backward(dk, x, Wk)
    dx_v, dWv = project_backward(dv, x, Wv)
    return dx_q + dx_k + dx_v, dWq, dWk, dWv, dWo, None
