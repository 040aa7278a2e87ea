"""Torch functions and autograd.Functions."""

import torch
import torch.nn.functional as F

from ..draws import adjacency, between, labels, positive, zero_one
from ..table import enter


def function(path, reference, inputs, also, slips, backward=None):
    enter("torch", path, backward, reference, inputs, also, slips)


function(
    "torch_functions.SwishBeta",
    lambda x, beta: x * torch.sigmoid(beta * x),
    [(4, 3), positive(3)],
    [(2, 3, 2), positive(2)],
    [
        ("missing factor", "beta forgotten in the inner derivative", "(s + beta * x * ds)", "(s + x * ds)"),
        ("missing square", "x once in beta's gradient", "(grad_output * x * x * ds)", "(grad_output * x * ds)"),
        ("count", "beta's gradient averaged", ".reshape(-1, x.shape[-1]).sum(0)", ".reshape(-1, x.shape[-1]).mean(0)"),
        ("missing factor", "1 - s forgotten", "ds = s * (1 - s)", "ds = s"),
    ],
)
function(
    "torch_functions.linear_leaky",
    lambda x, w, b: F.leaky_relu(F.linear(x, w, b), 0.1),
    [(4, 3), (5, 3), (5,)],
    [(2, 4), (3, 4), (3,)],
    [
        (
            "line forgotten",
            "the activation forgotten for the weight",
            "grad_weight = g.t() @ input",
            "grad_weight = grad_output.t() @ input",
        ),
        (
            "constant",
            "torch's default slope",
            "grad_output, ctx.slope * grad_output)",
            "grad_output, 0.01 * grad_output)",
        ),
        (
            "missing factor",
            "relu's gradient for the leaky one",
            "grad_output, ctx.slope * grad_output)",
            "grad_output, torch.zeros_like(grad_output))",
        ),
        ("upstream", "bias from the unmasked gradient", "grad_bias = g.sum(0)", "grad_bias = grad_output.sum(0)"),
    ],
)
function(
    "torch_functions.GroupNorm",
    lambda x, w, b: F.group_norm(x, 2, w, b, eps=1e-3),
    [(2, 4, 3), (4,), (4,)],
    [(3, 2, 4), (2,), (2,)],
    [
        ("missing path", "the mean's path", "(dxhat - xh * c1 - c2)", "(dxhat - xh * c1)"),
        ("operand order", "c1 and c2 exchanged", "xh * c1 - c2)", "xh * c2 - c1)"),
        ("line forgotten", "the weight not multiplied in", "dxhat = (dy * weight[:, None]).view", "dxhat = dy.view"),
        ("missing factor", "rstd forgotten", "dx = rstd * (dxhat", "dx = (dxhat"),
        (
            "count",
            "sums over a group in place of means",
            "c1 = (dxhat * xh).mean(-1, keepdim=True)",
            "c1 = (dxhat * xh).sum(-1, keepdim=True)",
        ),
    ],
)


def focal(logits, targets):
    pt = torch.where(targets == 1, torch.sigmoid(logits), torch.sigmoid(-logits))
    return (-((1 - pt) ** 2) * pt.log()).mean()


