"""CLIP-style symmetric contrastive loss with learned temperature."""

import numpy as np


def normalise(v):
    n = np.linalg.norm(v, axis=1, keepdims=True)
    return v / n, n


def softmax(s, axis):
    e = np.exp(s - s.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def clip_loss(images, texts, log_scale):
    u, nu = normalise(images)
    v, nv = normalise(texts)
    sim = u @ v.T
    logits = np.exp(log_scale) * sim
    rows, cols = softmax(logits, 1), softmax(logits, 0)
    idx = np.arange(len(u))
    loss = -0.5 * (np.log(rows[idx, idx]).mean() + np.log(cols[idx, idx]).mean())
    return loss, (u, nu, v, nv, sim, rows, cols, log_scale)


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
