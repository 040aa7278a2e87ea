"""Whole blocks written out: mixer, encoder layer, text classifier."""

import torch
import torch.nn.functional as F

from ..draws import dropout, labels, mask, zero_one
from ..table import enter


def mixer(x, g1, b1, Wt1, Wt2, g2, b2, Wc1, Wc2):
    c = (x.shape[-1],)
    x = x + (torch.tanh(F.layer_norm(x, c, g1, b1, 1e-3).mT @ Wt1) @ Wt2).mT
    return x + torch.tanh(F.layer_norm(x, c, g2, b2, 1e-3) @ Wc1) @ Wc2


enter(
    "NumPy",
    "mixer.mixer",
    "mixer_backward",
    mixer,
    [(2, 3, 4), (4,), (4,), (3, 5), (5, 3), (4,), (4,), (4, 6), (6, 4)],
    [(3, 2, 3), (3,), (3,), (2, 4), (4, 2), (3,), (3,), (3, 2), (2, 3)],
    [
        ("missing path", "the second skip", "    dx1 = dx1 + dy\n", ""),
        ("missing path", "the first skip takes dy", "dx = dx + dx1", "dx = dx + dy"),
        (
            "order",
            "the skip added before the division",
            "    dx1 = dx1 / sd2\n    dx1 = dx1 + dy\n",
            "    dx1 = dx1 + dy\n    dx1 = dx1 / sd2\n",
        ),
        ("copy-paste", "sd2 for sd1", "dx = dx / sd1", "dx = dx / sd2"),
        ("copy-paste", "xh2 for xh1 in the gain", "np.sum(dn1 * xh1, axis=(0, 1))", "np.sum(dn1 * xh2, axis=(0, 1))"),
        (
            "axis",
            "bias summed over the batch, averaged over the tokens",
            "db2 = np.sum(dn2, axis=(0, 1))",
            "db2 = np.mean(np.sum(dn2, axis=0), axis=0)",
        ),
        (
            "count",
            "tokens counted in the channels' mean",
            "xh1 * (dxh1 * xh1).sum(-1, keepdims=True) / C",
            "xh1 * (dxh1 * xh1).sum(-1, keepdims=True) / S",
        ),
        ("missing square", "tanh of the tokens", "dht * (1 - ht**2)", "dht * (1 - ht)"),
        (
            "wrong cached array",
            "Wc1's gradient from the normalised values",
            '"nsc,nsh->ch", n2, dac',
            '"nsc,nsh->ch", xh2, dac',
        ),
        ("line forgotten", "the gain in the first norm", "dxh1 = dn1 * g1", "dxh1 = dn1"),
        ("stale variable", "the first layer's gradient before tanh", "dtok = dat @ Wt1.T", "dtok = dht @ Wt1.T"),
    ],
)


def encoder(x, wqkv, wo, g1, b1, w1, c1, w2, c2, g2, b2, pad):
    d = (x.shape[-1],)
    q, k, v = (x @ wqkv).chunk(3, -1)
    a = F.scaled_dot_product_attention(q, k, v, attn_mask=pad[:, None, :])
    h = F.layer_norm(x + a @ wo, d, g1, b1, 1e-3)
    return F.layer_norm(h + torch.relu(h @ w1 + c1) @ w2 + c2, d, g2, b2, 1e-3)


