"""Pairs of functions on tensors, and gated blocks."""

import torch
import torch.nn.functional as F

from ..draws import adjacency, labels
from ..table import enter


def function(path, reference, inputs, also, slips, backward=None):
    enter("torch", path, backward, reference, inputs, also, slips)


def pair(path, backward, reference, inputs, also, slips):
    function(path, reference, inputs, also, slips, backward)


pair(
    "torch_pairs.mlp_forward",
    "mlp_backward",
    lambda x, w1, b1, w2, b2, y: F.cross_entropy(F.elu(x @ w1 + b1, 0.7) @ w2 + b2, y),
    [(4, 3), (3, 5), (5,), (5, 3), (3,), labels(3, 4)],
    [(3, 2), (2, 4), (4,), (4, 2), (2,), labels(2, 3)],
    [
        ("constant", "elu's alpha left at one", "dh1 * (h1 + 0.7)", "dh1 * (h1 + 1.0)"),
        ("z for h", "a1 for h1", "dh1 * (h1 + 0.7)", "dh1 * (a1 + 0.7)"),
        ("line forgotten", "the mean", "    dz = dz / n\n", ""),
        ("stale variable", "b1 before the activation", "db1 = da1.sum(0)", "db1 = dh1.sum(0)"),
        ("wrong cached array", "pre-activation in w2's gradient", "dw2 = h1.t() @ dz", "dw2 = a1.t() @ dz"),
        ("sign", "the one added", "dz[torch.arange(n), y] -= 1", "dz[torch.arange(n), y] += 1"),
    ],
)


pair(
    "torch_pairs.conv_bn_relu",
    "conv_bn_relu_backward",
    lambda x, w, g, b: F.relu(F.batch_norm(F.conv1d(x, w, padding=1), None, None, g, b, training=True, eps=1e-3)),
    [(2, 2, 4), (3, 2, 3), (3,), (3,)],
    [(3, 1, 5), (2, 1, 3), (2,), (2,)],
    [
        ("count", "the batch alone counted", "m = n * l", "m = n"),
        ("missing path", "the variance's path", "(m * dzh - s1 - zh * s2)", "(m * dzh - s1)"),
        ("mask", "relu's mask from the normalised values", "dy = dout * (y > 0)", "dy = dout * (zh > 0)"),
        ("line forgotten", "gamma", "dzh = dy * gamma[:, None]", "dzh = dy"),
        ("= for +=", "taps overwrite each other", "dpad[:, :, k : k + l] += dcols", "dpad[:, :, k : k + l] = dcols"),
        ("off by one", "padding cut off on the left alone", "dx = dpad[:, :, 1:-1]", "dx = dpad[:, :, 2:]"),
        (
            "axis",
            "s2 over the batch alone",
            "s2 = (dzh * zh).sum((0, 2), keepdim=True)",
            "s2 = (dzh * zh).sum(0, keepdim=True)",
        ),
        ("upstream", "beta's gradient from the unmasked dout", "dbeta = dy.sum((0, 2))", "dbeta = dout.sum((0, 2))"),
    ],
)


def triplet(a, p, n):
    a, p, n = (v / (v**2).sum(1, keepdim=True).sqrt() for v in (a, p, n))
    return torch.relu(1.2 + (a * n).sum(1) - (a * p).sum(1)).mean()


pair(
    "torch_pairs.triplet_cosine",
    "triplet_cosine_backward",
    triplet,
    [(5, 3), (5, 3), (5, 3)],
    [(4, 4), (4, 4), (4, 4)],
    [
        ("sign", "pulled apart", "da = w * (n - p)", "da = w * (p - n)"),
        ("missing path", "the norm held fixed", "return (g - u * (g * u).sum(1, keepdim=True)) / v", "return g / v"),
        ("count", "mean forgotten", "(dl * (hinge > 0) / len(hinge))", "(dl * (hinge > 0))"),
        (
            "copy-paste",
            "the negative's gradient with the positive's vectors",
            "unit_backward(dn, negative, n)",
            "unit_backward(dn, negative, p)",
        ),
        ("missing path", "the anchor hears of the positive alone", "da = w * (n - p)", "da = -w * p"),
    ],
)


def graph_conv(x, adj, w):
    a = adj.double()
    return torch.tanh(a / (a.sum(1, keepdim=True) * a.sum(0)).sqrt() @ x @ w)


pair(
    "torch_pairs.graph_conv",
    "graph_conv_backward",
    graph_conv,
    [(4, 3), adjacency(4), (3, 2)],
    [(5, 2), adjacency(5), (2, 4)],
    [
        ("transpose", "a directed graph's matrix not transposed", "dxw = ahat.t() @ dz", "dxw = ahat @ dz"),
        ("line forgotten", "weights past the graph", "x.t() @ dxw", "x.t() @ dz"),
        ("missing square", "tanh's square", "(1 - h * h)", "(1 - h)"),
    ],
)


