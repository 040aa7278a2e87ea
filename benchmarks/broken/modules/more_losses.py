import numpy as np


def dice_loss(p, g):
    """Soft dice of each image, averaged; g holds whole numbers 0 and 1."""
    inter = (p * g).sum(axis=1)
    union = p.sum(axis=1) + g.sum(axis=1) + 1.0
    return np.mean(1 - (2 * inter + 1.0) / union)


def dice_loss_backward(p, g):
    n = p.shape[0]
    inter = (p * g).sum(axis=1, keepdims=True)
    union = p.sum(axis=1, keepdims=True) + g.sum(axis=1, keepdims=True) + 1.0
    dp = -(2 * g * union - (2 * inter + 1.0)) / union**2
    return dp / n, None


def pinball(pred, target, tau=0.8):
    e = target - pred
    return np.mean(np.maximum(tau * e, (tau - 1) * e)), (e, tau)


def pinball_backward(cache):
    e, tau = cache
    de = np.where(e > 0, tau, tau - 1) / e.size
    return -de, de


def gaussian_nll(mu, log_sigma, y):
    inv = np.exp(-log_sigma)
    r = (y - mu) * inv
    return np.sum(0.5 * r**2 + log_sigma, axis=-1), (r, inv)


def gaussian_nll_backward(dl, cache):
    r, inv = cache
    dl = dl[:, None]
    dmu = -dl * r * inv
    dlog_sigma = dl * (1 - r**2)
    dy = dl * r * inv
    return dmu, dlog_sigma, dy


def contrastive(a, b, same, margin=2.5):
    """same: 1 for pairs of one class, else 0 (whole numbers)."""
    diff = a - b
    dist = np.sqrt((diff**2).sum(1))
    gap = np.maximum(margin - dist, 0)
    loss = 0.5 * np.mean(same * dist**2 + (1 - same) * gap**2)
    return loss, (diff, dist, gap, same)


def contrastive_backward(cache):
    diff, dist, gap, same = cache
    N = len(dist)
    ddist = (same * dist - (1 - same) * gap) / N
    da = (ddist / dist)[:, None] * diff
    return {"a": da, "b": -da}


def jensen_shannon(p, q):
    m = 0.5 * (p + q)
    return 0.5 * np.sum(p * np.log(p / m)) + 0.5 * np.sum(q * np.log(q / m))


def jensen_shannon_backward(grad, p, q):
    m = 0.5 * (p + q)
    # the terms from m cancel against the +1 of x log x
    gp = 0.5 * np.log(p / m)
    gq = 0.5 * np.log(q / m)
    return grad * gp, grad * gq


def margin_ranking(s1, s2, order):
    return np.maximum(0, 0.5 - order * (s1 - s2)).sum()


def margin_ranking_backward(up, s1, s2, order):
    active = (0.5 - order * (s1 - s2)) > 0
    gs1 = -up * order * active
    gs2 = up * order * active
    return gs1, gs2, None
