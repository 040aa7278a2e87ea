"""A one-block GPT for a single sequence: everything in one forward and one backward function."""

import numpy as np

H = 2
EPS = 1e-3


def gpt_loss(wte, wpe, g1, Wq, Wk, Wv, Wp, g2, Wf, Wo, gf, tokens, targets):
    """The output layer is tied to wte. tokens, targets (T,)"""
    T, d = len(tokens), wte.shape[1]
    hs = d // H
    x0 = wte[tokens] + wpe[:T]

    r1 = 1 / np.sqrt((x0**2).mean(1, keepdims=True) + EPS)
    n1 = x0 * r1
    a = n1 * g1
    Q, K, V = a @ Wq, a @ Wk, a @ Wv
    P = np.zeros((H, T, T))
    ctx = np.zeros((T, d))
    for h in range(H):
        sl = slice(h * hs, (h + 1) * hs)
        for t in range(T):
            s = Q[t, sl] @ K[: t + 1, sl].T / np.sqrt(hs)
            e = np.exp(s - s.max())
            P[h, t, : t + 1] = e / e.sum()
            ctx[t, sl] = P[h, t, : t + 1] @ V[: t + 1, sl]
    x1 = x0 + ctx @ Wp

    r2 = 1 / np.sqrt((x1**2).mean(1, keepdims=True) + EPS)
    n2 = x1 * r2
    m = n2 * g2
    u = m @ Wf
    f = np.maximum(u, 0) ** 2
    x2 = x1 + f @ Wo

    r3 = 1 / np.sqrt((x2**2).mean(1, keepdims=True) + EPS)
    n3 = x2 * r3
    y = n3 * gf
    z = y @ wte.T
    z = z - z.max(1, keepdims=True)
    logp = z - np.log(np.exp(z).sum(1, keepdims=True))
    prob = np.exp(logp)
    loss = -logp[np.arange(T), targets].mean()
    weights = (wte, wpe, g1, Wq, Wk, Wv, Wp, g2, Wf, Wo, gf)
    acts = (r1, n1, a, Q, K, V, P, ctx, r2, n2, m, u, f, r3, n3, y, prob)
    return loss, (weights, acts, tokens, targets)


def gpt_backward(cache):
    (wte, wpe, g1, Wq, Wk, Wv, Wp, g2, Wf, Wo, gf), acts, tokens, targets = cache
    r1, n1, a, Q, K, V, P, ctx, r2, n2, m, u, f, r3, n3, y, prob = acts
    T, d = ctx.shape
    hs = d // H
    g = {}

    # cross entropy and tied output layer
    dz = prob.copy()
    dz[np.arange(T), targets] -= 1
    dz /= T
    g["wte"] = dz.T @ y
    dy = dz @ wte

    # final norm
    g["gf"] = (dy * n3).sum(0)
    dn3 = dy * gf
    dx2 = r3 * (dn3 - n3 * (dn3 * n3).mean(1, keepdims=True))

    # feed-forward: squared relu
    g["Wo"] = f.T @ dx2
    df = dx2 @ Wo.T
    du = df * 2 * np.maximum(u, 0)
    g["Wf"] = m.T @ du
    dm = du @ Wf.T
    g["g2"] = (dm * n2).sum(0)
    dn2 = dm * g2
    dx1 = r2 * (dn2 - n2 * (dn2 * n2).mean(1, keepdims=True))
    dx1 += dx2

    # attention
    g["Wp"] = ctx.T @ dx1
    dctx = dx1 @ Wp.T
    dQ, dK, dV = np.zeros_like(Q), np.zeros_like(K), np.zeros_like(V)
    for h in range(H):
        sl = slice(h * hs, (h + 1) * hs)
        for t in range(T):
            p = P[h, t, : t + 1]
            dp = V[: t + 1, sl] @ dctx[t, sl]
            dV[: t + 1, sl] += np.outer(p, dctx[t, sl])
            ds = p * (dp - p @ dp) / np.sqrt(hs)
            dQ[t, sl] = ds @ K[: t + 1, sl]
            dK[: t + 1, sl] += np.outer(ds, Q[t, sl])
    g["Wq"] = a.T @ dQ
    g["Wk"] = a.T @ dK
    g["Wv"] = a.T @ dV
    da = dQ @ Wq.T + dK @ Wk.T + dV @ Wv.T

    # first norm
    g["g1"] = (da * n1).sum(0)
    dn1 = da * g1
    dx0 = r1 * (dn1 - n1 * (dn1 * n1).mean(1, keepdims=True))
    dx0 += dx1

    # embeddings
    for t in range(T):
        g["wte"][tokens[t]] += dx0[t]
    g["wpe"] = np.zeros_like(wpe)
    g["wpe"][:T] = dx0
    return g
