"""Attention, convolution, norms in steps, mixtures and graphs: long ones in NumPy."""

import torch
import torch.nn.functional as F

from ..draws import adjacency, mask, zero_one
from ..table import enter


def mha(x, Wq, Wk, Wv, Wo, allowed):
    q, k, v = ((x @ W).unflatten(1, (2, -1)).transpose(0, 1) for W in (Wq, Wk, Wv))
    s = (q @ k.mT / q.shape[-1] ** 0.5).masked_fill(~allowed, -torch.inf)
    return (s.softmax(-1) @ v).transpose(0, 1).flatten(1) @ Wo


enter(
    "NumPy",
    "multihead.mha_forward",
    "mha_backward",
    mha,
    [(3, 4), (4, 4), (4, 4), (4, 6), (6, 5), mask(3, 3)],
    [(4, 3), (3, 2), (3, 2), (3, 4), (4, 2), mask(4, 4)],
    [
        ("missing factor", "the scale forgotten", "softmax_backward(dp, p) * scale", "softmax_backward(dp, p)"),
        ("axis", "softmax's sum over the queries", "dp * p, axis=-1, keepdims=True", "dp * p, axis=-2, keepdims=True"),
        (
            "transpose",
            "the attention weights not transposed for v",
            "dv = p.transpose(0, 2, 1) @ dctx",
            "dv = p @ dctx",
        ),
        (
            "operand order",
            "queries' and keys' gradients exchanged",
            "    dx_q, dWq = project_backward(dq, x, Wq)\n    dx_k, dWk = project_backward(dk, x, Wk)\n",
            "    dx_q, dWq = project_backward(dk, x, Wq)\n    dx_k, dWk = project_backward(dq, x, Wk)\n",
        ),
        ("missing path", "x through the values forgotten", "return dx_q + dx_k + dx_v,", "return dx_q + dx_k,"),
        ("copy-paste", "Wq where Wk belongs", "project_backward(dk, x, Wk)", "project_backward(dk, x, Wq)"),
        ("transpose", "keys' gradient without the transpose", "dk = ds.transpose(0, 2, 1) @ q", "dk = ds @ q"),
        ("missing factor", "softmax's outer p forgotten", "return p * (dp - np.sum(", "return (dp - np.sum("),
        ("results' order", "gradients of Wk and Wq exchanged", "dWq, dWk, dWv, dWo, None", "dWk, dWq, dWv, dWo, None"),
    ],
)


def block(x, g1, Wqkv, Wo, g2, Wup, Wdown):
    d = (x.shape[1],)
    q, k, v = (F.layer_norm(x, d, g1) @ Wqkv).chunk(3, 1)
    s = q @ k.T / d[0] ** 0.5
    later = torch.ones(len(x), len(x), dtype=torch.bool).triu(1)
    r = x + s.masked_fill(later, -torch.inf).softmax(1) @ v @ Wo
    return r + F.gelu(F.layer_norm(r, d, g2) @ Wup, approximate="tanh") @ Wdown


enter(
    "NumPy",
    "transformer_block.block",
    "block_bwd",
    block,
    [(3, 4), (4,), (4, 12), (4, 4), (4,), (4, 6), (6, 4)],
    [(4, 2), (2,), (2, 6), (2, 2), (2,), (2, 3), (3, 2)],
    [
        ("missing path", "the second residual forgotten", "    dr = dr + dout  # residual\n", ""),
        (
            "missing path",
            "the first residual takes the gradient from the top",
            "dx = dx + dr  # residual",
            "dx = dx + dout  # residual",
        ),
        ("missing factor", "the scale of the scores forgotten", " / np.sqrt(d)\n    dq = ds @ k", "\n    dq = ds @ k"),
        ("constant", "gelu's cubic term without the 3", "(1 + 3 * 0.044715 * u**2)", "(1 + 0.044715 * u**2)"),
        ("constant", "gelu's constant typed short", "dinner = C * (1 +", "dinner = 0.8 * (1 +"),
        ("missing square", "gelu's tanh not squared", "(1 - t**2) * dinner", "(1 - t) * dinner"),
        (
            "missing path",
            "layer norm's mean not subtracted",
            "dxhat - dxhat.mean(-1, keepdims=True) - xhat",
            "dxhat - xhat",
        ),
        (
            "axis",
            "layer norm's correction over the tokens",
            "(dxhat * xhat).mean(-1, keepdims=True)",
            "(dxhat * xhat).mean(0, keepdims=True)",
        ),
        (
            "stale variable",
            "gain's gradient after it was multiplied",
            "    dg = (dy * xhat).sum(0)\n    dxhat = dy * g\n",
            "    dxhat = dy * g\n    dg = (dxhat * xhat).sum(0)\n",
        ),
        ("operand order", "parts of qkv in another order", "[dq, dk, dv], axis=1", "[dk, dq, dv], axis=1"),
        ("transpose", "the square Wo not transposed", "do = dr @ Wo.T", "do = dr @ Wo"),
        ("copy-paste", "the other layer norm's statistics", "layer_norm_bwd(da, ln1)", "layer_norm_bwd(da, ln2)"),
    ],
)


