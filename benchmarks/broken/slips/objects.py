"""Classes with state in self, closures, array-API code."""

import torch
import torch.nn.functional as F

from ..draws import between, different, dropout, labels, zero_one
from ..table import enter


def with_parameters(name, *parameters):
    """The layer `name` made anew for its parameters at every forward pass; its gradients beside dx."""

    def make(module):
        layers = []

        def forward(x, *values):
            layers[:] = [getattr(module, name)(*values)]
            return layers[0].forward(x)

        def backward(dy):
            dx = layers[0].backward(dy)
            return (dx, *(getattr(layers[0], f"d{p}") for p in parameters))

        return forward, backward

    return make


def layer(name, parameters, reference, inputs, also, slips):
    enter("class", f"layer_classes.{name}", None, reference, inputs, also, slips, with_parameters(name, *parameters))


layer(
    "Dense",
    ("W", "b"),
    lambda x, W, b: torch.sigmoid(x @ W + b),
    [(4, 3), (3, 5), (5,)],
    [(2, 4), (4, 2), (2,)],
    [
        ("z for h", "sigmoid's derivative from z", "grad * self.out * (1 - self.out)", "grad * self.z * (1 - self.z)"),
        ("line forgotten", "the gradient before the activation", "return delta @ self.W.T", "return grad @ self.W.T"),
        (
            "stale variable",
            "bias from the upstream gradient",
            "self.db = delta.sum(axis=0)",
            "self.db = grad.sum(axis=0)",
        ),
        ("axis", "bias averaged", "self.db = delta.sum(axis=0)", "self.db = delta.mean(axis=0)"),
    ],
)
layer(
    "BatchNorm1d",
    ("gamma", "beta"),
    lambda x, g, b: F.batch_norm(x, None, None, g, b, training=True, eps=1e-3),
    [(5, 3), (3,), (3,)],
    [(4, 2), (2,), (2,)],
    [
        ("wrong exponent", "inv without the cube", "* -0.5 * self.inv**3", "* -0.5 * self.inv"),
        (
            "wrong cached array",
            "centred values' place taken by normalised ones",
            "dvar = (dnorm * self.centered).sum",
            "dvar = (dnorm * self.norm).sum",
        ),
        ("count", "the features counted", "self.m = x.shape[0]", "self.m = x.shape[1]"),
        ("line forgotten", "gamma left out", "dnorm = dout * self.gamma", "dnorm = dout"),
        ("missing factor", "two of the square", "dvar * 2 * self.centered", "dvar * self.centered"),
        ("sign", "mean's path", "dmean = -(dnorm", "dmean = (dnorm"),
    ],
)
layer(
    "Conv1D",
    ("K", "bias"),
    lambda x, K, b: F.conv1d(x, K, b, stride=2),
    [(2, 2, 7), (3, 2, 3), (3,)],
    [(3, 1, 6), (2, 1, 4), (2,)],
    [
        ("= for +=", "windows overwrite each other", "dx[:, :, s : s + k] += np", "dx[:, :, s : s + k] = np"),
        ("= for +=", "only the last window counts", "self.dK += np.einsum", "self.dK = np.einsum"),
        (
            "axis",
            "bias summed over the batch, averaged over time",
            "dy.sum(axis=(0, 2))",
            "dy.sum(axis=0).mean(axis=1)",
        ),
        (
            "off by one",
            "the last window left out",
            "        self.dbias = dy.sum(axis=(0, 2))\n        for t in range(self.T_out):",
            "        self.dbias = dy.sum(axis=(0, 2))\n        for t in range(self.T_out - 1):",
        ),
    ],
)
layer(
    "MaxPool2",
    (),
    lambda x: F.max_pool2d(x, 2),
    [(2, 2, 4, 6)],
    [(1, 3, 2, 4)],
    [
        (
            "permutation",
            "cells put back without the permutation",
            "2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(N, C, H, W)",
            "2, 2).reshape(N, C, H, W)",
        ),
        (
            "permutation",
            "the two inner axes the other way round",
            "2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(N, C, H, W)",
            "2, 2).transpose(0, 1, 2, 5, 3, 4).reshape(N, C, H, W)",
        ),
        (
            "stale variable",
            "the smallest place kept by forward",
            "self.idx = cells.argmax(axis=-1)",
            "self.idx = cells.argmin(axis=-1)",
        ),
    ],
)


def make_embedding(module):
    layers = []

    def forward(ids, tokens, positions):
        layers[:] = [module.Embedding(tokens, positions)]
        return layers[0].forward(ids)

    def backward(dy):
        layers[0].backward(dy)
        return None, layers[0].dtokens, layers[0].dpositions

    return forward, backward


