"""Residual block on (N, C, T): conv3, bn, relu, conv3, bn, projection shortcut, relu; then pooling and a classifier."""

import numpy as np


def conv3(x, w):
    T = x.shape[2]
    xp = np.pad(x, ((0, 0), (0, 0), (1, 1)))
    return sum(np.einsum("nct,fc->nft", xp[:, :, k : k + T], w[:, :, k]) for k in range(3))


def bn(x, gamma, beta):
    mu = x.mean(axis=(0, 2), keepdims=True)
    istd = 1 / np.sqrt(x.var(axis=(0, 2), keepdims=True) + 1e-3)
    xh = (x - mu) * istd
    return gamma[:, None] * xh + beta[:, None], (xh, istd, gamma)


def resnet(x, w1, g1, b1, w2, g2, b2, wskip, Wc, bc, labels):
    u1 = conv3(x, w1)
    v1, bn1 = bn(u1, g1, b1)
    r1 = np.maximum(v1, 0)
    v2, bn2 = bn(conv3(r1, w2), g2, b2)
    skip = np.einsum("nct,fc->nft", x, wskip)
    total = v2 + skip
    out = np.maximum(total, 0)
    feat = out.mean(axis=2)
    scores = feat @ Wc + bc
    scores = scores - scores.max(1, keepdims=True)
    logp = scores - np.log(np.exp(scores).sum(1, keepdims=True))
    p = np.exp(logp)
    loss = -logp[np.arange(len(labels)), labels].mean()
    return loss, (x, w1, w2, wskip, Wc, bn1, v1, r1, bn2, total, feat, p, labels)


def conv3_grads(dout, x, w):
    T = x.shape[2]
    xp = np.pad(x, ((0, 0), (0, 0), (1, 1)))
    dxp = np.zeros_like(xp)
    dw = np.zeros_like(w)
    for k in range(3):
        dw[:, :, k] = np.einsum("nft,nct->fc", dout, xp[:, :, k : k + T])
        dxp[:, :, k : k + T] += np.einsum("nft,fc->nct", dout, w[:, :, k])
    return dxp[:, :, 1:-1], dw


def bn_grads(dy, saved):
    xh, istd, gamma = saved
    m = dy.shape[0] * dy.shape[2]
    dgamma = np.sum(dy * xh, axis=(0, 2))
    dbeta = np.sum(dy, axis=(0, 2))
    dxh = dy * gamma[:, None]
    mean1 = dxh.sum(axis=(0, 2), keepdims=True) / m
    mean2 = (dxh * xh).sum(axis=(0, 2), keepdims=True) / m
    return istd * (dxh - mean1 - xh * mean2), dgamma, dbeta


def resnet_grads(cache):
    x, w1, w2, wskip, Wc, bn1, v1, r1, bn2, total, feat, p, labels = cache
    N, T = x.shape[0], x.shape[2]
    # classifier
    ds = p.copy()
    ds[np.arange(N), labels] -= 1
    ds /= N
    dWc = feat.T @ ds
    dbc = ds.sum(0)
    dfeat = ds @ Wc.T
    # pooling, last relu
    dout = np.repeat(dfeat[:, :, None], T, axis=2) / T
    dtotal = dout * (total > 0)
    # main branch
    du2, dg2, db2 = bn_grads(dtotal, bn2)
    dr1, dw2 = conv3_grads(du2, r1, w2)
    dv1 = dr1 * (v1 > 0)
    du1, dg1, db1 = bn_grads(dv1, bn1)
    dx, dw1 = conv3_grads(du1, x, w1)
    # shortcut
    dwskip = np.einsum("nft,nct->fc", dtotal, x)
    dx = dx + np.einsum("nft,fc->nct", dtotal, wskip)
    return dx, dw1, dg1, db1, dw2, dg2, db2, dwskip, dWc, dbc, None