function(
    "torch_functions.FocalBinary",
    focal,
    [(4, 3), zero_one(4, 3)],
    [(7,), zero_one(7)],
    [
        ("sign", "targets' sign forgotten", "grad * sign * d", "grad * d"),
        ("missing path", "the modulating factor held fixed", "(2 * pt * torch.log(pt) - q)", "(-q)"),
        ("count", "divided by the batch alone", "/ pt.numel(), None", "/ pt.shape[0], None"),
        ("missing factor", "gamma forgotten", "(2 * pt * torch.log(pt) - q)", "(pt * torch.log(pt) - q)"),
        ("upstream", "the upstream ignored", "return grad * sign", "return sign"),
    ],
)
function(
    "torch_functions.LogSumExpT",
    lambda x, T: T * torch.logsumexp(x / T, -1),
    [(3, 4), between(0.5, 2)],
    [(5,), between(0.5, 2)],
    [
        ("doubled path", "1 / T though T cancels it", "dx = dy.unsqueeze(-1) * p", "dx = dy.unsqueeze(-1) * p / T"),
        ("missing path", "T inside held fixed", "(lse - (p * x).sum(-1) / T)", "lse"),
        ("missing factor", "1 / T forgotten", "(p * x).sum(-1) / T)", "(p * x).sum(-1))"),
        ("sign", "plus for minus", "(lse - (p * x)", "(lse + (p * x)"),
    ],
)
function(
    "torch_functions.BagMean",
    lambda table, ids: table[ids].mean(1),
    [(5, 3), labels(5, 4, 2)],
    [(4, 2), labels(4, 3, 5)],
    [
        ("count", "the bag's size forgotten", ".expand(B, L, -1) / L", ".expand(B, L, -1)"),
        ("count", "divided by the batch", ".expand(B, L, -1) / L", ".expand(B, L, -1) / B"),
        (
            "upstream",
            "the first bag's gradient for all",
            "spread = dout.unsqueeze(1).expand(B, L, -1) / L",
            "spread = dout[:1].unsqueeze(1).expand(B, L, -1) / L",
        ),
        ("wrong index", "ids read column by column", "ids.reshape(-1), spread", "ids.t().reshape(-1), spread"),
    ],
)
function(
    "torch_functions.GELUErf",
    lambda u, v: F.gelu(u) * v,
    [(4, 3), (4, 3)],
    [(5,), (5,)],
    [
        ("missing factor", "density not normalised", " / math.sqrt(2 * math.pi)", ""),
        ("constant", "pi for two pi", "math.sqrt(2 * math.pi)", "math.sqrt(math.pi)"),
        ("missing factor", "the half in the exponent", "torch.exp(-0.5 * u * u)", "torch.exp(-u * u)"),
        ("missing path", "the gate's gradient without u", "(cdf + u * pdf)", "(cdf + pdf)"),
        ("missing factor", "v forgotten", "du = do * v * (cdf", "du = do * (cdf"),
    ],
)
function(
    "torch_functions.ClampSTE",
    lambda x, low, high: torch.minimum(torch.maximum(x, low), high),
    [(20, 3), between(-0.8, -0.2, 3), between(0.2, 0.8, 3)],
    [(25, 2), between(-0.8, -0.2, 2), between(0.2, 0.8, 2)],
    [
        ("bound", "masked on one side", "g.masked_fill(below | above, 0.0)", "g.masked_fill(above, 0.0)"),
        ("mask", "both bounds at once never holds", "below | above, 0.0", "below & above, 0.0"),
        ("operand order", "low and high exchanged", "return gx, glow, ghigh", "return gx, ghigh, glow"),
        ("sign", "the low bound's sign", "glow = (g * below)", "glow = (-g * below)"),
        ("bound", "straight through everywhere", "gx = g.masked_fill(below | above, 0.0)", "gx = g"),
    ],
)


def grouped(q, k, v):
    rep = q.shape[1] // k.shape[1]
    k, v = (m.repeat_interleave(rep, 1) for m in (k, v))
    return F.scaled_dot_product_attention(q, k, v, is_causal=True)


function(
    "torch_attention.Attention",
    grouped,
    [(2, 4, 3, 2), (2, 2, 3, 2), (2, 2, 3, 2)],
    [(1, 2, 4, 3), (1, 1, 4, 3), (1, 1, 4, 3)],
    [
        ("missing factor", "the keys' scale", "@ q * ctx.scale", "@ q"),
        (
            "broadcasting",
            "one of the sharing heads kept",
            "dk = dkr.view(b, hk, ctx.rep, t, d).sum(2)",
            "dk = dkr.view(b, hk, ctx.rep, t, d)[:, :, 0]",
        ),
        (
            "permutation",
            "groups and heads exchanged",
            "dv = dvr.view(b, hk, ctx.rep, t, d).sum(2)",
            "dv = dvr.view(b, ctx.rep, hk, t, d).sum(1)",
        ),
        (
            "count",
            "averaged over the sharing heads",
            "dv = dvr.view(b, hk, ctx.rep, t, d).sum(2)",
            "dv = dvr.view(b, hk, ctx.rep, t, d).mean(2)",
        ),
        (
            "axis",
            "softmax's sum over the queries",
            "(dp * p).sum(dim=-1, keepdim=True)",
            "(dp * p).sum(dim=-2, keepdim=True)",
        ),
        ("transpose", "square p not transposed", "dvr = p.transpose(-2, -1) @ do", "dvr = p @ do"),
    ],
)


