"""Bigger modules with state in self."""

import numpy as np


class PeepholeLSTM:
    """One step with peephole connections: the gates also see the cell."""

    def __init__(self, W, pi, pf, po):
        self.W, self.pi, self.pf, self.po = W, pi, pf, po

    def forward(self, x, h, c):
        self.hx = np.concatenate([x, h], axis=1)
        self.c = c
        H = c.shape[1]
        a = self.hx @ self.W
        self.i = 1 / (1 + np.exp(-(a[:, :H] + self.pi * c)))
        self.f = 1 / (1 + np.exp(-(a[:, H : 2 * H] + self.pf * c)))
        self.g = np.tanh(a[:, 2 * H : 3 * H])
        self.c_new = self.f * c + self.i * self.g
        self.o = 1 / (1 + np.exp(-(a[:, 3 * H :] + self.po * self.c_new)))
        self.tc = np.tanh(self.c_new)
        return self.o * self.tc

    def backward(self, dh_new):
        D = self.hx.shape[1] - self.c.shape[1]
        # output gate
        do = dh_new * self.tc
        ao = do * self.o * (1 - self.o)
        self.dpo = (ao * self.c_new).sum(0)
        # cell
        dc_new = dh_new * self.o * (1 - self.tc**2) + ao * self.po
        dg = dc_new * self.i
        di = dc_new * self.g
        df = dc_new * self.c
        ag = dg * (1 - self.g**2)
        ai = di * self.i * (1 - self.i)
        af = df * self.f * (1 - self.f)
        self.dpi = (ai * self.c).sum(0)
        self.dpf = (af * self.c).sum(0)
        dc = dc_new * self.f + ai * self.pi + af * self.pf
        # weights
        da = np.concatenate([ai, af, ag, ao], axis=1)
        self.dW = self.hx.T @ da
        dhx = da @ self.W.T
        return dhx[:, :D], dhx[:, D:], dc


class SelfAttention:
    """Single-head self-attention for a batch, with additive bias on the scores."""

    def __init__(self, Wq, Wk, Wv, bias):
        self.Wq, self.Wk, self.Wv, self.bias = Wq, Wk, Wv, bias

    def forward(self, x):
        self.x = x
        self.q, self.k, self.v = x @ self.Wq, x @ self.Wk, x @ self.Wv
        self.scale = self.q.shape[-1] ** -0.5
        s = np.einsum("bid,bjd->bij", self.q, self.k) * self.scale + self.bias
        e = np.exp(s - s.max(-1, keepdims=True))
        self.p = e / e.sum(-1, keepdims=True)
        return np.einsum("bij,bjd->bid", self.p, self.v)

    def backward(self, dy):
        dp = np.einsum("bid,bjd->bij", dy, self.v)
        dv = np.einsum("bij,bid->bjd", self.p, dy)
        ds = self.p * (dp - (dp * self.p).sum(-1, keepdims=True))
        self.dbias = ds.sum(axis=0)
        dq = np.einsum("bij,bjd->bid", ds, self.k) * self.scale
        dk = np.einsum("bij,bid->bjd", ds, self.q) * self.scale
        self.dWq = np.einsum("bid,bie->de", self.x, dq)
        self.dWk = np.einsum("bid,bie->de", self.x, dk)
        self.dWv = np.einsum("bid,bie->de", self.x, dv)
        return dq @ self.Wq.T + dk @ self.Wk.T + dv @ self.Wv.T


class TwoLayerNet:
    """affine - relu - dropout - affine with softmax loss and weight decay; parameters in a dict."""

    def __init__(self, params, keep_mask, reg=0.2):
        self.params = params
        self.keep_mask = keep_mask
        self.reg = reg

    def loss(self, X, y):
        p = self.params
        self.X, self.y = X, y
        self.h = np.maximum(0, X @ p["W1"] + p["b1"])
        self.d = self.h * self.keep_mask / 0.5
        s = self.d @ p["W2"] + p["b2"]
        s = s - s.max(axis=1, keepdims=True)
        logp = s - np.log(np.exp(s).sum(axis=1, keepdims=True))
        self.prob = np.exp(logp)
        data = -logp[np.arange(len(y)), y].mean()
        return data + 0.5 * self.reg * sum(np.sum(p[n] ** 2) for n in ("W1", "W2"))

    def gradients(self):
        p = self.params
        n = len(self.y)
        ds = self.prob.copy()
        ds[np.arange(n), self.y] -= 1
        ds /= n
        g = {}
        g["W2"] = self.d.T @ ds + self.reg * p["W2"]
        g["b2"] = ds.sum(axis=0)
        dd = ds @ p["W2"].T
        dh = dd * self.keep_mask / 0.5
        dh[self.h <= 0] = 0
        g["W1"] = self.X.T @ dh + self.reg * p["W1"]
        g["b1"] = dh.sum(axis=0)
        g["X"] = dh @ p["W1"].T
        return g