enter(
    "NumPy",
    "small_cnn.cnn_forward",
    "cnn_backward",
    lambda x, w, b, W, c: F.max_pool2d(F.relu(F.conv2d(x, w, b, padding=1)), 2).flatten(1) @ W + c,
    [(2, 2, 4, 4), (3, 2, 3, 3), (3,), (12, 2), (2,)],
    [(3, 1, 2, 4), (2, 1, 3, 3), (2,), (4, 3), (3,)],
    [
        ("off by one", "padding cut off on one side only", "dxp[:, :, 1:-1, 1:-1]", "dxp[:, :, :-2, :-2]"),
        ("= for +=", "overlapping windows overwrite each other", "j : j + 3] += g * w[f]", "j : j + 3] = g * w[f]"),
        ("mask", "relu forgotten", "dz = da * (z > 0)", "dz = da"),
        ("mask", "relu with the other sign", "dz = da * (z > 0)", "dz = da * (z < 0)"),
        ("wrong index", "the filter upside down", "+= g * w[f]", "+= g * w[f, :, ::-1, ::-1]"),
        (
            "axis",
            "bias summed over the images only at the first place",
            "db = dz.sum(axis=(0, 2, 3))",
            "db = dz.mean(axis=(0, 2, 3))",
        ),
        (
            "permutation",
            "row and column inside the window exchanged",
            "da[n, f, 2 * i + r, 2 * j + c]",
            "da[n, f, 2 * i + c, 2 * j + r]",
        ),
        ("off by one", "pool windows one apart", "da[n, f, 2 * i + r, 2 * j + c]", "da[n, f, i + r, 2 * j + c]"),
        ("= for +=", "only the last place counts for the filter", "dw[f] += np.sum(", "dw[f] = np.sum("),
    ],
)


enter(
    "NumPy",
    "batchnorm_steps.batchnorm_forward",
    "batchnorm_backward",
    lambda x, g, b: F.batch_norm(x, None, None, g, b, training=True, eps=0.01),
    [(5, 3), (3,), (3,)],
    [(4, 2), (2,), (2,)],
    [
        ("missing path", "step 2 leaves out the variance's path", "dx1 = dxmu1 + dxmu2", "dx1 = dxmu1"),
        (
            "missing path",
            "the mean's gradient from one path only",
            "np.sum(dxmu1 + dxmu2, axis=0)",
            "np.sum(dxmu1, axis=0)\n    dmu -= np.sum(dxmu1, axis=0)",
        ),
        ("sign", "the mean's path with a plus", "dmu = -1 * np.sum", "dmu = np.sum"),
        ("missing square", "derivative of the inverse without the square", "-1.0 / (sqrtvar**2)", "-1.0 / sqrtvar"),
        ("missing factor", "the half of the root forgotten", "dvar = 0.5 * 1.0", "dvar = 1.0"),
        ("constant", "eps left out", "np.sqrt(var + eps) * dsqrtvar", "np.sqrt(var) * dsqrtvar"),
        ("count", "divided by the number of features", "dsq = 1.0 / N *", "dsq = 1.0 / D *"),
        (
            "wrong cached array",
            "gamma's gradient from the centred values",
            "dgammax * xhat, axis=0",
            "dgammax * xmu, axis=0",
        ),
        ("doubled path", "the two not divided: 4 for 2", "dxmu2 = 2 * xmu * dsq", "dxmu2 = 2 * xmu * dsq * 2"),
        ("line forgotten", "gamma left out", "dxhat = dgammax * gamma", "dxhat = dgammax"),
    ],
)


def vae(x, We, be, Wmu, Wlv, Wd, bd, Wo, bo, noise):
    x = x.double()
    h = torch.tanh(x @ We + be)
    mu, lv = h @ Wmu, h @ Wlv
    logits = torch.tanh((mu + (lv / 2).exp() * noise) @ Wd + bd) @ Wo + bo
    kl = 0.5 * (mu**2 + lv.exp() - 1 - lv).sum()
    return (F.binary_cross_entropy_with_logits(logits, x, reduction="sum") + kl) / len(x)