enter(
    "class",
    "layer_classes.Embedding",
    None,
    lambda ids, tokens, positions: tokens[ids] + positions[: ids.shape[1]],
    [labels(4, 3, 5), (4, 2), (6, 2)],
    [labels(3, 2, 6), (3, 4), (6, 4)],
    [
        (
            "= for +=",
            "repeated tokens overwritten",
            "np.add.at(self.dtokens, self.ids, dout)",
            "self.dtokens[self.ids] += dout",
        ),
        ("axis", "positions averaged over the batch", "+= dout.sum(axis=0)", "+= dout.mean(axis=0)"),
        ("upstream", "only the first sentence reaches the positions", "+= dout.sum(axis=0)", "+= dout[0]"),
    ],
    make_embedding,
)


def make_loss(module):
    head = module.SoftmaxWithLoss()
    return head.forward, head.backward


enter(
    "class",
    "layer_classes.SoftmaxWithLoss",
    None,
    F.cross_entropy,
    [(3, 4), different(4, 3)],
    [(5, 3), labels(3, 5)],
    [
        ("count", "not divided by the batch", "return dx * dout / batch", "return dx * dout"),
        ("upstream", "dout ignored", "return dx * dout / batch", "return dx / batch"),
        ("line forgotten", "the target's one", "        dx[np.arange(batch), self.t] -= 1\n", ""),
        ("wrong index", "one subtracted in whole columns", "dx[np.arange(batch), self.t] -= 1", "dx[:, self.t] -= 1"),
    ],
    make_loss,
)


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


def closure(name, reference, inputs, also, slips, *constants):
    made = f"closures.{name}"
    enter("closure", made, None, reference, inputs, also, slips, lambda module: getattr(module, name)(*constants))


def tversky(p, g):
    tp, fp, fn = (p * g).sum(), (p * (1 - g)).sum(), ((1 - p) * g).sum()
    return 1 - (tp + 1) / (tp + 0.3 * fp + 0.7 * fn + 1)


closure(
    "make_tversky",
    tversky,
    [between(0.1, 0.9, 3, 4), zero_one(3, 4)],
    [between(0.1, 0.9, 6), zero_one(6)],
    [
        (
            "operand order",
            "alpha and beta exchanged",
            "dden = g + alpha * (1 - g) - beta * g",
            "dden = g + beta * (1 - g) - alpha * g",
        ),
        (
            "missing path",
            "true positives forgotten below",
            "dden = g + alpha * (1 - g) - beta * g",
            "dden = alpha * (1 - g) - beta * g",
        ),
        ("missing square", "the quotient rule without the square", "/ den**2, None", "/ den, None"),
        ("sign", "false negatives grow with p", "(1 - g) - beta * g", "(1 - g) + beta * g"),
        ("constant", "smooth forgotten above", "num = tp + smooth", "num = tp"),
    ],
    0.3,
    0.7,
)
closure(
    "make_soft_threshold",
    lambda x: torch.nn.functional.softshrink(x, 0.5),
    [(4, 5)],
    [(12,)],
    [
        ("sign", "the negative side forgotten", "g * (np.abs(x) > lam)", "g * (x > lam)"),
        ("mask", "the dead zone's gradient", "g * (np.abs(x) > lam)", "g * (np.abs(x) < lam)"),
        (
            "missing factor",
            "the sign multiplied once more",
            "g * (np.abs(x) > lam)",
            "g * np.sign(x) * (np.abs(x) > lam)",
        ),
    ],
    0.5,
)
closure(
    "make_residual_layer",
    lambda x, W: x + 0.5 * torch.tanh(x @ W) @ W.T,
    [(4, 3), (3, 5)],
    [(2, 4), (4, 2)],
    [
        ("missing path", "W used once", " + scale * dy.T @ t", ""),
        ("missing path", "residual forgotten", "dx = dy + dz @ W.T", "dx = dz @ W.T"),
        ("missing factor", "the scale forgotten for W", "scale * dy.T @ t", "dy.T @ t"),
        ("missing square", "tanh's square", "(1 - t**2)", "(1 - t)"),
    ],
    0.5,
)


def smoothed(s, y):
    w = torch.tensor([0.5, 1.2, 2.0]).double()[y]
    target = torch.full_like(s, 0.2 / 3) + 0.8 * F.one_hot(y, 3).double()
    return -(w[:, None] * target * s.log_softmax(1)).sum() / w.sum()


