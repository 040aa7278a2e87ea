"""MLP-Mixer block for (N, S, C): token mixing, then channel mixing, layer norm before each, tanh units, skip paths."""

import numpy as np


def norm(x, g, b):
    mu = x.mean(-1, keepdims=True)
    sd = np.sqrt(((x - mu) ** 2).mean(-1, keepdims=True) + 1e-3)
    return g * (x - mu) / sd + b, (x - mu) / sd, sd


def mixer(x, g1, b1, Wt1, Wt2, g2, b2, Wc1, Wc2):
    n1, xh1, sd1 = norm(x, g1, b1)
    tok = np.swapaxes(n1, 1, 2)
    ht = np.tanh(tok @ Wt1)
    x1 = x + np.swapaxes(ht @ Wt2, 1, 2)
    n2, xh2, sd2 = norm(x1, g2, b2)
    hc = np.tanh(n2 @ Wc1)
    y = x1 + hc @ Wc2
    return y, (g1, Wt1, Wt2, g2, Wc1, Wc2, xh1, sd1, tok, ht, xh2, sd2, n2, hc)


def mixer_backward(dy, cache):
    g1, Wt1, Wt2, g2, Wc1, Wc2, xh1, sd1, tok, ht, xh2, sd2, n2, hc = cache
    N, S, C = dy.shape

    # channel mixing
    dWc2 = np.einsum("nsh,nsc->hc", hc, dy)
    dhc = dy @ Wc2.T
    dac = dhc * (1 - hc**2)
    dWc1 = np.einsum("nsc,nsh->ch", n2, dac)
    dn2 = dac @ Wc1.T
    dg2 = np.sum(dn2 * xh2, axis=(0, 1))
    db2 = np.sum(dn2, axis=(0, 1))
    dxh2 = dn2 * g2
    dx1 = dxh2 - dxh2.sum(-1, keepdims=True) / C - xh2 * (dxh2 * xh2).sum(-1, keepdims=True) / C
    dx1 = dx1 / sd2
    dx1 = dx1 + dy

    # token mixing
    dtok_out = np.swapaxes(dx1, 1, 2)
    dWt2 = np.einsum("nch,ncs->hs", ht, dtok_out)
    dht = dtok_out @ Wt2.T
    dat = dht * (1 - ht**2)
    dWt1 = np.einsum("ncs,nch->sh", tok, dat)
    dtok = dat @ Wt1.T
    dn1 = np.swapaxes(dtok, 1, 2)
    dg1 = np.sum(dn1 * xh1, axis=(0, 1))
    db1 = np.sum(dn1, axis=(0, 1))
    dxh1 = dn1 * g1
    dx = dxh1 - dxh1.sum(-1, keepdims=True) / C - xh1 * (dxh1 * xh1).sum(-1, keepdims=True) / C
    dx = dx / sd1
    dx = dx + dx1

    return dx, dg1, db1, dWt1, dWt2, dg2, db2, dWc1, dWc2