enter(
    "NumPy",
    "vae.negative_elbo",
    "negative_elbo_grad",
    vae,
    [zero_one(3, 4), (4, 5), (5,), (5, 2), (5, 2), (2, 3), (3,), (3, 4), (4,), (3, 2)],
    [zero_one(4, 3), (3, 2), (2,), (2, 3), (2, 3), (3, 4), (4,), (4, 3), (3,), (4, 3)],
    [
        ("regulariser", "the KL term of mu forgotten", "    gmu += mu / B\n", ""),
        (
            "= for +=",
            "KL's gradient overwrites that of the sample",
            "glogvar += 0.5 * (np.exp(logvar) - 1) / B",
            "glogvar = 0.5 * (np.exp(logvar) - 1) / B",
        ),
        ("missing factor", "the half of log variance", "gz * noise * 0.5 * std", "gz * noise * std"),
        ("stale variable", "std where the variance belongs in KL", "0.5 * (np.exp(logvar) - 1)", "0.5 * (std - 1)"),
        ("count", "KL not averaged over the batch", "gmu += mu / B", "gmu += mu"),
        ("sign", "KL's sign", "(np.exp(logvar) - 1) / B", "(1 - np.exp(logvar)) / B"),
        ("missing path", "the encoder hears of mu alone", "ghe = gmu @ Wmu.T + glogvar @ Wlv.T", "ghe = gmu @ Wmu.T"),
        ("copy-paste", "Wmu for Wlv", "glogvar @ Wlv.T", "glogvar @ Wmu.T"),
        ("missing factor", "the noise forgotten in log variance", "gz * noise * 0.5 * std", "gz * 0.5 * std"),
        ("copy-paste", "the decoder's tanh in the encoder", "ghe * (1 - he**2)", "ghe * (1 - he)"),
    ],
)


def moe(x, Wg, W1, W2, target):
    gate = (x @ Wg).softmax(1)
    y = torch.einsum("ne,enk->nk", gate, torch.relu(x @ W1) @ W2)
    return ((y - target) ** 2).sum() / len(x) + 0.5 * len(W1) * (gate.mean(0) ** 2).sum()


enter(
    "NumPy",
    "moe.moe_forward",
    "moe_backward",
    moe,
    [(4, 3), (3, 2), (2, 3, 5), (2, 5, 2), (4, 2)],
    [(3, 2), (2, 3), (3, 2, 4), (3, 4, 3), (3, 3)],
    [
        ("regulariser", "load balancing forgotten", "    dgate += dload / N\n", ""),
        ("count", "load not divided by the tokens", "dgate += dload / N", "dgate += dload"),
        ("constant", "the number of experts forgotten", "dload = 2 * AUX * E * load", "dload = 2 * AUX * load"),
        ("= for +=", "only the last expert reaches x", "dx += dh @ W1[e].T", "dx = dh @ W1[e].T"),
        ("mask", "the expert's relu forgotten", "        dh[hidden[e] == 0] = 0\n", ""),
        ("missing path", "x through the gate forgotten", "    dx += dlogit @ Wg.T\n", ""),
        (
            "axis",
            "softmax's sum over the tokens",
            "dgate * gate, axis=1, keepdims=True",
            "dgate * gate, axis=0, keepdims=True",
        ),
        (
            "order",
            "load balancing added after the gate's softmax",
            (
                ("    dgate += dload / N\n", ""),
                ("    dWg = x.T @ dlogit\n", "    dlogit += dload / N\n    dWg = x.T @ dlogit\n"),
            ),
        ),
        (
            "missing factor",
            "experts' gradient not weighted by the gate",
            '"ne,nk->enk", gate, dy',
            '"ne,nk->enk", np.ones_like(gate), dy',
        ),
        ("sign", "the target's gradient without the minus", "dW1, dW2, -dy", "dW1, dW2, dy"),
    ],
)


def gat(x, W, a, b, adj):
    h = x @ W
    e = F.leaky_relu((h @ a)[:, None] + h @ b, 0.2).masked_fill(~adj, -torch.inf)
    return torch.tanh(e.softmax(1) @ h).mean(0)


enter(
    "NumPy",
    "graph_attention.gat",
    "gat_backward",
    gat,
    [(4, 3), (3, 2), (2,), (2,), adjacency(4)],
    [(5, 2), (2, 4), (4,), (4,), adjacency(5)],
    [
        (
            "axis",
            "listener's and speaker's sums exchanged",
            "dsrc = draw.sum(axis=1)\n    ddst = draw.sum(axis=0)",
            "dsrc = draw.sum(axis=0)\n    ddst = draw.sum(axis=1)",
        ),
        ("missing path", "the speaker's score forgotten in h", "    dh += np.outer(ddst, a_dst)\n", ""),
        (
            "= for +=",
            "the score overwrites the aggregation",
            "dh += np.outer(dsrc, a_src)",
            "dh = np.outer(dsrc, a_src)",
        ),
        ("transpose", "the square alpha not transposed", "dh = alpha.T @ dagg", "dh = alpha @ dagg"),
        (
            "constant",
            "the usual slope of another leaky relu",
            "np.where(raw > 0, de, SLOPE * de)",
            "np.where(raw > 0, de, 0.01 * de)",
        ),
        ("count", "mean over the features", "np.tile(dy / n, (n, 1))", "np.tile(dy / dy.size, (n, 1))"),
        ("wrong cached array", "leaky relu decided by its gradient", "np.where(raw > 0, de,", "np.where(de > 0, de,"),
        (
            "order",
            "W's gradient taken before the scores are added",
            (
                ("    dW = x.T @ dh\n", ""),
                ("    dh += np.outer(dsrc, a_src)\n", "    dW = x.T @ dh\n    dh += np.outer(dsrc, a_src)\n"),
            ),
        ),
    ],
)
