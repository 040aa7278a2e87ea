"""Attention, convolution, norms in steps, flows, rendering, filters: long ones in NumPy."""

import torch
import torch.nn.functional as F

from ..draws import adjacency, between, labels, mask, zero_one
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
            "missing factor",
            "every place of a window gets the gradient",
            "winner * dpooled[:, :, i, j][:, :, None, None]",
            "dpooled[:, :, i, j][:, :, None, None]",
        ),
        (
            "off by one",
            "pool windows one apart",
            "slice(2 * i, 2 * i + 2), slice(2 * j",
            "slice(i, i + 2), slice(2 * j",
        ),
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


def realnvp(x, S1, T1, S2, T2):
    a, b = x.chunk(2, 1)
    s1 = torch.tanh(a @ S1)
    b = b * s1.exp() + a @ T1
    s2 = torch.tanh(b @ S2)
    a = a * s2.exp() + b @ T2
    return ((a**2).sum() / 2 + (b**2).sum() / 2 - s1.sum() - s2.sum()) / len(x)


enter(
    "NumPy",
    "realnvp.flow_nll",
    "flow_nll_backward",
    realnvp,
    [(4, 6), (3, 3), (3, 3), (3, 3), (3, 3)],
    [(3, 4), (2, 2), (2, 2), (2, 2), (2, 2)],
    [
        (
            "missing path",
            "the log determinant of layer 1 forgotten",
            "d_yb * xb * np.exp(s1) - 1 / N",
            "d_yb * xb * np.exp(s1)",
        ),
        (
            "sign",
            "the log determinant of layer 2 with a plus",
            "d_ya * xa * np.exp(s2) - 1 / N",
            "d_ya * xa * np.exp(s2) + 1 / N",
        ),
        ("= for +=", "yb's own density overwritten", "d_yb = d_yb + d_ya @ T2.T", "d_yb = d_ya @ T2.T"),
        ("transpose", "the square S2 not transposed", "d_pre2 @ S2.T", "d_pre2 @ S2"),
        ("missing path", "xa through the scale of layer 1 forgotten", "    d_xa = d_xa + d_pre1 @ S1.T\n", ""),
        ("copy-paste", "tanh's derivative of the other layer", "d_s1 * (1 - s1**2)", "d_s1 * (1 - s2**2)"),
        ("missing factor", "exp forgotten in xb", "d_xb = d_yb * np.exp(s1)", "d_xb = d_yb * s1"),
        ("results' order", "halves concatenated the other way round", "[d_xa, d_xb], axis=1", "[d_xb, d_xa], axis=1"),
        (
            "order",
            "layer 1 starts before S2's path is added",
            "    d_yb = d_yb + d_pre2 @ S2.T\n\n    # layer 1: yb = xb * exp(s1) + xa @ T1\n"
            "    d_xb = d_yb * np.exp(s1)\n",
            "\n    # layer 1: yb = xb * exp(s1) + xa @ T1\n    d_xb = d_yb * np.exp(s1)\n"
            "    d_yb = d_yb + d_pre2 @ S2.T\n",
        ),
    ],
)


def splat(centers, conics, opacity, color, pixels):
    d = pixels[None] - centers[:, None]
    a, b, c = conics.T[:, :, None]
    w = torch.exp(-(a * d[..., 0] ** 2 + c * d[..., 1] ** 2) / 2 - b * d[..., 0] * d[..., 1])
    alpha = opacity[:, None] * w
    seen = torch.cat([torch.ones_like(alpha[:1]), torch.cumprod(1 - alpha, 0)[:-1]])
    return torch.einsum("gp,gc->pc", seen * alpha, color)


enter(
    "NumPy",
    "splat.render",
    "render_backward",
    splat,
    [(3, 2), between(0.5, 1, 3, 3), between(0.2, 0.8, 3), (3, 3), (4, 2)],
    [(2, 2), between(0.5, 1, 2, 3), between(0.2, 0.8, 2), (2, 3), (5, 2)],
    [
        (
            "missing factor",
            "the off-diagonal term halved as the others",
            "np.sum(-d[:, 0] * d[:, 1] * dpower)",
            "np.sum(-0.5 * d[:, 0] * d[:, 1] * dpower)",
        ),
        ("missing path", "no occlusion: those behind are not shaded", "dalpha = T * dot - T * dT", "dalpha = T * dot"),
        (
            "stale variable",
            "transmittance's gradient updated too early",
            "        dalpha = T * dot - T * dT\n        dT = alpha * dot + (1 - alpha) * dT\n",
            "        dT = alpha * dot + (1 - alpha) * dT\n        dalpha = T * dot - T * dT\n",
        ),
        ("sign", "centres move the other way", "dcenters[g, 0] = -np.sum(ddx)", "dcenters[g, 0] = np.sum(ddx)"),
        ("copy-paste", "a for c in the y direction", "ddy = -(c * d[:, 1] +", "ddy = -(a * d[:, 1] +"),
        ("missing factor", "opacity missing in the power", "dalpha * opacity[g] * w", "dalpha * w"),
        ("iteration order", "front to back", "for g in reversed(range(len(centers)))", "for g in range(len(centers))"),
        ("= for +=", "only the first gaussian moves the pixel", "dpixels[:, 0] += ddx", "dpixels[:, 0] = ddx"),
        (
            "missing factor",
            "colour without the transmittance",
            "dcolor[g] = (T * alpha) @ dout",
            "dcolor[g] = alpha @ dout",
        ),
    ],
)


