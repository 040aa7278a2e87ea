"""autograd.Functions with attention or a recursion in time."""

import torch
import torch.nn.functional as F

from ..draws import between, labels, positive
from ..table import enter


def function(path, reference, inputs, also, slips, backward=None):
    enter("torch", path, backward, reference, inputs, also, slips)


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