def linear_attention(q, k, v):
    t = torch.arange(len(q))
    w = torch.tril(0.9 ** (t[:, None] - t).double())
    return (q @ k.T * w) @ v


function(
    "torch_attention.LinearAttention",
    linear_attention,
    [(4, 3), (4, 3), (4, 2)],
    [(3, 2), (3, 2), (3, 4)],
    [
        ("line forgotten", "decay forgotten on the way back", "            dS = LinearAttention.DECAY * dS\n", ""),
        (
            "= for +=",
            "the later steps forgotten",
            "dS = dS + torch.outer(q[t], do[t])",
            "dS = torch.outer(q[t], do[t])",
        ),
        ("off by one", "the state before the step", "dq[t] = states[t] @ do[t]", "dq[t] = states[t - 1] @ do[t]"),
        (
            "order",
            "the step's own share added too late",
            "            dS = dS + torch.outer(q[t], do[t])\n            dk[t] = dS @ v[t]\n",
            "            dk[t] = dS @ v[t]\n            dS = dS + torch.outer(q[t], do[t])\n",
        ),
        ("copy-paste", "dv from q", "dv[t] = k[t] @ dS", "dv[t] = q[t] @ dS"),
        ("iteration order", "forwards in time", "range(q.shape[0] - 1, -1, -1)", "range(q.shape[0])"),
    ],
)


def rope(x, positions):
    d = x.shape[-1]
    angle = positions[:, None, None] * 100.0 ** (-torch.arange(0, d, 2).double() / d)
    z = torch.view_as_complex(x.unflatten(-1, (-1, 2)).contiguous()) * torch.polar(torch.ones_like(angle), angle)
    return torch.view_as_real(z).flatten(-2)


function(
    "torch_attention.Rope",
    rope,
    [(3, 2, 4), lambda rng: rng.permutation(3) + 1],
    [(4, 1, 6), labels(9, 4)],
    [
        (
            "sign",
            "rotated forwards once more",
            "dx[..., 0::2] = de * cos + do * sin",
            "dx[..., 0::2] = de * cos - do * sin",
        ),
        (
            "transpose",
            "the rotation's own formula",
            "= de * cos + do * sin\n        dx[..., 1::2] = do * cos - de * sin",
            "= de * cos - do * sin\n        dx[..., 1::2] = do * cos + de * sin",
        ),
        (
            "operand order",
            "even and odd exchanged",
            "de, do = dy[..., 0::2], dy[..., 1::2]",
            "do, de = dy[..., 0::2], dy[..., 1::2]",
        ),
        (
            "wrong index",
            "halves for pairs",
            "        de, do = dy[..., 0::2], dy[..., 1::2]",
            "        de, do = dy.chunk(2, dim=-1)",
        ),
    ],
)


def selective_scan(x, delta, a, b, c, d):
    h, out = torch.zeros_like(a), []
    for t in range(len(x)):
        h = torch.exp(delta[t][:, None] * a) * h + torch.outer(delta[t] * x[t], b[t])
        out.append(h @ c[t] + d * x[t])
    return torch.stack(out)


