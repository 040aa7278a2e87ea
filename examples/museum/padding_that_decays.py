"""Padded steps of a reverse scan should change nothing, and decay the gradient instead."""

import numpy as np
import torch

report = "https://github.com/state-spaces/mamba/issues/368"
what = "Padding is zero before softplus and log 2 after it, so padded steps multiply the gradient by 1/2, not by 1."
why_unseen = "The tests' lengths were multiples of 128, which need no padding."

BLOCK = 4  # the kernel works on whole blocks of steps


def forward(x, u):
    # x, u (T, D): h[t] = a[t] h[t-1] + x[t] with a = exp(-softplus(u)); y is the last h
    a = np.exp(-np.log1p(np.exp(u)))
    h = [np.zeros_like(x[0])]
    for a_t, x_t in zip(a, x, strict=True):
        h.append(a_t * h[-1] + x_t)
    return h[-1], (u, a, h)


def wrong(dy, cache):
    u, a, h = cache
    padding = np.zeros((-len(u) % BLOCK, u.shape[1]))
    for a_t in np.exp(-np.log1p(np.exp(padding))):
        dy = a_t * dy
    return scan_back(dy, u, a, h)


def right(dy, cache):
    # forward: padded steps leave h as it is
    # so:      they leave dh as it is: a = 1 there
    return scan_back(dy, *cache)


def scan_back(dh, u, a, h):
    # forward: h[t] = a[t] h[t-1] + x[t], a = 1 / (1 + e^u)
    # so:      dx[t] = dh[t], du[t] = -dh[t] h[t-1] a (1 - a), dh[t-1] = a[t] dh[t]
    dx, du = np.zeros_like(u), np.zeros_like(u)
    for t in reversed(range(len(u))):
        dx[t], du[t] = dh, -dh * h[t] * a[t] * (1 - a[t])
        dh = a[t] * dh
    return dx, du


def reference(x, u):
    later = torch.cat([torch.sigmoid(-u[1:]), torch.ones_like(u[:1])])
    return (x * later.flip(0).cumprod(0).flip(0)).sum(0)  # x[t] times every a after t


inputs = [(4, 2), (4, 2)]
smallest = [np.ones((3, 1)), np.zeros((3, 1))], np.ones(1)


def own_test(compare):
    """Whole blocks; rtol 6e-4, atol 2e-3."""
    return all(torch.allclose(g, e, 6e-4, 2e-3) for g, e in compare())
