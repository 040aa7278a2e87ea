"""Feed-forward networks in NumPy, from the input to the loss."""

import torch
import torch.nn.functional as F

from ..draws import dropout, labels
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
        ("constant", "another slope than the forward pass", "g[a <= 0] = SLOPE", "g[a <= 0] = 0.01"),
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


def deep(x, *params):
    for n in range(0, len(params), 2):
        x = F.linear(x, params[n], params[n + 1])
        x = F.softplus(x) if n < len(params) - 2 else x
    return x


enter(
    "NumPy",
    "deep_net.net_forward",
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
            "return np.exp(-np.logaddexp(0, -z))",
            "s = np.exp(-np.logaddexp(0, -z))\n    return s * (1 - s)",
        ),
        ("axis", "bias gradient a mean over the batch", "np.sum(dz, axis=0)", "np.mean(dz, axis=0)"),
        (
            "line forgotten",
            "softplus not differentiated at all",
            "da if n == L - 1 else da * activation_prime(z)",
            "da",
        ),
        ("sign", "the exponent's sign", "np.logaddexp(0, -z))", "np.logaddexp(0, z))"),
    ],
)
