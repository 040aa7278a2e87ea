"""Activations and small losses in NumPy."""

import torch
import torch.nn.functional as F

from ..draws import between, positive, signs, zero_one
from ..table import enter

enter(
    "NumPy",
    "smooth_units.celu",
    "celu_grad",
    lambda x: torch.where(x > 0, x, 1.3 * torch.expm1(x.clamp(max=0) / 1.3)),
    [(4, 5)],
    [(7,)],
    [
        (
            "constant",
            "alpha multiplied as in elu",
            "1.0, np.exp(np.minimum(x, 0) / ALPHA))",
            "1.0, ALPHA * np.exp(np.minimum(x, 0) / ALPHA))",
        ),
        (
            "missing factor",
            "the exponent not divided",
            "1.0, np.exp(np.minimum(x, 0) / ALPHA))",
            "1.0, np.exp(np.minimum(x, 0)))",
        ),
        ("sign", "the sides exchanged", "np.where(x > 0, 1.0, np", "np.where(x < 0, 1.0, np"),
    ],
)


enter(
    "NumPy",
    "smooth_units.softsign",
    "softsign_grad",
    F.softsign,
    [(4, 3)],
    [(6,)],
    [
        ("missing square", "the square forgotten", "delta / (1 + np.abs(z)) ** 2", "delta / (1 + np.abs(z))"),
        ("missing factor", "the absolute value forgotten", "(1 + np.abs(z)) ** 2", "(1 + z) ** 2"),
        ("wrong formula", "the square inside", "(1 + np.abs(z)) ** 2", "(1 + np.abs(z) ** 2)"),
    ],
)


enter(
    "NumPy",
    "smooth_units.snake",
    "snake_grad",
    lambda v, a: v + torch.sin(a * v) ** 2 / a,
    [(4, 3), positive(3)],
    [(5, 2), positive(2)],
    [
        (
            "missing factor",
            "sin cos for sin of the double",
            "gv = g * (1 + np.sin(2 * a * v))",
            "gv = g * (1 + np.sin(a * v) * np.cos(a * v))",
        ),
        ("missing path", "1 / a held fixed", " - np.sin(a * v) ** 2 / a**2)", ")"),
        ("broadcasting", "a's gradient not summed over the rows", "a**2), axis=0)", "a**2), axis=0, keepdims=True)"),
        ("missing square", "a for its square", "** 2 / a**2)", "** 2 / a)"),
    ],
)


enter(
    "NumPy",
    "smooth_units.quick_gelu",
    "quick_gelu_grad",
    lambda u: u * torch.sigmoid(1.702 * u),
    [(3, 4)],
    [(8,)],
    [
        ("constant", "the inner factor forgotten", "sig + 1.702 * u * sig", "sig + u * sig"),
        ("constant", "typed short", "sig + 1.702 * u", "sig + 1.7 * u"),
        (
            "missing path",
            "only the gate's derivative",
            "(sig + 1.702 * u * sig * (1 - sig))",
            "(1.702 * u * sig * (1 - sig))",
        ),
    ],
)


enter(
    "NumPy",
    "smooth_units.maxout",
    "maxout_grad",
    lambda t, W, c: (torch.einsum("nd,kdm->nkm", t, W) + c).max(1)[0],
    [(3, 4), (2, 4, 5), (2, 5)],
    [(4, 2), (3, 2, 3), (3, 3)],
    [
        (
            "mask",
            "the winner's mask forgotten",
            "dpieces = onehot * dtop[:, None, :]",
            "dpieces = np.ones_like(onehot) * dtop[:, None, :]",
        ),
        ("axis", "bias averaged", "dc = dpieces.sum(axis=0)", "dc = dpieces.mean(axis=0)"),
        (
            "wrong index",
            "always the first piece's weights",
            '"nkm,kdm->nd", dpieces, W)',
            '"nkm,dm->nd", dpieces, W[0])',
        ),
    ],
)


def dice(p, g):
    inter, union = (p * g).sum(1), (p + g).sum(1) + 1
    return (1 - (2 * inter + 1) / union).mean()


enter(
    "NumPy",
    "more_losses.dice_loss",
    "dice_loss_backward",
    dice,
    [between(0.1, 0.9, 3, 5), zero_one(3, 5)],
    [between(0.1, 0.9, 2, 4), zero_one(2, 4)],
    [
        ("count", "the images not averaged", "return dp / n, None", "return dp, None"),
        ("missing square", "union not squared", "(2 * inter + 1.0)) / union**2", "(2 * inter + 1.0)) / union"),
        ("missing path", "the union held fixed", "(2 * g * union - (2 * inter + 1.0))", "(2 * g * union)"),
        ("missing factor", "the two", "(2 * g * union -", "(g * union -"),
    ],
)


