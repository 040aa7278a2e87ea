"""Post-norm transformer encoder layer as one autograd.Function, saved tensors and all."""

import math

import torch


def _ln(x, g, b):
    mu = x.mean(-1, keepdim=True)
    rstd = torch.rsqrt((x - mu).square().mean(-1, keepdim=True) + 1e-3)
    xhat = (x - mu) * rstd
    return xhat * g + b, xhat, rstd


class EncoderLayer(torch.autograd.Function):
    """x (B, T, D); pad (B, T) True where there is a token."""

    @staticmethod
    def forward(ctx, x, wqkv, wo, g1, b1, w1, c1, w2, c2, g2, b2, pad):
        q, k, v = (x @ wqkv).chunk(3, dim=-1)
        s = q @ k.transpose(1, 2) / math.sqrt(q.shape[-1])
        s = s.masked_fill(~pad[:, None, :], float("-inf"))
        p = s.softmax(-1)
        ctxv = p @ v
        h, xhat1, rstd1 = _ln(x + ctxv @ wo, g1, b1)
        u = (h @ w1 + c1).relu()
        y, xhat2, rstd2 = _ln(h + u @ w2 + c2, g2, b2)
        ctx.save_for_backward(x, wqkv, wo, g1, w1, w2, g2, q, k, v, p, ctxv, h, xhat1, rstd1, u, xhat2, rstd2)
        return y

    @staticmethod
    def backward(ctx, dy):
        x, wqkv, wo, g1, w1, w2, g2, q, k, v, p, ctxv, h, xhat1, rstd1, u, xhat2, rstd2 = ctx.saved_tensors
        D = x.shape[-1]
        flat = lambda m: m.reshape(-1, m.shape[-1])  # noqa: E731

        # second norm
        dg2 = flat(dy * xhat2).sum(0)
        db2 = flat(dy).sum(0)
        t = dy * g2
        dr2 = rstd2 * (t - t.mean(-1, keepdim=True) - xhat2 * (t * xhat2).mean(-1, keepdim=True))

        # feed-forward
        dc2 = flat(dr2).sum(0)
        dw2 = flat(u).t() @ flat(dr2)
        du = dr2 @ w2.t()
        du = du * (u > 0)
        dc1 = flat(du).sum(0)
        dw1 = flat(h).t() @ flat(du)
        dh = dr2 + du @ w1.t()

        # first norm
        dg1 = flat(dh * xhat1).sum(0)
        db1 = flat(dh).sum(0)
        t = dh * g1
        dr1 = rstd1 * (t - t.mean(-1, keepdim=True) - xhat1 * (t * xhat1).mean(-1, keepdim=True))

        # attention
        dwo = flat(ctxv).t() @ flat(dr1)
        dctx = dr1 @ wo.t()
        dv = p.transpose(1, 2) @ dctx
        dp = dctx @ v.transpose(1, 2)
        ds = p * (dp - (dp * p).sum(-1, keepdim=True))
        ds = ds / math.sqrt(q.shape[-1])
        dq = ds @ k
        dk = ds.transpose(1, 2) @ q
        dqkv = torch.cat([dq, dk, dv], dim=-1)
        dwqkv = flat(x).t() @ flat(dqkv)
        dx = dr1 + dqkv @ wqkv.t()
        return dx, dwqkv, dwo, dg1, db1, dw1, dc1, dw2, dc2, dg2, db2, None
