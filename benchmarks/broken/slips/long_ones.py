"""The longest backward passes, written out from the loss to the first weight."""

import torch
import torch.nn.functional as F

from ..draws import different, labels, positive
from ..table import enter


def rms(x, g):
    return x * torch.rsqrt((x**2).mean(1, keepdim=True) + 1e-3) * g


def gpt(wte, wpe, g1, Wq, Wk, Wv, Wp, g2, Wf, Wo, gf, tokens, targets):
    x = wte[tokens] + wpe[: len(tokens)]
    a = rms(x, g1)
    q, k, v = ((a @ W).unflatten(1, (2, -1)).transpose(0, 1) for W in (Wq, Wk, Wv))
    x = x + F.scaled_dot_product_attention(q[None], k[None], v[None], is_causal=True)[0].transpose(0, 1).flatten(1) @ Wp
    x = x + torch.relu(rms(x, g2) @ Wf) ** 2 @ Wo
    return F.cross_entropy(rms(x, gf) @ wte.T, targets)


enter(
    "NumPy",
    "tiny_gpt.gpt_loss",
    "gpt_backward",
    gpt,
    [(5, 4), (4, 4), (4,), (4, 4), (4, 4), (4, 4), (4, 4), (4,), (4, 8), (8, 4), (4,), different(5, 3), labels(5, 3)],
    [(4, 6), (5, 6), (6,), (6, 6), (6, 6), (6, 6), (6, 6), (6,), (6, 3), (3, 6), (6,), labels(4, 4), labels(4, 4)],
    [
        (
            "= for +=",
            "tied weights: the embedding's share replaces the output layer's",
            'g["wte"][tokens[t]] += dx0[t]',
            'g["wte"][tokens[t]] = dx0[t]',
        ),
        ("missing path", "the residual around attention forgotten", "    dx0 += dx1\n", ""),
        ("missing path", "the residual around attention from the top", "    dx0 += dx1\n", "    dx0 += dx2\n"),
        ("copy-paste", "r1 for r2 in the second norm", "dx1 = r2 * (dn2", "dx1 = r1 * (dn2"),
        (
            "= for +=",
            "keys' gradient of the last query alone",
            "dK[: t + 1, sl] += np.outer",
            "dK[: t + 1, sl] = np.outer",
        ),
        ("missing factor", "two of the squared relu", "du = df * 2 * np.maximum(u, 0)", "du = df * np.maximum(u, 0)"),
        (
            "wrong formula",
            "plain relu's gradient for the squared one",
            "du = df * 2 * np.maximum(u, 0)",
            "du = df * (u > 0)",
        ),
        (
            "constant",
            "scores scaled by the model's width",
            "/ np.sqrt(hs)\n            dQ",
            "/ np.sqrt(d)\n            dQ",
        ),
        (
            "off by one",
            "the query does not see itself",
            "dV[: t + 1, sl] += np.outer(p, dctx[t, sl])",
            "dV[:t, sl] += np.outer(p[:t], dctx[t, sl])",
        ),
        (
            "stale variable",
            "g2's gradient after the multiplication",
            "(dm * n2).sum(0)\n    dn2 = dm * g2",
            "(dm * n2).sum(0) * g2\n    dn2 = dm * g2",
        ),
        ("copy-paste", "values through Wk", "dV @ Wv.T", "dV @ Wk.T"),
        ("count", "loss summed, not averaged", "    dz /= T\n", ""),
        ("wrong cached array", "Wf's gradient from the unscaled norm", 'g["Wf"] = m.T @ du', 'g["Wf"] = n2.T @ du'),
    ],
)


