"""Two affine coupling layers with tanh-limited scales; negative log likelihood under a standard normal."""

import numpy as np


def flow_nll(x, S1, T1, S2, T2):
    """x (N, 2k); the first layer changes the second half, the second layer the first half."""
    N, k = x.shape[0], x.shape[1] // 2
    xa, xb = x[:, :k], x[:, k:]
    s1 = np.tanh(xa @ S1)
    yb = xb * np.exp(s1) + xa @ T1
    s2 = np.tanh(yb @ S2)
    ya = xa * np.exp(s2) + yb @ T2
    logdet = s1.sum() + s2.sum()
    nll = (0.5 * (np.sum(ya**2) + np.sum(yb**2)) - logdet) / N
    return nll, (xa, xb, s1, yb, s2, ya, S1, T1, S2, T2)


def flow_nll_backward(cache):
    xa, xb, s1, yb, s2, ya, S1, T1, S2, T2 = cache
    N = xa.shape[0]

    # base density
    d_ya = ya / N
    d_yb = yb / N

    # layer 2: ya = xa * exp(s2) + yb @ T2
    d_xa = d_ya * np.exp(s2)
    d_s2 = d_ya * xa * np.exp(s2) - 1 / N
    d_T2 = yb.T @ d_ya
    d_yb = d_yb + d_ya @ T2.T
    d_pre2 = d_s2 * (1 - s2**2)
    d_S2 = yb.T @ d_pre2
    d_yb = d_yb + d_pre2 @ S2.T

    # layer 1: yb = xb * exp(s1) + xa @ T1
    d_xb = d_yb * np.exp(s1)
    d_s1 = d_yb * xb * np.exp(s1) - 1 / N
    d_T1 = xa.T @ d_yb
    d_xa = d_xa + d_yb @ T1.T
    d_pre1 = d_s1 * (1 - s1**2)
    d_S1 = xa.T @ d_pre1
    d_xa = d_xa + d_pre1 @ S1.T

    d_x = np.concatenate([d_xa, d_xb], axis=1)
    return d_x, d_S1, d_T1, d_S2, d_T2