def crf(emit, trans, start, tags):
    a, score = start + emit[0], start[tags[0]] + emit[0, tags[0]]
    for t in range(1, len(emit)):
        a = torch.logsumexp(a[:, None] + trans, 0) + emit[t]
        score = score + emit[t, tags[t]] + trans[tags[t - 1], tags[t]]
    return torch.logsumexp(a, 0) - score


enter(
    "NumPy",
    "crf.crf_nll",
    "crf_nll_grad",
    crf,
    [(4, 3), (3, 3), (3,), labels(3, 4)],
    [(3, 2), (2, 2), (2,), labels(2, 3)],
    [
        (
            "off by one",
            "the emission of the same step in beta",
            "trans + emit[t + 1] + beta[t + 1], axis=1",
            "trans + emit[t] + beta[t + 1], axis=1",
        ),
        ("axis", "beta summed over the states before", "beta[t + 1], axis=1)", "beta[t + 1], axis=0)"),
        (
            "missing path",
            "the emission missing in the pair counts",
            "(emit[t + 1] + beta[t + 1])[None, :]",
            "beta[t + 1][None, :]",
        ),
        (
            "off by one",
            "the last observed pair forgotten",
            "for t in range(1, T):\n        dtrans[",
            "for t in range(1, T - 1):\n        dtrans[",
        ),
        ("line forgotten", "the first tag's own count", "    dstart[tags[0]] -= 1\n", ""),
        ("off by one", "the last pair forgotten", "for t in range(T - 1):", "for t in range(T - 2):"),
        ("line forgotten", "log Z not subtracted in gamma", "np.exp(alpha + beta - log_z)", "np.exp(alpha + beta)"),
    ],
)


def kalman(obs, params):
    a, q, r, m = params
    P, nll = 1.0, 0.0
    for y in obs:
        m, P = a * m, a * a * P + q.exp()
        S = P + r.exp()
        nll = nll + (torch.log(2 * torch.pi * S) + (y - m) ** 2 / S) / 2
        m, P = m + P / S * (y - m), P * (1 - P / S)
    return nll


enter(
    "NumPy",
    "kalman.kalman_nll",
    "kalman_nll_grad",
    kalman,
    [(4,), (4,)],
    [(6,), (4,)],
    [
        ("missing path", "the gain does not depend on S", "        dS -= dK * Pp / (S * S)\n", ""),
        ("missing path", "P through the gain forgotten", "dK = dm * e - dP * Pp", "dK = dm * e"),
        ("= for +=", "the error's path to the state overwritten", "de += e / S", "de = e / S"),
        ("missing square", "S not squared in the likelihood", "e * e / (S * S))", "e * e / S)"),
        ("missing factor", "the two of a squared", "da += 2 * a * P * dPp", "da += a * P * dPp"),
        ("missing factor", "log noise taken for noise", "dQ * Q, dR * R, dm]", "dQ, dR, dm]"),
        ("sign", "the innovation's sign", "dmp -= de", "dmp += de"),
        ("missing square", "a for a squared on the way back", "dP = a * a * dPp", "dP = a * dPp"),
        (
            "order",
            "dm replaced before a's gradient uses it",
            "        da += 2 * a * P * dPp + m * dmp\n        dQ += dPp\n        dP = a * a * dPp\n",
            "        dQ += dPp\n        dP = a * a * dPp\n        dPp = dP\n        da += 2 * a * P * dPp + m * dmp\n",
        ),
    ],
)


def ode(y, A, B):
    def f(y):
        return torch.tanh(y @ A) @ B

    for _ in range(2):
        k1 = f(y)
        k2 = f(y + 0.15 * k1)
        k3 = f(y + 0.15 * k2)
        k4 = f(y + 0.3 * k3)
        y = y + 0.05 * (k1 + 2 * k2 + 2 * k3 + k4)
    return y


enter(
    "NumPy",
    "neural_ode.integrate",
    "integrate_vjp",
    ode,
    [(2, 3), (3, 4), (4, 3)],
    [(3, 2), (2, 5), (5, 2)],
    [
        ("constant", "all four stages weigh the same", "dk2 = STEP / 3 * dy", "dk2 = STEP / 6 * dy"),
        ("missing factor", "the half step", "dk2 = dk2 + 0.5 * STEP * d3", "dk2 = dk2 + STEP * d3"),
        ("missing path", "y's own path forgotten", "dyy = dy.copy()", "dyy = np.zeros_like(dy)"),
        ("missing path", "the third stage not added to y", "        dyy += d3\n", ""),
        (
            "iteration order",
            "steps from the first to the last",
            "for y, y2, y3, y4 in reversed(tape)",
            "for y, y2, y3, y4 in tape",
        ),
        ("copy-paste", "the fourth stage differentiated at y3", "field_vjp(dk4, y4, A", "field_vjp(dk4, y3, A"),
        ("missing square", "tanh's square", "(1 - h**2)\n    dA", "(1 - h)\n    dA"),
        ("stale variable", "dy not handed to the step before", "        dy = dyy\n", ""),
    ],
)
