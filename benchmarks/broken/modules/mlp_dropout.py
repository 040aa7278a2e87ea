"""Regression MLP with inverted dropout. The masks come from outside so that a run can be repeated."""

import numpy as np

KEEP = 0.8
SLOPE = 0.2


def leaky(z):
    return np.where(z > 0, z, SLOPE * z)


def forward(x, w1, b1, w2, b2, w3, b3, mask1, mask2):
    a1 = leaky(x.dot(w1) + b1)
    d1 = a1 * mask1 / KEEP
    a2 = leaky(d1.dot(w2) + b2)
    d2 = a2 * mask2 / KEEP
    out = d2.dot(w3) + b3
    cache = dict(x=x, w1=w1, w2=w2, w3=w3, a1=a1, d1=d1, a2=a2, d2=d2, mask1=mask1, mask2=mask2)
    return out, cache


def leaky_grad(a):
    # a has the sign of z
    g = np.ones_like(a)
    g[a <= 0] = SLOPE
    return g


def dense_grad(delta, inp, w):
    gw = inp.T.dot(delta)
    gb = delta.sum(axis=0)
    ginp = delta.dot(w.T)
    return ginp, gw, gb


def backward(dout, cache):
    x, w1, w2, w3 = cache["x"], cache["w1"], cache["w2"], cache["w3"]
    a1, d1, a2, d2 = cache["a1"], cache["d1"], cache["a2"], cache["d2"]

    gd2, gw3, gb3 = dense_grad(dout, d2, w3)
    ga2 = gd2 * cache["mask2"] / KEEP
    delta2 = ga2 * leaky_grad(a2)

    gd1, gw2, gb2 = dense_grad(delta2, d1, w2)
    ga1 = gd1 * cache["mask1"] / KEEP
    delta1 = ga1 * leaky_grad(a1)

    gx, gw1, gb1 = dense_grad(delta1, x, w1)
    return gx, gw1, gb1, gw2, gb2, gw3, gb3, None, None
