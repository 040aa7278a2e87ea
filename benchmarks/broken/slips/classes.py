"""Classes with state in self."""

import torch
import torch.nn.functional as F

from ..draws import different, labels
from ..made_anew import with_parameters
from ..table import enter


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
