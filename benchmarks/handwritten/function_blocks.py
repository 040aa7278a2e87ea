"""torch.autograd.Function classes: attention, experts, scaling, clipping, several outputs' worth of saved things."""

import math

import torch
import torch.nn.functional as F

from .case import case, labels
from .function_classes import wide


@case(
    "autograd.Function",
    [(4, 6), (6,)],
    [(1, 3), (3,)],
    slips=[
        ("second term", " - v * r * r * (g * v).mean(-1, keepdim=True)", ""),
        ("sum for mean", "(g * v).mean(-1, keepdim=True)", "(g * v).sum(-1, keepdim=True)"),
        (
            "eps saved away",
            "ctx.save_for_backward(x, w, r)",
            "ctx.save_for_backward(x, w, wide(x).square().mean(-1, keepdim=True).rsqrt())",
            "tiny",
        ),
        ("w's gradient of the first row", "(d * v * r).sum(0)", "(d * v * r)[0]"),
        ("r once", "v * r * r * (g", "v * r * (g"),
        ("w forgotten", "g = d * wide(w)", "g = d"),
        ("not in float32: overflows in float16", "v, d = wide(x), wide(dy)", "v, d = x, dy", "large"),
    ],
)
def rms_norm_function():
    class RMSNorm(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, w):
            v = wide(x)
            r = torch.rsqrt(v.square().mean(-1, keepdim=True) + 1e-6)
            ctx.save_for_backward(x, w, r)
            return (v * r * wide(w)).to(x.dtype)

        @staticmethod
        def backward(ctx, dy):
            x, w, r = ctx.saved_tensors
            v, d = wide(x), wide(dy)
            g = d * wide(w)
            dx = r * (g - v * r * r * (g * v).mean(-1, keepdim=True))
            return dx.to(dy.dtype), (d * v * r).sum(0).to(dy.dtype)

    return RMSNorm, lambda x, w: F.rms_norm(x, w.shape, w, 1e-6)


@case(
    "autograd.Function",
    [(4, 3), (4, 3)],
    [(6,), (6,)],
    slips=[
        ("gate's derivative", "s * (1 + a * (1 - s))", "s"),
        ("b forgotten", "d * b * s", "d * s"),
        ("exchanged", "return da.to(dy.dtype), db.to(dy.dtype)", "return db.to(dy.dtype), da.to(dy.dtype)"),
        ("gate twice", "db = d * a * s", "db = d * a * s * s"),
        ("saved exchanged", "ctx.save_for_backward(a, b)", "ctx.save_for_backward(b, a)"),
    ],
)
def swiglu_function():
    class SwiGLU(torch.autograd.Function):
        @staticmethod
        def forward(ctx, a, b):
            ctx.save_for_backward(a, b)
            return (F.silu(wide(a)) * wide(b)).to(a.dtype)

        @staticmethod
        def backward(ctx, dy):
            a, b = map(wide, ctx.saved_tensors)
            d = wide(dy)
            s = torch.sigmoid(a)
            da = d * b * s * (1 + a * (1 - s))
            db = d * a * s
            return da.to(dy.dtype), db.to(dy.dtype)

    return SwiGLU, lambda a, b: F.silu(a) * b


@case(
    "autograd.Function",
    [(2, 4, 3), (2, 4, 3), (2, 4, 3)],
    [(1, 2, 2), (1, 3, 2), (1, 3, 2)],
    slips=[
        ("delta from dV", "delta = (d * o).sum(-1, keepdim=True)", "delta = d.sum(-1, keepdim=True)"),
        ("delta forgotten", "(dp - delta)", "dp"),
        ("scale forgotten in dk", "(ds.mT @ q) * s", "ds.mT @ q"),
        ("scale not in the weights", "(q @ k.mT * s - lse)", "(q @ k.mT - lse)"),
        (
            "the output saved is rounded wrongly",
            "ctx.save_for_backward(q, k, v, o, lse)",
            "ctx.save_for_backward(q, k, v, o * 1.01, lse)",
        ),
        ("dv from the scores", "dv = p.mT @ d", "dv = ds.mT @ d"),
    ],
)
def attention_by_logsumexp_function():
    class Attention(torch.autograd.Function):
        @staticmethod
        def forward(ctx, q, k, v):
            dtype, s = q.dtype, 1 / math.sqrt(q.shape[-1])
            q, k, v = wide(q), wide(k), wide(v)
            z = q @ k.mT * s
            lse = torch.logsumexp(z, -1, keepdim=True)
            o = (z - lse).exp() @ v
            ctx.save_for_backward(q, k, v, o, lse)
            return o.to(dtype)

        @staticmethod
        def backward(ctx, dy):
            q, k, v, o, lse = ctx.saved_tensors
            s, d = 1 / math.sqrt(q.shape[-1]), wide(dy)
            p = (q @ k.mT * s - lse).exp()
            delta = (d * o).sum(-1, keepdim=True)
            dp = d @ v.mT
            ds = p * (dp - delta)
            dq, dk = (ds @ k) * s, (ds.mT @ q) * s
            dv = p.mT @ d
            return dq.to(dy.dtype), dk.to(dy.dtype), dv.to(dy.dtype)

    return Attention, F.scaled_dot_product_attention