def kl(m1, s1, m2, s2):
    p, q = torch.distributions.Normal(m1, s1.exp()), torch.distributions.Normal(m2, s2.exp())
    return torch.distributions.kl_divergence(p, q).sum(-1)


pair(
    "torch_pairs.kl_gaussians",
    "kl_gaussians_backward",
    kl,
    [(3, 4), (3, 4), (3, 4), (3, 4)],
    [(2, 2), (2, 2), (2, 2), (2, 2)],
    [
        ("missing path", "the distance in s2", "(1 - r - d * d)", "(1 - r)"),
        ("missing path", "the log term in s1", "ds1 = g * (r - 1)", "ds1 = g * r"),
        ("constant", "half left over", "ds1 = g * (r - 1)", "ds1 = g * (0.5 * r - 1)"),
        ("results' order", "m2 and s1 exchanged", "return dm1, ds1, -dm1, ds2", "return dm1, -dm1, ds1, ds2"),
        ("missing factor", "standard deviation once", "dm1 = g * d * torch.exp(-s2)", "dm1 = g * d"),
        ("upstream", "the first sample's upstream", "g = g.unsqueeze(-1)", "g = g[0]"),
    ],
)


def mixture(x, logits, means, log_scales):
    z = (x[:, None] - means) / log_scales.exp()
    return -torch.logsumexp(logits.log_softmax(0) - z**2 / 2 - log_scales, 1).mean()


pair(
    "torch_pairs.mixture_nll",
    "mixture_nll_backward",
    mixture,
    [(5,), (3,), (3,), (3,)],
    [(4,), (2,), (2,), (2,)],
    [
        ("axis", "responsibilities over the samples", "resp = torch.softmax(logp, 1)", "resp = torch.softmax(logp, 0)"),
        (
            "missing path",
            "normaliser of the weights",
            "dlogits = torch.softmax(logits, 0) - resp.mean(0)",
            "dlogits = -resp.mean(0)",
        ),
        ("count", "x's gradient not averaged", "(resp * z * inv).sum(1) / N", "(resp * z * inv).sum(1)"),
        ("missing factor", "1 / scale in the means", "dmeans = -(resp * z * inv)", "dmeans = -(resp * z)"),
        ("missing square", "z for its square", "(resp * (1 - z**2))", "(resp * (1 - z))"),
        (
            "wrong formula",
            "prior weights for responsibilities",
            "    resp = torch.softmax(logp, 1)",
            "    resp = torch.softmax(logits, 0).expand_as(logp)",
        ),
    ],
)


def gated(x, g, w_gate, w_up, w_down):
    h = x * torch.rsqrt((x**2).mean(-1, keepdim=True) + 1e-3) * g
    return x + (torch.relu(h @ w_gate) ** 2 * (h @ w_up)) @ w_down


function(
    "torch_moe.GatedMLP",
    gated,
    [(3, 4), (4,), (4, 5), (4, 5), (5, 4)],
    [(2, 3), (3,), (3, 2), (3, 2), (2, 3)],
    [
        ("missing factor", "two of the squared relu", "da = dm * b * 2 * r", "da = dm * b * r"),
        ("missing square", "r once for the other branch", "db = dm * r * r", "db = dm * r"),
        ("copy-paste", "gate's weights for both", "db @ w_up.t()", "db @ w_gate.t()"),
        ("missing path", "residual", "return dx + dy,", "return dx,"),
        ("wrong cached array", "the scaled values in g's gradient", "dg = (dh * xn).sum(0)", "dg = (dh * h).sum(0)"),
        (
            "wrong cached array",
            "the unscaled values in the gate's gradient",
            "dw_gate = h.t() @ da",
            "dw_gate = xn.t() @ da",
        ),
        ("stale variable", "the norm's mean before g", "xn * (dxn * xn).mean", "xn * (dh * xn).mean"),
    ],
)


def router(x, w_router, experts):
    p = (x @ w_router).softmax(1)
    top, best = p.max(1)
    return top[:, None] * torch.einsum("nd,ndk->nk", x, experts[best])


function(
    "torch_moe.TopOneRouter",
    router,
    [(5, 3), (3, 2), (2, 3, 4)],
    [(4, 2), (2, 3), (3, 2, 2)],
    [
        ("missing path", "x through the router", "dx = dlogits @ w_router.t()", "dx = torch.zeros_like(x)"),
        (
            "= for +=",
            "the router's path overwritten",
            "dx[rows] += dy[rows] @ experts[e].t()",
            "dx[rows] = dy[rows] @ experts[e].t()",
        ),
        ("missing factor", "softmax's own factor", "dlogits = (dtop * top)[:, None]", "dlogits = dtop[:, None]"),
        ("missing path", "softmax of the chosen alone", "(chosen - p)", "chosen * (1 - p)"),
        ("missing factor", "experts without the gate", "dy = top[:, None] * dout", "dy = dout"),
    ],
)