closure(
    "make_smoothed_cross_entropy",
    smoothed,
    [(5, 3), labels(3, 5)],
    [(4, 3), labels(3, 4)],
    [
        (
            "count",
            "divided by the batch, not by the weights",
            "(p - target) / w.sum(), None",
            "(p - target) / len(w), None",
        ),
        ("missing factor", "class weights forgotten", "dy * w[:, None] * (p - target)", "dy * (p - target)"),
        ("sign", "target minus probability", "* (p - target) /", "* (target - p) /"),
        ("upstream", "dy ignored", "return dy * w[:, None]", "return w[:, None]"),
    ],
    0.2,
    [0.5, 1.2, 2.0],
)


def xp(name, reference, inputs, also, slips):
    enter("array API", f"array_api_layers.{name}", f"{name}_vjp", reference, inputs, also, slips)


xp(
    "rms_gate",
    lambda x, g: x * torch.rsqrt((x**2).mean(-1, keepdim=True) + 1e-3) * torch.sigmoid(g),
    [(3, 4), (3, 4)],
    [(2, 5), (2, 5)],
    [
        (
            "missing path",
            "the norm held fixed",
            "dx = r * (dn - n * xp.mean(dn * n, axis=-1, keepdims=True))",
            "dx = r * dn",
        ),
        (
            "axis",
            "mean over the rows",
            "xp.mean(dn * n, axis=-1, keepdims=True)",
            "xp.mean(dn * n, axis=0, keepdims=True)",
        ),
        ("stale variable", "the gate missing in the norm's part", "xp.mean(dn * n,", "xp.mean(dy * n,"),
        ("wrong cached array", "x for n in the gate", "dg = dy * n * s", "dg = dy * x * s"),
        ("count", "a sum for the mean", "xp.mean(dn * n", "xp.sum(dn * n"),
    ],
)
xp(
    "cross_attention",
    lambda q, k, v: (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1) @ v,
    [(3, 4), (3, 4), (3, 4)],
    [(2, 3), (5, 3), (5, 2)],
    [
        ("missing factor", "the scale", "keepdims=True)) * scale", "keepdims=True))"),
        (
            "axis",
            "softmax's sum over the wrong axis",
            "xp.sum(a * da, axis=-1, keepdims=True)",
            "xp.sum(a * da, axis=-2, keepdims=True)",
        ),
        ("transpose", "square weights not transposed", "xp.matmul(xp.matrix_transpose(a), dy)", "xp.matmul(a, dy)"),
        ("copy-paste", "k for q", "xp.matmul(xp.matrix_transpose(ds), q)", "xp.matmul(xp.matrix_transpose(ds), k)"),
        ("results' order", "dk first", "return dq, dk, dv", "return dk, dq, dv"),
    ],
)
xp(
    "log_cosh_loss",
    lambda p, t: torch.log(torch.cosh(p - t)).mean(),
    [(4, 3), (4, 3)],
    [(2, 5), (2, 5)],
    [
        ("count", "divided by the rows", "/ (r.shape[0] * r.shape[1])", "/ r.shape[0]"),
        ("sign", "both the same sign", "return g, -g", "return g, g"),
        ("wrong formula", "tanh's derivative", "xp.tanh(r)", "(1 - xp.tanh(r) ** 2)"),
        ("upstream", "dy ignored", "dy * xp.tanh(r)", "xp.tanh(r)"),
    ],
)


def planar(z, u, w, b):
    h = torch.tanh(z @ w + b)
    out = z + h[:, None] * u
    return torch.log((1 + (1 - h**2) * (w @ u)).abs()) - 0.5 * (out**2).sum(1)


xp(
    "planar_flow",
    planar,
    [(4, 3), between(0, 0.5, 3), between(0, 0.5, 3), ()],
    [(3, 2), between(0, 0.5, 2), between(0, 0.5, 2), ()],
    [
        ("missing path", "log determinant through h forgotten", " - 2 * h * wu * ddet", ""),
        ("missing factor", "the two of the square", "- 2 * h * wu * ddet", "- h * wu * ddet"),
        ("missing path", "u in the determinant forgotten", ", h) + dwu * w", ", h)"),
        ("copy-paste", "w's gradient from w", "da) + dwu * u", "da) + dwu * w"),
        ("missing path", "z's direct path", "dz = dout + da[:, None]", "dz = da[:, None]"),
        ("wrong formula", "derivative of log forgotten", "ddet = dll / det", "ddet = dll * det"),
    ],
)
