"""Slips that people make in networks of their own, each found on two draws; beside it the right function."""

import ast

import numpy as np
import pytest

from handgrad.mend.search import Objection
from tests.handgrad.mend.own_draws import after, make_draw, search

pytestmark = pytest.mark.mends


def gated(xs, h, U):
    hs, us, rs = {-1: h}, {}, {}
    for t in range(len(xs)):
        us[t] = hs[t - 1] @ U
        rs[t] = 1 / (1 + np.exp(-xs[t]))
        hs[t] = np.tanh(rs[t] * us[t])
    return hs[len(xs) - 1], (xs, hs, us, rs, U)


def gated_backward(dh, cache):
    xs, hs, us, rs, U = cache
    dxs, dU = np.zeros_like(xs), np.zeros_like(U)
    for t in reversed(range(len(xs))):
        dz = dh * (1 - hs[t] ** 2)
        dxs[t] = dz * us[t] * rs[t] * (1 - rs[t])
        dU += np.outer(hs[t - 1], dz * rs[t])
        dh = dz * rs[t] @ U.T
    return dxs, dh, dU


def gated_of_another_array(dh, cache):
    xs, hs, us, rs, U = cache  # noqa: RUF059
    dxs, dU = np.zeros_like(xs), np.zeros_like(U)
    for t in reversed(range(len(xs))):
        dz = dh * (1 - hs[t] ** 2)
        dxs[t] = dz * hs[t - 1] * rs[t] * (1 - rs[t])
        dU += np.outer(hs[t - 1], dz * rs[t])
        dh = dz * rs[t] @ U.T
    return dxs, dh, dU


def shared(p, w):
    tot = p.sum(axis=1, keepdims=True)
    g = p / tot
    return g @ w, (g, tot, w)


def shared_backward(dy, cache):
    g, tot, w = cache
    dg = dy @ w.T
    return (dg - (dg * g).sum(axis=1, keepdims=True)) / tot, g.T @ dy


def shared_of_a_constant_sum(dy, cache):
    g, tot, w = cache
    dg = dy @ w.T
    return dg / tot, g.T @ dy


def test_the_path_through_the_sum_that_shares_are_made_by():
    draws = [make_draw(shared, shared_backward, {"p": (4, 3), "w": (3, 2)}, seed) for seed in (0, 1)]
    assert "* g).sum(axis=-1, keepdims=True)" in after(shared, shared_of_a_constant_sum, draws)