def pinball(pred, target):
    e = target - pred
    return torch.where(e > 0, 0.8 * e, -0.2 * e).mean()


enter(
    "NumPy",
    "more_losses.pinball",
    "pinball_backward",
    pinball,
    [(4, 3), (4, 3)],
    [(6,), (6,)],
    [
        ("sign", "gradients of prediction and target exchanged", "return -de, de", "return de, -de"),
        ("count", "a sum where the forward takes the mean", " / e.size\n    return -de, de", "\n    return -de, de"),
        ("sign", "1 - tau below zero", "np.where(e > 0, tau, tau - 1)", "np.where(e > 0, tau, 1 - tau)"),
        ("count", "divided by the rows alone", "tau - 1) / e.size", "tau - 1) / len(e)"),
    ],
)


enter(
    "NumPy",
    "more_losses.gaussian_nll",
    "gaussian_nll_backward",
    lambda mu, ls, y: (0.5 * ((y - mu) / ls.exp()) ** 2 + ls).sum(-1),
    [(3, 4), (3, 4), (3, 4)],
    [(2, 3), (2, 3), (2, 3)],
    [
        ("missing path", "the log term forgotten", "dl * (1 - r**2)", "-dl * r**2"),
        ("missing factor", "not divided by sigma once more", "dmu = -dl * r * inv", "dmu = -dl * r"),
        ("upstream", "the first sample's upstream for all", "dl = dl[:, None]", "dl = dl[0]"),
        ("sign", "the mean pulled away", "dmu = -dl * r * inv", "dmu = dl * r * inv"),
        ("missing square", "r for its square", "dl * (1 - r**2)", "dl * (1 - r)"),
    ],
)


def contrastive(a, b, same):
    d = ((a - b) ** 2).sum(1).sqrt()
    return 0.5 * (same * d**2 + (1 - same) * torch.relu(2.5 - d) ** 2).mean()


enter(
    "NumPy",
    "more_losses.contrastive",
    "contrastive_backward",
    contrastive,
    [(4, 2), (4, 2), zero_one(4)],
    [(5, 3), (5, 3), zero_one(5)],
    [
        (
            "sign",
            "different ones pulled together",
            "(same * dist - (1 - same) * gap)",
            "(same * dist + (1 - same) * gap)",
        ),
        (
            "missing factor",
            "the direction not normalised",
            "da = (ddist / dist)[:, None] * diff",
            "da = ddist[:, None] * diff",
        ),
        ("count", "divided by all entries", "* gap) / N", "* gap) / diff.size"),
        ("doubled path", "a two for a half", "ddist = (same * dist", "ddist = 2 * (same * dist"),
        ("sign", "both move the same way", '"b": -da', '"b": da'),
    ],
)


def jensen_shannon(p, q):
    m = (p + q) / 2
    return 0.5 * (p * (p / m).log()).sum() + 0.5 * (q * (q / m).log()).sum()


enter(
    "NumPy",
    "more_losses.jensen_shannon",
    "jensen_shannon_backward",
    jensen_shannon,
    [positive(3, 4), positive(3, 4)],
    [positive(5), positive(5)],
    [
        (
            "wrong formula",
            "the +1 of x log x kept though the mixture cancels it",
            "gp = 0.5 * np.log(p / m)",
            "gp = 0.5 * (np.log(p / m) + 1)",
        ),
        ("wrong formula", "KL to q in place of the mixture", "gq = 0.5 * np.log(q / m)", "gq = 0.5 * np.log(q / p)"),
        ("upstream", "upstream gradient ignored", "return grad * gp, grad * gq", "return gp, gq"),
        ("missing factor", "the half in one of them", "gp = 0.5 * np.log(p / m)", "gp = np.log(p / m)"),
    ],
)


enter(
    "NumPy",
    "more_losses.margin_ranking",
    "margin_ranking_backward",
    lambda a, b, o: torch.relu(0.5 - o * (a - b)).sum(),
    [(24,), (24,), signs(24)],
    [(30,), (30,), signs(30)],
    [
        (
            "constant",
            "the margin forgotten in the mask",
            "active = (0.5 - order * (s1 - s2)) > 0",
            "active = order * (s1 - s2) < 0",
        ),
        ("sign", "the mask's other side", "(0.5 - order * (s1 - s2)) > 0", "(0.5 - order * (s1 - s2)) < 0"),
        ("missing factor", "the order forgotten", "gs2 = up * order * active", "gs2 = up * active"),
    ],
)
