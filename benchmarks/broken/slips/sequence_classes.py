"""Bigger classes with state in self."""

import torch
import torch.nn.functional as F

from ..draws import dropout, labels
from ..made_anew import with_parameters
from ..table import enter


def make_peephole(module):
    cells = []

    def forward(x, h, c, W, pi, pf, po):
        cells[:] = [module.PeepholeLSTM(W, pi, pf, po)]
        return cells[0].forward(x, h, c)

    def backward(dy):
        cell = cells[0]
        return (*cell.backward(dy), cell.dW, cell.dpi, cell.dpf, cell.dpo)

    return forward, backward


def peephole(x, h, c, W, pi, pf, po):
    i, f, g, o = (torch.cat([x, h], 1) @ W).chunk(4, 1)
    new = torch.sigmoid(f + pf * c) * c + torch.sigmoid(i + pi * c) * torch.tanh(g)
    return torch.sigmoid(o + po * new) * torch.tanh(new)


enter(
    "class",
    "sequence_classes.PeepholeLSTM",
    None,
    peephole,
    [(2, 3), (2, 2), (2, 2), (5, 8), (2,), (2,), (2,)],
    [(3, 2), (3, 3), (3, 3), (5, 12), (3,), (3,), (3,)],
    [
        ("missing path", "the output gate's peephole forgotten", " + ao * self.po", ""),
        ("missing path", "the input gate's peephole forgotten in c", " + ai * self.pi", ""),
        ("wrong cached array", "the old cell in po's gradient", "(ao * self.c_new).sum(0)", "(ao * self.c).sum(0)"),
        ("copy-paste", "pf's gradient from the input gate", "self.dpf = (af * self.c)", "self.dpf = (ai * self.c)"),
        ("stale variable", "po's gradient before the gate's derivative", "self.dpo = (ao *", "self.dpo = (do *"),
        ("operand order", "gates in another order", "[ai, af, ag, ao], axis=1", "[ai, af, ao, ag], axis=1"),
        ("missing square", "candidate's square", "(1 - self.g**2)", "(1 - self.g)"),
        (
            "results' order",
            "c's gradient through the forget gate alone",
            "dc = dc_new * self.f + ai",
            "dc = dc_new * self.i + ai",
        ),
    ],
    make_peephole,
)


def attention(x, Wq, Wk, Wv, bias):
    s = (x @ Wq) @ (x @ Wk).mT * Wq.shape[1] ** -0.5 + bias
    return s.softmax(-1) @ (x @ Wv)


enter(
    "class",
    "sequence_classes.SelfAttention",
    None,
    attention,
    [(2, 3, 4), (4, 3), (4, 3), (4, 3), (3, 3)],
    [(3, 2, 3), (3, 2), (3, 2), (3, 2), (2, 2)],
    [
        ("broadcasting", "bias not summed over the batch", "self.dbias = ds.sum(axis=0)", "self.dbias = ds[0]"),
        ("missing factor", "keys' scale", "ds, self.q) * self.scale", "ds, self.q)"),
        ("transpose", "i and j exchanged for v", '"bij,bid->bjd", self.p, dy', '"bij,bjd->bid", self.p, dy'),
        (
            "copy-paste",
            "Wk's gradient from dq",
            'self.dWk = np.einsum("bid,bie->de", self.x, dk)',
            'self.dWk = np.einsum("bid,bie->de", self.x, dq)',
        ),
        ("missing path", "x through the keys", " + dk @ self.Wk.T", ""),
        (
            "axis",
            "softmax's sum over the queries",
            "(dp * self.p).sum(-1, keepdims=True)",
            "(dp * self.p).sum(1, keepdims=True)",
        ),
        (
            "order",
            "the scale inside the softmax's gradient reaches the bias",
            "(dp - (dp * self.p).sum(-1, keepdims=True))",
            "(dp - (dp * self.p).sum(-1, keepdims=True)) * self.scale",
        ),
    ],
    with_parameters("SelfAttention", "Wq", "Wk", "Wv", "bias"),
)


def make_net(module):
    nets = []

    def forward(X, W1, b1, W2, b2, y, keep):
        nets[:] = [module.TwoLayerNet({"W1": W1, "b1": b1, "W2": W2, "b2": b2}, keep)]
        return nets[0].loss(X, y)

    def backward(dy):
        return {name: dy * g for name, g in nets[0].gradients().items()}

    return forward, backward


def net(X, W1, b1, W2, b2, y, keep):
    h = torch.relu(X @ W1 + b1) * keep / 0.5
    return F.cross_entropy(h @ W2 + b2, y) + 0.1 * ((W1**2).sum() + (W2**2).sum())


enter(
    "class",
    "sequence_classes.TwoLayerNet",
    None,
    net,
    [(4, 3), (3, 5), (5,), (5, 3), (3,), labels(3, 4), dropout(4, 5)],
    [(3, 2), (2, 4), (4,), (4, 2), (2,), labels(2, 3), dropout(3, 4)],
    [
        ("mask", "dropout's mask forgotten", "dh = dd * self.keep_mask / 0.5", "dh = dd / 0.5"),
        ("missing factor", "the kept ones not scaled up", "dh = dd * self.keep_mask / 0.5", "dh = dd * self.keep_mask"),
        ("regulariser", "twice the decay of W1", '+ self.reg * p["W1"]', '+ 2 * self.reg * p["W1"]'),
        ("wrong cached array", "the activations before dropout", 'g["W2"] = self.d.T @ ds', 'g["W2"] = self.h.T @ ds'),
        (
            "copy-paste",
            "W2's decay taken from W1",
            'self.d.T @ ds + self.reg * p["W2"]',
            'self.d.T @ ds + self.reg * p["W1"].T[:, : ds.shape[1]]',
        ),
        (
            "stale variable",
            "b1 from the gradient before the masks",
            'g["b1"] = dh.sum(axis=0)',
            'g["b1"] = dd.sum(axis=0)',
        ),
    ],
    make_net,
)