def correlate(x, w, stride=2):
    k = len(w)
    y = np.zeros((len(x) - k) // stride + 1)
    for i in range(len(y)):
        y[i] = x[i * stride : i * stride + k] @ w
    return y, (x, w, stride)


def correlate_backward(dy, cache):
    x, w, stride = cache
    dx, dw, k = np.zeros_like(x), np.zeros_like(w), len(w)
    for i in range(len(dy)):
        dw += dy[i] * x[i * stride : i * stride + k]
        dx[i * stride : i * stride + k] += dy[i] * w
    return dx, dw


def correlate_without_stride(dy, cache):
    x, w, stride = cache
    dx, dw, k = np.zeros_like(x), np.zeros_like(w), len(w)
    for i in range(len(dy)):
        dw += dy[i] * x[i * stride : i * stride + k]
        dx[i : i + k] += dy[i] * w
    return dx, dw


def similar(z):
    s = z @ z.T
    return np.sum(np.tanh(s) * np.arange(len(z))[:, None]), (z, s)


def similar_backward(dy, cache):
    z, s = cache
    ds = dy * (1 - np.tanh(s) ** 2) * np.arange(len(z))[:, None]
    return (ds + ds.T) @ z


def similar_one_side(dy, cache):
    z, s = cache
    ds = dy * (1 - np.tanh(s) ** 2) * np.arange(len(z))[:, None]
    return 2 * ds @ z


def lse(a, axis):
    return np.log(np.exp(a).sum(axis=axis))


def chain(e, w):
    a = [e[0]]
    for t in range(1, len(e)):
        a.append(e[t] + lse(a[-1][:, None] + w, 0))
    return lse(a[-1], 0), (e, w, np.array(a))


def chain_backward(dy, cache):
    e, w, a = cache
    total, b = lse(a[-1], 0), np.zeros_like(e)
    for t in range(len(e) - 2, -1, -1):
        b[t] = lse(w + e[t + 1] + b[t + 1], axis=1)
    dw = np.exp(a[:-1, :, None] + w + (e + b)[1:, None, :] - total).sum(axis=0)
    return dy * np.exp(a + b - total), dy * dw


def chain_outside(dy, cache):
    e, w, a = cache
    total, b = lse(a[-1], 0), np.zeros_like(e)
    for t in range(len(e) - 2, -1, -1):
        b[t] = e[t] + lse(w + b[t + 1], axis=1)
    dw = np.exp(a[:-1, :, None] + w + (e + b)[1:, None, :] - total).sum(axis=0)
    return dy * np.exp(a + b - total), dy * dw


def norm(x, groups=3):
    C, L = x.shape
    xg = x.reshape(groups, C // groups, L)
    xc = xg - xg.mean(axis=(1, 2), keepdims=True)
    inv = 1 / np.sqrt((xc**2).mean(axis=(1, 2), keepdims=True) + 1e-5)
    return (xc * inv).reshape(C, L), (xc * inv, inv, groups)


def norm_backward(dy, cache):
    xhat, inv, groups = cache
    C, L = dy.shape
    g = dy.reshape(groups, C // groups, L)
    m = L * (C // groups)
    s1, s2 = (v.sum(axis=(1, 2), keepdims=True) for v in (g, g * xhat))
    return (inv / m * (m * g - s1 - xhat * s2)).reshape(C, L)


def norm_without_channels(dy, cache):
    xhat, inv, groups = cache
    C, L = dy.shape
    g = dy.reshape(groups, C // groups, L)
    m = L
    s1, s2 = (v.sum(axis=(1, 2), keepdims=True) for v in (g, g * xhat))
    return (inv / m * (m * g - s1 - xhat * s2)).reshape(C, L)


GATED = [{"xs": (2, 2), "h": (2,), "U": (2, 2)}, {"xs": (3, 1), "h": (1,), "U": (1, 1)}]
CASES = [
    (gated, gated_backward, gated_of_another_array, GATED, "us[t]"),
    (correlate, correlate_backward, correlate_without_stride, [{"x": (7,), "w": (3,)}, {"x": (9,), "w": (2,)}],
     "i * stride:i * stride + k"),
    (similar, similar_backward, similar_one_side, [{"z": (3, 2)}, {"z": (4, 2)}], "ds + ds.T"),
    (chain, chain_backward, chain_outside, [{"e": (3, 2), "w": (2, 2)}, {"e": (4, 3), "w": (3, 3)}],
     "lse(w + b[t + 1] + e[t + 1], axis=1)"),
    (norm, norm_backward, norm_without_channels, [{"x": (6, 2)}, {"x": (9, 4)}], "L * (C // groups)"),
]  # fmt: skip


@pytest.mark.parametrize(("forward", "right", "wrong", "shapes", "change"), CASES)
def test_what_people_do_wrong_is_made_right(forward, right, wrong, shapes, change):
    draws = [make_draw(forward, right, own, seed) for seed, own in enumerate(shapes)]
    assert change in after(forward, wrong, draws)


def test_a_line_is_known_where_the_judge_finds_more_that_is_wrong():
    draws = [make_draw(similar, similar_backward, {"z": (n, 2)}, n) for n in (3, 4)]
    found = search(similar, similar_one_side, draws, lambda trees: Objection("dz at large inputs"))
    assert found.edits is None
    assert found.refused is not None
    assert found.refused.objection.words == "dz at large inputs"
    assert ast.unparse(found.suspect[1]) == "return 2 * ds @ z"