def seq2seq(x, y_in, We, Ue, Wa, Ua, va, Wd, Ud, Cd, Wo, targets):
    h, mem = torch.zeros(len(Ue), dtype=x.dtype), []
    for row in x:
        h = torch.tanh(row @ We + h @ Ue)
        mem.append(h)
    mem, loss = torch.stack(mem), 0
    for row, t in zip(y_in, targets, strict=True):
        w = (torch.tanh(h @ Wa + mem @ Ua) @ va).softmax(0)
        h = torch.tanh(row @ Wd + h @ Ud + w @ mem @ Cd)
        loss = loss + F.cross_entropy(h @ Wo, t)
    return loss


enter(
    "NumPy",
    "seq2seq.seq2seq",
    "seq2seq_backward",
    seq2seq,
    [(3, 2), (3, 2), (2, 4), (4, 4), (4, 3), (4, 3), (3,), (2, 4), (4, 4), (4, 4), (4, 5), labels(5, 3)],
    [(4, 3), (2, 4), (3, 2), (2, 2), (2, 5), (2, 5), (5,), (4, 2), (2, 2), (2, 2), (2, 3), labels(3, 2)],
    [
        ("missing path", "the encoder's last state as start of the decoder", "    dmem[-1] += dst\n", ""),
        ("missing path", "attention's keys do not reach the encoder", "    dmem += dkeys @ Ua.T\n", ""),
        ("= for +=", "the score's path replaces the cell's", "dst += Wa @ dact.sum(0)", "dst = Wa @ dact.sum(0)"),
        ("= for +=", "context of the first step alone", "dmem += np.outer(w, dc)", "dmem = np.outer(w, dc)"),
        ("missing path", "the state after this step", "dnew = Wo @ do + dst", "dnew = Wo @ do"),
        ("copy-paste", "Ud for Cd", "dc = Cd @ dz", "dc = Ud @ dz"),
        ("wrong cached array", "the new state in Ud's gradient", "dUd += np.outer(st, dz)", "dUd += np.outer(new, dz)"),
        ("missing square", "tanh of the scores", "(1 - act**2)", "(1 - act)"),
        (
            "stale variable",
            "scores' gradient before tanh for the weights Wa",
            "dWa += np.outer(st, dact.sum(0))",
            "dWa += np.outer(st, np.outer(de, va).sum(0))",
        ),
        (
            "off by one",
            "the encoder's state of the same step",
            "dUe += np.outer(enc[s - 1], dz)",
            "dUe += np.outer(enc[s], dz)",
        ),
        ("transpose", "square Ue transposed", "carry = Ue @ dz", "carry = Ue.T @ dz"),
        (
            "order",
            "mem's gradient complete only after Ua",
            "    dUa += mem.T @ dkeys\n    dmem += dkeys @ Ua.T\n",
            "    dUa += dmem.T @ dkeys\n    dmem += dkeys @ Ua.T\n",
        ),
        ("iteration order", "the encoder unrolled forwards", "for s in reversed(range(S))", "for s in range(S)"),
    ],
)


def resnet(x, w1, g1, b1, w2, g2, b2, wskip, Wc, bc, t):
    def bn(x, g, b):
        return F.batch_norm(x, None, None, g, b, training=True, eps=1e-3)

    h = bn(F.conv1d(torch.relu(bn(F.conv1d(x, w1, padding=1), g1, b1)), w2, padding=1), g2, b2)
    return F.cross_entropy(torch.relu(h + F.conv1d(x, wskip[:, :, None])).mean(2) @ Wc + bc, t)


