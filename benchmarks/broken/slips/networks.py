"""Whole networks and recurrent ones in NumPy."""

import torch
import torch.nn.functional as F

from ..draws import different, dropout, labels
from ..table import enter


def classifier(X, W1, b1, W2, b2, W3, b3, t):
    h = torch.tanh(torch.relu(X @ W1 + b1) @ W2 + b2)
    return F.cross_entropy(h @ W3 + b3, t) + 0.05 * sum((W**2).sum() for W in (W1, W2, W3))


enter(
    "NumPy",
    "mlp_classifier.loss",
    "loss_grad",
    classifier,
    [(5, 4), (4, 6), (6,), (6, 3), (3,), (3, 3), (3,), labels(3, 5)],
    [(3, 2), (2, 5), (5,), (5, 4), (4,), (4, 6), (6,), labels(6, 3)],
    [
        ("regulariser", "weight decay of W2 forgotten", '    grads["W2"] += REG * W2\n', ""),
        ("regulariser", "weight decay with 2 as if the loss had no half", "+= REG * W1", "+= 2 * REG * W1"),
        ("copy-paste", "W3's decay taken from W2's gradient line", "+= REG * W3", "+= REG * W3.T"),
        ("count", "the mean over the batch forgotten", "    dscores /= N\n", ""),
        (
            "stale variable",
            "the relu mask taken from the other layer",
            "dz1 = dh1.copy()\n    dz1[z1 <= 0] = 0",
            "dz1 = dh1.copy()\n    dz1[h1 < 0] = 0",
        ),
        ("missing square", "tanh's derivative without the square", "(1 - h2**2)", "(1 - h2)"),
        ("z for h", "tanh's derivative from z", "dh2 * (1 - h2**2)", "dh2 * (1 - z2**2)"),
        ("wrong cached array", "the gradient of W2 from the pre-activation", "h1.T @ dz2", "z1.T @ dz2"),
        ("transpose", "square W3 not transposed", "dscores @ W3.T", "dscores @ W3"),
        (
            "order",
            "the mask is set before the copy is made",
            "dz1 = dh1.copy()\n    dz1[z1 <= 0] = 0",
            "dz1 = dh1.copy()\n    dh1[z1 <= 0] = 0",
        ),
    ],
)


def with_dropout(x, w1, b1, w2, b2, w3, b3, m1, m2):
    a = F.leaky_relu(x @ w1 + b1, 0.2) * m1 / 0.8
    return (F.leaky_relu(a @ w2 + b2, 0.2) * m2 / 0.8) @ w3 + b3


enter(
    "NumPy",
    "mlp_dropout.forward",
    "backward",
    with_dropout,
    [(4, 3), (3, 5), (5,), (5, 5), (5,), (5, 2), (2,), dropout(4, 5), dropout(4, 5)],
    [(3, 2), (2, 4), (4,), (4, 6), (6,), (6, 3), (3,), dropout(3, 4), dropout(3, 6)],
    [
        ("mask", "the second mask forgotten", 'gd2 * cache["mask2"] / KEEP', "gd2 / KEEP"),
        ("mask", "both layers use the first mask", 'cache["mask2"] / KEEP', 'cache["mask1"] / KEEP'),
        ("missing factor", "the kept ones not scaled up", 'cache["mask1"] / KEEP', 'cache["mask1"]'),
        ("constant", "another slope than the forward pass", "g[a < 0] = SLOPE", "g[a < 0] = 0.01"),
        (
            "constant",
            "dropped share for the kept one",
            'gd1 * cache["mask1"] / KEEP',
            'gd1 * cache["mask1"] / (1 - KEEP)',
        ),
        (
            "wrong cached array",
            "weights' gradient from the activations before dropout",
            "dense_grad(dout, d2, w3)",
            "dense_grad(dout, a2, w3)",
        ),
        (
            "copy-paste",
            "the first activation's derivative taken at the second layer",
            "delta1 = ga1 * leaky_grad(a1)",
            "delta1 = ga1 * leaky_grad(a2)",
        ),
        ("line forgotten", "leaky relu of the second layer forgotten", "delta2 = ga2 * leaky_grad(a2)", "delta2 = ga2"),
        ("axis", "bias gradient is a mean", "gb = delta.sum(axis=0)", "gb = delta.mean(axis=0)"),
        ("results' order", "the two inner bias gradients exchanged", "gw1, gb1, gw2, gb2,", "gw1, gb2, gw2, gb1,"),
    ],
)


