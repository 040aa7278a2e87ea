"""Noise predictor of a small diffusion model: sinusoidal time embedding, FiLM conditioning, two residual blocks."""

import numpy as np


def silu(v):
    return v / (1 + np.exp(-v))


def time_features(t, dim):
    f = np.exp(-np.arange(dim // 2) * 1.5)
    ang = t[:, None] * f[None, :]
    return np.concatenate([np.sin(ang), np.cos(ang)], axis=1)


def denoise_loss(x0, noise, t, Win, Wt, F1, A1, F2, A2, Wout):
    """x0, noise (N, D); t (N,) whole numbers; Wt (E, E); F (E, 2H); A (H, H)"""
    N = len(x0)
    abar = np.cos(t / 12.0)[:, None] ** 2
    xt = np.sqrt(abar) * x0 + np.sqrt(1 - abar) * noise
    emb = time_features(t, Wt.shape[0])
    pre_t = emb @ Wt
    te = silu(pre_t)
    h0 = xt @ Win
    s1, c1 = np.split(te @ F1, 2, axis=1)
    m1 = h0 * (1 + s1) + c1
    h1 = h0 + silu(m1) @ A1
    s2, c2 = np.split(te @ F2, 2, axis=1)
    m2 = h1 * (1 + s2) + c2
    h2 = h1 + silu(m2) @ A2
    pred = h2 @ Wout
    loss = np.mean((pred - noise) ** 2)
    return loss, (abar, xt, emb, pre_t, te, h0, s1, m1, h1, s2, m2, h2, pred, noise, Win, Wt, F1, A1, F2, A2, Wout)


def silu_prime(v):
    sg = 1 / (1 + np.exp(-v))
    return sg + v * sg * (1 - sg)


def denoise_grad(cache):
    abar, xt, emb, pre_t, te, h0, s1, m1, h1, s2, m2, h2, pred, noise, Win, Wt, F1, A1, F2, A2, Wout = cache
    dpred = 2 * (pred - noise) / pred.size
    gWout = h2.T @ dpred
    dh2 = dpred @ Wout.T

    # block 2
    gA2 = silu(m2).T @ dh2
    dm2 = (dh2 @ A2.T) * silu_prime(m2)
    ds2 = dm2 * h1
    dc2 = dm2
    dfilm2 = np.concatenate([ds2, dc2], axis=1)
    gF2 = te.T @ dfilm2
    dte = dfilm2 @ F2.T
    dh1 = dh2 + dm2 * (1 + s2)

    # block 1
    gA1 = silu(m1).T @ dh1
    dm1 = (dh1 @ A1.T) * silu_prime(m1)
    ds1 = dm1 * h0
    dc1 = dm1
    dfilm1 = np.concatenate([ds1, dc1], axis=1)
    gF1 = te.T @ dfilm1
    dte += dfilm1 @ F1.T
    dh0 = dh1 + dm1 * (1 + s1)

    # input and time
    gWin = xt.T @ dh0
    dxt = dh0 @ Win.T
    gWt = emb.T @ (dte * silu_prime(pre_t))
    gx0 = np.sqrt(abar) * dxt
    gnoise = np.sqrt(1 - abar) * dxt - dpred
    return gx0, gnoise, None, gWin, gWt, gF1, gA1, gF2, gA2, gWout