function(
    "torch_scan.SelectiveScan",
    selective_scan,
    [(3, 2), positive(3, 2), between(-1.5, -0.2, 2, 4), (3, 4), (3, 4), (2,)],
    [(4, 3), positive(4, 3), between(-1.5, -0.2, 3, 2), (4, 2), (4, 2), (3,)],
    [
        ("off by one", "the state before the step in dc", "dc[t] = hs[t + 1].t() @ dy[t]", "dc[t] = hs[t].t() @ dy[t]"),
        (
            "off by one",
            "the state after the step in the decay",
            "ddecay = dh * hs[t] * decay",
            "ddecay = dh * hs[t + 1] * decay",
        ),
        ("missing factor", "exp's own factor", "ddecay = dh * hs[t] * decay", "ddecay = dh * hs[t]"),
        ("missing path", "the skip connection", " + dy[t] * d\n", "\n"),
        ("missing path", "delta through the decay alone", "(ddecay * a).sum(1) + du * x[t]", "(ddecay * a).sum(1)"),
        ("line forgotten", "the state's gradient not decayed", "            dh = dh * decay\n", ""),
        (
            "= for +=",
            "a's gradient of the first step alone",
            "da += ddecay * delta[t][:, None]",
            "da = ddecay * delta[t][:, None]",
        ),
        (
            "missing factor",
            "delta forgotten in db",
            "(dh * (delta[t] * x[t])[:, None]).sum(0)",
            "(dh * x[t][:, None]).sum(0)",
        ),
    ],
)


def lstm_cell(x, h, c, w_ih, w_hh, b):
    i, f, g, o = (F.linear(x, w_ih, b) + F.linear(h, w_hh)).chunk(4, 1)
    return o.sigmoid() * (f.sigmoid() * c + i.sigmoid() * g.tanh()).tanh()


function(
    "torch_scan.LSTMCellFn",
    lstm_cell,
    [(2, 3), (2, 4), (2, 4), (16, 3), (16, 4), (16,)],
    [(3, 2), (3, 2), (3, 2), (8, 2), (8, 2), (8,)],
    [
        (
            "permutation",
            "gates concatenated as i, f, o, g",
            "                d_g * (1 - g.pow(2)),\n                d_o * o * (1 - o),\n",
            "                d_o * o * (1 - o),\n                d_g * (1 - g.pow(2)),\n",
        ),
        ("missing factor", "output gate", "d_c = grad_h * o * (1 - tc.pow(2))", "d_c = grad_h * (1 - tc.pow(2))"),
        ("copy-paste", "c through the input gate", "            d_c * f,\n", "            d_c * i,\n"),
        ("wrong cached array", "the forget gate's gradient from tanh of the cell", "d_f = d_c * c", "d_f = d_c * tc"),
        ("axis", "bias averaged", "d_gates.sum(0),", "d_gates.mean(0),"),
        ("copy-paste", "candidate's derivative as a sigmoid's", "d_g * (1 - g.pow(2))", "d_g * g * (1 - g)"),
    ],
)


def ema(x, logit):
    keep, m, out = torch.sigmoid(logit), 0, []
    for row in x:
        m = keep * m + (1 - keep) * row
        out.append(m)
    return torch.stack(out)


function(
    "torch_scan.EMA",
    ema,
    [(4, 3), (3,)],
    [(5, 2), (2,)],
    [
        ("line forgotten", "the logit's sigmoid", "return dx, dkeep * keep * (1 - keep)", "return dx, dkeep"),
        ("off by one", "the average after the step", "before = out[t - 1] if t > 0", "before = out[t] if t > 0"),
        ("missing path", "x forgotten in keep's gradient", "dkeep += dm * (before - x[t])", "dkeep += dm * before"),
        (
            "missing path",
            "nothing goes back in time",
            "            dm = keep * dm\n",
            "            dm = torch.zeros_like(keep)\n",
        ),
        ("operand order", "keep and 1 - keep exchanged", "dx[t] = (1 - keep) * dm", "dx[t] = keep * dm"),
    ],
)


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
    return torch.relu(1.2 + F.cosine_similarity(a, n) - F.cosine_similarity(a, p)).mean()


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