enter(
    "torch",
    "torch_encoder.EncoderLayer",
    None,
    encoder,
    [(2, 3, 4), (4, 12), (4, 4), (4,), (4,), (4, 5), (5,), (5, 4), (4,), (4,), (4,), mask(2, 3, keep=0.95)],
    [(3, 2, 3), (3, 6), (2, 3), (3,), (3,), (3, 2), (2,), (2, 3), (3,), (3,), (3,), mask(3, 2)],
    [
        ("missing path", "skip around the feed-forward", "dh = dr2 + du @ w1.t()", "dh = du @ w1.t()"),
        ("missing path", "skip around attention", "dx = dr1 + dqkv @ wqkv.t()", "dx = dqkv @ wqkv.t()"),
        ("copy-paste", "skip around attention from the second norm", "dx = dr1 + dqkv", "dx = dr2 + dqkv"),
        ("stale variable", "c2's gradient from dy", "dc2 = flat(dr2).sum(0)", "dc2 = flat(dy).sum(0)"),
        ("line forgotten", "relu", "        du = du * (u > 0)\n", ""),
        (
            "order",
            "c1's gradient before relu",
            "        du = du * (u > 0)\n        dc1 = flat(du).sum(0)\n",
            "        dc1 = flat(du).sum(0)\n        du = du * (u > 0)\n",
        ),
        ("copy-paste", "xhat2 in the first norm's gain", "dg1 = flat(dh * xhat1)", "dg1 = flat(dh * xhat2)"),
        ("constant", "scaled by the width itself", "ds = ds / math.sqrt(q.shape[-1])", "ds = ds / q.shape[-1]"),
        ("transpose", "square p not transposed", "dv = p.transpose(1, 2) @ dctx", "dv = p @ dctx"),
        ("operand order", "k, q, v", "torch.cat([dq, dk, dv], dim=-1)", "torch.cat([dk, dq, dv], dim=-1)"),
        ("missing path", "the first norm's mean", "(t - t.mean(-1, keepdim=True) - xhat1 *", "(t - xhat1 *"),
        ("line forgotten", "gain of the second norm", "t = dy * g2", "t = dy"),
        ("wrong cached array", "wo's gradient from the values", "dwo = flat(ctxv).t()", "dwo = flat(v).t()"),
    ],
)


def make_text_cnn(module):
    nets = []

    def forward(table, K2, K3, W, b, ids, y, keep):
        nets[:] = [module.TextCNN(table, K2, K3, W, b)]
        return nets[0].forward(ids, y, keep)

    def backward(dy):
        return (*(dy * g for g in nets[0].backward()), None, None, None)

    return forward, backward


def text_cnn(table, K2, K3, W, b, ids, y, keep):
    e = table[ids].mT
    feat = torch.cat([torch.relu(F.conv1d(e, K.mT)).amax(2) for K in (K2, K3)], 1)
    return F.binary_cross_entropy_with_logits(feat * keep / 0.75 @ W + b, y.double())


enter(
    "class",
    "text_cnn.TextCNN",
    None,
    text_cnn,
    [(4, 3), (3, 2, 3), (3, 3, 3), (6,), (), labels(4, 4, 5), zero_one(4), dropout(4, 6)],
    [(6, 2), (3, 2, 2), (2, 3, 2), (5,), (), labels(6, 3, 4), zero_one(3), dropout(3, 5)],
    [
        ("missing path", "the wide filters do not reach the words", "de = de2 + de3", "de = de2"),
        (
            "= for +=",
            "repeated words overwritten",
            "dtable[self.ids[n, t]] += de[n, t]",
            "dtable[self.ids[n, t]] = de[n, t]",
        ),
        (
            "copy-paste",
            "the short filters' features for the wide ones",
            "self.conv_backward(dfeat[:, F2:], self.c3",
            "self.conv_backward(dfeat[:, :F2], self.c3",
        ),
        ("mask", "dropout's mask forgotten", "dfeat = dd * self.keep / 0.75", "dfeat = dd / 0.75"),
        (
            "constant",
            "the dropped share for the kept one",
            "dfeat = dd * self.keep / 0.75",
            "dfeat = dd * self.keep / 0.25",
        ),
        (
            "wrong cached array",
            "W's gradient from the features before dropout",
            "dW = self.d.T @ dlogit",
            "dW = self.feat.T @ dlogit",
        ),
        ("= for +=", "the last sentence alone", "dK[f] += dm[n, f]", "dK[f] = dm[n, f]"),
        ("wrong index", "the first filter for all", "+= dm[n, f] * K[f]", "+= dm[n, f] * K[0]"),
        ("count", "bias averaged twice", "db = dlogit.sum()", "db = dlogit.mean()"),
    ],
    make_text_cnn,
)
