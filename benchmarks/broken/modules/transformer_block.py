"""Pre-norm transformer block with one head and a GELU MLP, for a single sequence."""

import numpy as np

EPS = 1e-5
C = np.sqrt(2 / np.pi)


def layer_norm(x, g):
    mu = x.mean(-1, keepdims=True)
    rstd = 1 / np.sqrt(x.var(-1, keepdims=True) + EPS)
    xhat = (x - mu) * rstd
    return xhat * g, (xhat, rstd, g)


def gelu(u):
    return 0.5 * u * (1 + np.tanh(C * (u + 0.044715 * u**3)))


def block(x, g1, Wqkv, Wo, g2, Wup, Wdown):
    n, d = x.shape
    a, ln1 = layer_norm(x, g1)
    q, k, v = np.split(a @ Wqkv, 3, axis=1)
    s = q @ k.T / np.sqrt(d)
    s[np.triu_indices(n, 1)] = -np.inf
    p = np.exp(s - s.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    o = p @ v
    r = x + o @ Wo
    m, ln2 = layer_norm(r, g2)
    u = m @ Wup
    act = gelu(u)
    return r + act @ Wdown, (ln1, ln2, a, q, k, v, p, o, m, u, act, Wqkv, Wo, Wup, Wdown)


def layer_norm_bwd(dy, saved):
    xhat, rstd, g = saved
    dg = (dy * xhat).sum(0)
    dxhat = dy * g
    dx = dxhat - dxhat.mean(-1, keepdims=True) - xhat * (dxhat * xhat).mean(-1, keepdims=True)
    return dx * rstd, dg


def gelu_bwd(dact, u):
    t = np.tanh(C * (u + 0.044715 * u**3))
    dinner = C * (1 + 3 * 0.044715 * u**2)
    return dact * (0.5 * (1 + t) + 0.5 * u * (1 - t**2) * dinner)


def block_bwd(dout, cache):
    ln1, ln2, a, q, k, v, p, o, m, u, act, Wqkv, Wo, Wup, Wdown = cache
    d = q.shape[1]

    # MLP
    dWdown = act.T @ dout
    du = gelu_bwd(dout @ Wdown.T, u)
    dWup = m.T @ du
    dm = du @ Wup.T
    dr, dg2 = layer_norm_bwd(dm, ln2)
    dr = dr + dout  # residual

    # attention
    dWo = o.T @ dr
    do = dr @ Wo.T
    dv = p.T @ do
    dp = do @ v.T
    ds = p * (dp - (dp * p).sum(1, keepdims=True)) / np.sqrt(d)
    dq = ds @ k
    dk = ds.T @ q
    dqkv = np.concatenate([dq, dk, dv], axis=1)
    dWqkv = a.T @ dqkv
    da = dqkv @ Wqkv.T
    dx, dg1 = layer_norm_bwd(da, ln1)
    dx = dx + dr  # residual
    return dict(x=dx, g1=dg1, Wqkv=dWqkv, Wo=dWo, g2=dg2, Wup=dWup, Wdown=dWdown)