enter(
    "NumPy",
    "resnet1d.resnet",
    "resnet_grads",
    resnet,
    [
        (3, 2, 4),
        (3, 2, 3),
        positive(3),
        positive(3),
        (3, 3, 3),
        positive(3),
        positive(3),
        (3, 2),
        (3, 3),
        (3,),
        labels(3, 3),
    ],
    [(2, 1, 5), (2, 1, 3), (2,), (2,), (2, 2, 3), (2,), (2,), (2, 1), (2, 4), (4,), labels(4, 2)],
    [
        ("missing path", "x through the shortcut", '    dx = dx + np.einsum("nft,fc->nct", dtotal, wskip)\n', ""),
        (
            "stale variable",
            "the shortcut before the last relu",
            'dwskip = np.einsum("nft,nct->fc", dtotal, x)',
            'dwskip = np.einsum("nft,nct->fc", dout, x)',
        ),
        ("copy-paste", "the first layer's statistics for the second", "bn_grads(dtotal, bn2)", "bn_grads(dtotal, bn1)"),
        (
            "wrong cached array",
            "w2's gradient from v1 before relu",
            "conv3_grads(du2, r1, w2)",
            "conv3_grads(du2, v1, w2)",
        ),
        ("count", "pooling's mean forgotten", "T, axis=2) / T\n", "T, axis=2)\n"),
        ("count", "batch norm counts the batch alone", "m = dy.shape[0] * dy.shape[2]", "m = dy.shape[0]"),
        ("missing path", "batch norm's mean", "(dxh - mean1 - xh * mean2)", "(dxh - xh * mean2)"),
        ("mask", "relu between the convolutions forgotten", "dv1 = dr1 * (v1 > 0)", "dv1 = dr1"),
        (
            "= for +=",
            "taps overwrite each other",
            "dxp[:, :, k : k + T] += np.einsum",
            "dxp[:, :, k : k + T] = np.einsum",
        ),
        ("off by one", "padding cut off at the left alone", "return dxp[:, :, 1:-1], dw", "return dxp[:, :, 2:], dw"),
        (
            "results' order",
            "gamma and beta exchanged",
            "du1, dg1, db1 = bn_grads(dv1, bn1)",
            "du1, db1, dg1 = bn_grads(dv1, bn1)",
        ),
        ("wrong index", "the filter's taps turned round", "dout, w[:, :, k])", "dout, w[:, :, 2 - k])"),
    ],
)


