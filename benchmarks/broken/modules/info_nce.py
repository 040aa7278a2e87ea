"""CLIP-style symmetric contrastive loss with learned temperature."""

import numpy as np


def normalise(v):
    n = np.linalg.norm(v, axis=1, keepdims=True)
    return v / n, n


def log_softmax(s, axis):
    s = s - s.max(axis=axis, keepdims=True)
    return s - np.log(np.exp(s).sum(axis=axis, keepdims=True))


def clip_loss(images, texts, log_scale):
    u, nu = normalise(images)
    v, nv = normalise(texts)
    sim = u @ v.T
    logits = np.exp(log_scale) * sim
    rows, cols = log_softmax(logits, 1), log_softmax(logits, 0)
    idx = np.arange(len(u))
    loss = -0.5 * (rows[idx, idx].mean() + cols[idx, idx].mean())
    return loss, (u, nu, v, nv, sim, np.exp(rows), np.exp(cols), log_scale)


def normalise_grad(du, u, n):
    return (du - u * np.sum(du * u, axis=1, keepdims=True)) / n


def clip_loss_grad(cache):
    u, nu, v, nv, sim, rows, cols, log_scale = cache
    n = len(u)
    scale = np.exp(log_scale)
    eye = np.eye(n)
    dlogits = 0.5 * ((rows - eye) + (cols - eye)) / n
    dlog_scale = np.sum(dlogits * sim) * scale
    dsim = dlogits * scale
    du = dsim @ v
    dv = dsim.T @ u
    return normalise_grad(du, u, nu), normalise_grad(dv, v, nv), dlog_scale