def lstm(x, h, c, Wx, Wh, b):
    out = []
    for t in range(x.shape[1]):
        i, f, o, g = (x[:, t] @ Wx + h @ Wh + b).chunk(4, dim=1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        out.append(h)
    return torch.stack(out, 1)


enter(
    "NumPy",
    "lstm.lstm_forward",
    "lstm_backward",
    lstm,
    [(2, 3, 4), (2, 3), (2, 3), (4, 12), (3, 12), (12,)],
    [(3, 4, 2), (3, 2), (3, 2), (2, 8), (2, 8), (8,)],
    [
        (
            "missing path",
            "the cell's gradient from the next step forgotten",
            "dc = dnext_c + dnext_h * o",
            "dc = dnext_h * o",
        ),
        (
            "missing path",
            "the hidden state's gradient from the next step forgotten",
            "(dh[:, t] + dprev_h, dprev_c,",
            "(dh[:, t], dprev_c,",
        ),
        (
            "missing factor",
            "the output gate missing on the way to the cell",
            "dnext_h * o * (1 - tc**2)",
            "dnext_h * (1 - tc**2)",
        ),
        ("missing square", "tanh of the cell without the square", "(1 - tc**2)", "(1 - tc)"),
        ("copy-paste", "tanh's derivative as that of a sigmoid", "dg * (1 - g**2)", "dg * g * (1 - g)"),
        ("stale variable", "f's gradient from the candidate", "df = dc * prev_c", "df = dc * g"),
        (
            "operand order",
            "the gates stacked as i, o, f, g",
            "df * f * (1 - f), do * o * (1 - o)",
            "do * o * (1 - o), df * f * (1 - f)",
        ),
        ("= for +=", "only the first step's gradient of Wh stays", "dWh += dWh_t", "dWh = dWh_t"),
        (
            "iteration order",
            "the steps taken from the first to the last",
            "for t in reversed(range(T))",
            "for t in range(T)",
        ),
        (
            "operand order",
            "input gate's and candidate's gradients exchanged",
            "    di = dc * g\n    dg = dc * i\n",
            "    di = dc * i\n    dg = dc * g\n",
        ),
    ],
)


def gru(xs, Wz, Uz, Wr, Ur, Wn, Un):
    h = torch.zeros(Uz.shape[0], dtype=xs.dtype)
    for x in xs:
        z, r = (x @ Wz + h @ Uz).sigmoid(), (x @ Wr + h @ Ur).sigmoid()
        h = (1 - z) * (x @ Wn + (r * h) @ Un).tanh() + z * h
    return h


enter(
    "NumPy",
    "gru.gru_run",
    "gru_run_grad",
    gru,
    [(3, 2), (2, 4), (4, 4), (2, 4), (4, 4), (2, 4), (4, 4)],
    [(4, 3), (3, 3), (3, 3), (3, 3), (3, 3), (3, 3), (3, 3)],
    [
        ("sign", "the update gate's gradient with the other sign", "dz = dh * (h - n)", "dz = dh * (n - h)"),
        ("missing path", "the way through the candidate's r * h forgotten", "        dh_prev += drh * r\n", ""),
        ("= for +=", "the direct path overwritten", "dh_prev += Uz @ az + Ur @ ar", "dh_prev = Uz @ az + Ur @ ar"),
        (
            "missing factor",
            "the reset gate missing in Un's gradient",
            "dUn += np.outer(r * h, an)",
            "dUn += np.outer(h, an)",
        ),
        ("transpose", "the square Un transposed", "drh = Un @ an", "drh = Un.T @ an"),
        ("copy-paste", "Ur's place taken by Uz", "dh_prev += Uz @ az + Ur @ ar", "dh_prev += Uz @ az + Uz @ ar"),
        (
            "operand order",
            "outer product the other way round in Uz",
            "dUz += np.outer(h, az)",
            "dUz += np.outer(az, h)",
        ),
        ("wrong cached array", "reset gate's gradient times r for h", "dr = drh * h", "dr = drh * n"),
        ("missing path", "dx without the reset gate", "Wz @ az + Wr @ ar + Wn @ an", "Wz @ az + Wn @ an"),
        ("off by one", "the first step is not visited", "range(len(tape) - 1, -1, -1)", "range(len(tape) - 1, 0, -1)"),
    ],
)


def char_rnn(Wxh, Whh, Why, bh, by, inputs, targets):
    h, loss = torch.zeros(len(Whh), dtype=Whh.dtype), 0
    for i, t in zip(inputs, targets, strict=True):
        h = torch.tanh(Wxh[:, i] + Whh @ h + bh)
        loss = loss + F.cross_entropy(Why @ h + by, t)
    return loss


enter(
    "NumPy",
    "char_rnn.loss_fun",
    "loss_fun_backward",
    char_rnn,
    [(4, 5), (4, 4), (5, 4), (4,), (5,), labels(5, 3), different(5, 3)],
    [(3, 2), (3, 3), (2, 3), (3,), (2,), labels(2, 5), labels(2, 5)],
    [
        ("missing path", "no gradient through time", "dh = Why.T @ dy + dhnext", "dh = Why.T @ dy"),
        (
            "stale variable",
            "the state that goes back is taken before tanh",
            "dhnext = Whh.T @ dhraw",
            "dhnext = Whh.T @ dh",
        ),
        ("transpose", "the square Whh not transposed", "dhnext = Whh.T @ dhraw", "dhnext = Whh @ dhraw"),
        (
            "off by one",
            "the state of the same step in Whh's gradient",
            "np.outer(dhraw, hs[t - 1])",
            "np.outer(dhraw, hs[t])",
        ),
        ("wrong index", "always the first target", "dy[targets[t]] -= 1", "dy[targets[0]] -= 1"),
        ("line forgotten", "the target's one not subtracted", "        dy[targets[t]] -= 1  # backprop into y\n", ""),
        ("= for +=", "only the first step's bias gradient", "dbh += dhraw", "dbh = dhraw"),
        ("missing square", "tanh's square missing", "(1 - hs[t] * hs[t])", "(1 - hs[t])"),
    ],
)


def bigram(C, W1, gain, bias, W2, b2, X, Y):
    z = C[X].reshape(len(X), -1) @ W1
    raw = (z - z.mean(0, keepdim=True)) / (z.var(0, keepdim=True) + 1e-2).sqrt()
    return F.cross_entropy(torch.tanh(gain * raw + bias) @ W2 + b2, Y)


enter(
    "NumPy",
    "bigram_mlp.forward",
    "backward",
    bigram,
    [(6, 2), (6, 4), (1, 4), (1, 4), (4, 6), (6,), labels(6, 5, 3), labels(6, 5)],
    [(4, 3), (6, 5), (1, 5), (1, 5), (5, 4), (4,), labels(4, 4, 2), labels(4, 4)],
    [
        (
            "missing path",
            "the mean's path forgotten",
            "    dhprebn += 1.0 / n * (np.ones_like(hprebn_like(embcat, W1)) * dbnmeani)\n",
            "",
        ),
        (
            "= for +=",
            "the variance's path replaces the direct one",
            "dbndiff += (2 * bndiff) * dbndiff2",
            "dbndiff = (2 * bndiff) * dbndiff2",
        ),
        ("count", "n for n - 1 in the variance", "(1.0 / (n - 1)) * np.ones_like", "(1.0 / n) * np.ones_like"),
        ("wrong exponent", "-0.5 * v**-0.5", "(bnvar + EPS) ** -1.5", "(bnvar + EPS) ** -0.5"),
        (
            "missing factor",
            "the 2 of the square forgotten",
            "dbndiff += (2 * bndiff) * dbndiff2",
            "dbndiff += bndiff * dbndiff2",
        ),
        ("= for +=", "repeated letters overwrite each other", "dC[ix] += demb[k, j]", "dC[ix] = demb[k, j]"),
        ("constant", "eps of another paper", "-0.5 * (bnvar + EPS)", "-0.5 * (bnvar + 1e-5)"),
        ("count", "loss averaged over the classes", "dlogits /= n", "dlogits /= dlogits.shape[1]"),
        (
            "wrong cached array",
            "gain's gradient from the centred values",
            "(bnraw * dhpreact).sum",
            "(bndiff * dhpreact).sum",
        ),
        (
            "stale variable",
            "the copy made before the variance's path is added",
            "    dbndiff += (2 * bndiff) * dbndiff2\n    dhprebn = dbndiff.copy()\n",
            "    dhprebn = dbndiff.copy()\n    dbndiff += (2 * bndiff) * dbndiff2\n",
        ),
    ],
)


def tied(x, W1, b1, W2, b2, c1, c2, noise):
    h = torch.sigmoid((x * noise) @ W1 + b1)
    r = torch.sigmoid(torch.tanh(h @ W2 + b2) @ W2.T + c1)
    return ((r @ W1.T + c2 - x) ** 2).sum() / 2 / len(x)


enter(
    "NumPy",
    "tied_autoencoder.autoencoder",
    "autoencoder_gradients",
    tied,
    [(4, 5), (5, 3), (3,), (3, 2), (2,), (3,), (5,), dropout(4, 5)],
    [(3, 4), (4, 2), (2,), (2, 5), (5,), (2,), (4,), dropout(3, 4)],
    [
        ("missing path", "the decoder's share of W1 forgotten", "gW1 = gW1_enc + gW1_dec", "gW1 = gW1_enc"),
        (
            "doubled path",
            "the encoder's share of W2 twice",
            "gW2 = gW2_enc + gW2_dec",
            "gW2 = gW2_enc + gW2_dec + gW2_enc",
        ),
        ("missing path", "the target's path forgotten", "gx = gxn * noise - err", "gx = gxn * noise"),
        ("sign", "the target's path with a plus", "gx = gxn * noise - err", "gx = gxn * noise + err"),
        ("mask", "the noise forgotten on the way to x", "gxn * noise - err", "gxn - err"),
        ("wrong cached array", "the clean input in W1's gradient", "xn.T @ d_h1", "x.T @ d_h1"),
        ("copy-paste", "the decoder's sigmoid differentiated at h1", "gr1 * r1 * (1 - r1)", "gr1 * h1 * (1 - h1)"),
        ("missing factor", "half a sigmoid", "gh1 * h1 * (1 - h1)", "gh1 * (1 - h1)"),
        ("count", "N left out", "err = (xr - x) / N", "err = xr - x"),
    ],
)


def birnn(x, Wf, Uf, bf, Wb, Ub, bb, V, c):
    def run(order, W, U, b):
        h, out = torch.zeros(len(U), dtype=x.dtype), {}
        for t in order:
            h = out[t] = torch.tanh(x[t] @ W + h @ U + b)
        return torch.stack([out[t] for t in range(len(x))])

    T = len(x)
    return torch.cat([run(range(T), Wf, Uf, bf), run(reversed(range(T)), Wb, Ub, bb)], 1) @ V + c


enter(
    "NumPy",
    "bidirectional_rnn.birnn",
    "birnn_backward",
    birnn,
    [(3, 2), (2, 4), (4, 4), (4,), (2, 4), (4, 4), (4,), (8, 3), (3,)],
    [(4, 3), (3, 2), (2, 2), (2,), (3, 2), (2, 2), (2,), (4, 5), (5,)],
    [
        (
            "iteration order",
            "the second direction unrolled like the first",
            "    carry = np.zeros(H)\n    for t in range(T):\n",
            "    carry = np.zeros(H)\n    for t in reversed(range(T)):\n",
        ),
        (
            "off by one",
            "the second direction's state of the step before",
            "np.outer(hb[t + 1], da)",
            "np.outer(hb[t - 1], da)",
        ),
        ("copy-paste", "carry through the other direction's matrix", "carry = Ub @ da", "carry = Uf @ da"),
        ("copy-paste", "tanh's derivative at the other direction's state", "(1 - hb[t] ** 2)", "(1 - hf[t] ** 2)"),
        ("= for +=", "dx of the first direction overwritten", "dx[t] += Wb @ da", "dx[t] = Wb @ da"),
        (
            "line forgotten",
            "the carry not set to zero between the directions",
            "np.zeros_like(Ub), np.zeros(H)\n    carry = np.zeros(H)\n",
            "np.zeros_like(Ub), np.zeros(H)\n",
        ),
        (
            "operand order",
            "the halves of dh exchanged",
            "dhf, dhb = dh[:, :H], dh[:, H:]",
            "dhb, dhf = dh[:, :H], dh[:, H:]",
        ),
        ("transpose", "the square Uf transposed", "carry = Uf @ da", "carry = Uf.T @ da"),
    ],
)


def deep(x, *params):
    for n in range(0, len(params), 2):
        x = F.linear(x, params[n], params[n + 1])
        x = F.softplus(x) if n < len(params) - 2 else x
    return x


enter(
    "NumPy",
    "deep_relu_net.net_forward",
    "net_backward",
    deep,
    [(3, 4), (5, 4), (5,), (4, 5), (4,), (4, 4), (4,), (2, 4), (2,)],
    [(2, 3), (4, 3), (4,), (2, 4), (2,), (3, 2), (3,), (5, 3), (5,)],
    [
        ("off by one", "the last but one layer is taken for linear", "n == L - 1 else", "n >= L - 2 else"),
        ("z for h", "the derivative at the layer's input", "da * activation_prime(z)", "da * activation_prime(da)"),
        (
            "wrong formula",
            "sigmoid's derivative for softplus's",
            "return 1 / (1 + np.exp(-z))",
            "s = 1 / (1 + np.exp(-z))\n    return s * (1 - s)",
        ),
        ("axis", "bias gradient a mean over the batch", "np.sum(dz, axis=0)", "np.mean(dz, axis=0)"),
        (
            "line forgotten",
            "softplus not differentiated at all",
            "da if n == L - 1 else da * activation_prime(z)",
            "da",
        ),
        ("sign", "the exponent's sign", "np.exp(-z))", "np.exp(z))"),
    ],
)