def denoise(x0, noise, t, Win, Wt, F1, A1, F2, A2, Wout):
    abar = torch.cos(t / torch.tensor(12.0, dtype=x0.dtype))[:, None] ** 2
    ang = t[:, None] * torch.exp(-torch.arange(len(Wt) // 2, dtype=x0.dtype) * 1.5)
    te = F.silu(torch.cat([ang.sin(), ang.cos()], 1) @ Wt)
    h = (abar.sqrt() * x0 + (1 - abar).sqrt() * noise) @ Win
    for film, A in ((F1, A1), (F2, A2)):
        s, c = (te @ film).chunk(2, 1)
        h = h + F.silu(h * (1 + s) + c) @ A
    return F.mse_loss(h @ Wout, noise)


enter(
    "NumPy",
    "film_denoiser.denoise_loss",
    "denoise_grad",
    denoise,
    [(3, 2), (3, 2), lambda rng: rng.integers(2, 15, 3), (2, 3), (4, 4), (4, 6), (3, 3), (4, 6), (3, 3), (3, 2)],
    [(2, 3), (2, 3), lambda rng: rng.integers(2, 15, 2), (3, 2), (2, 2), (2, 4), (2, 2), (2, 4), (2, 2), (2, 3)],
    [
        ("= for +=", "time hears of block 1 alone", "dte += dfilm1 @ F1.T", "dte = dfilm1 @ F1.T"),
        ("copy-paste", "block 1's shift through block 2's weights", "dte += dfilm1 @ F1.T", "dte += dfilm1 @ F2.T"),
        ("missing path", "block 2's skip", "dh1 = dh2 + dm2 * (1 + s2)", "dh1 = dm2 * (1 + s2)"),
        ("missing factor", "1 + s2 taken for s2", "dm2 * (1 + s2)", "dm2 * s2"),
        ("operand order", "scale and shift exchanged", "[ds1, dc1], axis=1", "[dc1, ds1], axis=1"),
        ("copy-paste", "m2 for m1 in silu's derivative", "* silu_prime(m1)", "* silu_prime(m2)"),
        ("missing path", "the noise as target", "np.sqrt(1 - abar) * dxt - dpred", "np.sqrt(1 - abar) * dxt"),
        ("constant", "abar for its root", "gx0 = np.sqrt(abar) * dxt", "gx0 = abar * dxt"),
        (
            "line forgotten",
            "silu of the time embedding",
            "gWt = emb.T @ (dte * silu_prime(pre_t))",
            "gWt = emb.T @ dte",
        ),
        ("z for h", "silu's derivative at the activation", "silu_prime(pre_t))", "silu_prime(te))"),
        ("count", "mean over the batch alone", "/ pred.size", "/ len(pred)"),
        ("missing path", "silu's product rule", "return sg + v * sg * (1 - sg)", "return sg * (1 - sg)"),
        ("wrong cached array", "weights' gradient from m2 without silu", "gA2 = silu(m2).T @ dh2", "gA2 = m2.T @ dh2"),
    ],
)


def four(x, t, W1, b1, W2, gamma, beta, W3, b3, W4, b4):
    h = F.batch_norm(torch.sigmoid(x @ W1 + b1) @ W2, None, None, gamma, beta, training=True, eps=1e-3)
    z = F.softplus(F.leaky_relu(h, 0.1) @ W3 + b3) @ W4 + b4
    penalty = 0.05 * W1.abs().sum() + 0.05 * sum((W**2).sum() for W in (W2, W3, W4))
    return 0.5 * ((z - t) ** 2).sum() / len(x) + penalty


enter(
    "NumPy",
    "four_layers.cost",
    "cost_gradients",
    four,
    [(5, 3), (5, 2), (3, 4), (4,), (4, 5), (5,), (5,), (5, 3), (3,), (3, 2), (2,)],
    [(4, 2), (4, 3), (2, 3), (3,), (3, 2), (2,), (2,), (2, 4), (4,), (4, 3), (3,)],
    [
        ("regulariser", "L1's sign left out", "L1 * np.sign(W1)", "L1 * W1"),
        ("regulariser", "W3's penalty forgotten", "h2.T @ dz3 + L2 * W3", "h2.T @ dz3"),
        ("regulariser", "the penalty divided by the batch", "h3.T @ dz4 + L2 * W4", "h3.T @ dz4 + L2 * W4 / m"),
        (
            "wrong formula",
            "softplus differentiated as a sigmoid",
            "dz3 = dh3 / (1 + np.exp(-z3))",
            "dz3 = dh3 * h3 * (1 - h3)",
        ),
        ("z for h", "sigmoid's derivative from z1", "dh1 * h1 * (1 - h1)", "dh1 * z1 * (1 - z1)"),
        ("constant", "slope 0.01 for 0.1", "np.where(y2 > 0, 1.0, 0.1)", "np.where(y2 > 0, 1.0, 0.01)"),
        (
            "wrong cached array",
            "leaky relu decided before scale and shift",
            "np.where(y2 > 0, 1.0, 0.1)",
            "np.where(n2 > 0, 1.0, 0.1)",
        ),
        (
            "axis",
            "batch norm's mean over the features",
            "dn2_mean = dn2.mean(axis=0)",
            "dn2_mean = dn2.mean(axis=1, keepdims=True)",
        ),
        (
            "stale variable",
            "the projection before gamma",
            "dn2_proj = np.mean(dn2 * n2, axis=0)",
            "dn2_proj = np.mean(dy2 * n2, axis=0)",
        ),
        ("missing factor", "sd2 forgotten", "n2 * dn2_proj) / sd2", "n2 * dn2_proj)"),
        ("copy-paste", "b3's gradient from the layer above", "db3 = np.sum(dz3, axis=0)", "db3 = np.sum(dh3, axis=0)"),
        ("sign", "the target's sign", "dt = -dz4", "dt = dz4"),
        ("wrong cached array", "h1's place taken by z1 in W2's gradient", "dW2 = h1.T @ dz2", "dW2 = z1.T @ dz2"),
    ],
)