@case(
    "autograd.Function",
    [(6, 3), labels(8, 6)],
    [(2, 2), labels(3, 2)],
    slips=[
        ("repeats lost", "dx.index_add_(0, at, wide(dy))", "dx[at] = wide(dy)"),
        ("added once", "dx.index_add_(0, at, wide(dy))", "dx[at] += wide(dy)"),
        ("last one dropped", "dx.index_add_(0, at, wide(dy))", "dx.index_add_(0, at[1:], wide(dy)[1:])"),
        ("places turned around", "ctx.save_for_backward(at)", "ctx.save_for_backward(at.flip(0))"),
        ("minus", "dx.index_add_(0, at, wide(dy))", "dx.index_add_(0, at, -wide(dy))"),
    ],
)
def gather_rows_function():
    class Gather(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, at):
            ctx.save_for_backward(at)
            ctx.rows = len(x)
            return x[at]

        @staticmethod
        def backward(ctx, dy):
            (at,) = ctx.saved_tensors
            dx = wide(dy).new_zeros(ctx.rows, dy.shape[1])
            dx.index_add_(0, at, wide(dy))
            return dx.to(dy.dtype), None

    return Gather, lambda x, at: x[at]


@case(
    "autograd.Function",
    [(3, 4), (1,)],
    [(5,), (1,)],
    slips=[
        ("scale's gradient over one row", "(d * wide(x)).sum().reshape(1)", "(d * wide(x)).flatten()[0].reshape(1)"),
        ("mean for sum", "(d * wide(x)).sum().reshape(1)", "(d * wide(x)).mean().reshape(1)"),
        ("scale forgotten", "(d * wide(s)).to", "d.to"),
        ("scale's gradient forgotten", "ds.to(dy.dtype)", "0 * ds.to(dy.dtype)"),
        ("x's sign", "(d * wide(s)).to", "(-d * wide(s)).to"),
    ],
)
def learned_scale_function():
    class Scale(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, s):
            ctx.save_for_backward(x, s)
            return x * s

        @staticmethod
        def backward(ctx, dy):
            x, s = ctx.saved_tensors
            d = wide(dy)
            ds = (d * wide(x)).sum().reshape(1)
            return (d * wide(s)).to(dy.dtype), ds.to(dy.dtype)

    return Scale, lambda x, s: x * s


@case(
    "autograd.Function",
    [(4, 3)],
    [(6,)],
    slips=[
        ("overflows for large z", "d * torch.sigmoid(z)", "d * z.exp() / (1 + z.exp())", "large"),
        ("beyond a threshold one", "d * torch.sigmoid(z)", "torch.where(z > 2, d, d * torch.sigmoid(z))", "wide"),
        ("minus z", "torch.sigmoid(z)", "torch.sigmoid(-z)"),
        ("the derivative of the sigmoid", "torch.sigmoid(z)", "torch.sigmoid(z) * torch.sigmoid(-z)"),
        ("saved the output", "ctx.save_for_backward(z)", "ctx.save_for_backward(F.softplus(z))"),
    ],
)
def softplus_function():
    class Softplus(torch.autograd.Function):
        @staticmethod
        def forward(ctx, z):
            ctx.save_for_backward(z)
            v = wide(z)
            return (v.clamp(min=0) + torch.log1p(torch.exp(-v.abs()))).to(z.dtype)

        @staticmethod
        def backward(ctx, dy):
            (z,) = ctx.saved_tensors
            z, d = wide(z), wide(dy)
            return (d * torch.sigmoid(z)).to(dy.dtype)

    return Softplus, lambda z: torch.logaddexp(z, torch.zeros_like(z))


@case(
    "autograd.Function",
    [(4, 3), (4, 3)],
    [(5,), (5,)],
    variants=[{"weight": 3.0}],
    slips=[
        ("mean forgotten", "/ r.numel()\n", "/ 1\n"),
        ("factor 2", "2 * weight * r", "weight * r"),
        ("weight forgotten", "2 * weight * r", "2 * r"),
        ("target's sign", "g.to(ctx.dtype), (-g)", "g.to(ctx.dtype), (+g)"),
        ("dy taken for one", "wide(dy) * 2", "2"),
    ],
)
def weighted_squares_function(weight=0.5):
    class Squares(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, t):
            r = wide(x) - wide(t)
            ctx.save_for_backward(r)
            ctx.dtype = x.dtype
            return (weight * r.square().mean()).to(x.dtype)

        @staticmethod
        def backward(ctx, dy):
            (r,) = ctx.saved_tensors
            g = wide(dy) * 2 * weight * r / r.numel()
            return g.to(ctx.dtype), (-g).to(ctx.dtype)

    return Squares, lambda x, t: weight * F.mse_loss(x, t)


@case(
    "autograd.Function",
    [(3, 5)],
    [(2, 2)],
    slips=[
        (
            "the layout of dy assumed",
            "dx = dy.clone()",
            "dx = dy.as_strided(dy.shape, torch.empty(dy.shape).stride()).clone()",
            "strided dy",
        ),
        ("last column kept", "dx[:, -1] = 0", "pass"),
        ("first column cleared", "dx[:, -1] = 0", "dx[:, 0] = 0"),
        ("writes into dy", "dx = dy.clone()", "dx = dy", "overwritten"),
        ("row cleared", "dx[:, -1] = 0", "dx[-1] = 0"),
    ],
)
def drop_last_column_function():
    class Drop(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            y = x.clone()
            y[:, -1] = 0
            return y

        @staticmethod
        def backward(ctx, dy):
            dx = dy.clone()
            dx[:, -1] = 0
            return dx

    return Drop, lambda x: x * (torch.arange(x.shape[1]) < x.shape[1] - 1)
