"""Custom ops with their own backward."""

import math

import torch
from torch.autograd import Function


class SwishBeta(Function):
    """x * sigmoid(beta x) with one learned beta per channel (last axis)."""

    @staticmethod
    def forward(ctx, x, beta):
        s = torch.sigmoid(beta * x)
        ctx.save_for_backward(x, beta, s)
        return x * s

    @staticmethod
    def backward(ctx, grad_output):
        x, beta, s = ctx.saved_tensors
        ds = s * (1 - s)
        grad_x = grad_output * (s + beta * x * ds)
        grad_beta = (grad_output * x * x * ds).reshape(-1, x.shape[-1]).sum(0)
        return grad_x, grad_beta


class LinearLeaky(Function):
    @staticmethod
    def forward(ctx, input, weight, bias, slope):
        pre = input @ weight.t() + bias
        out = torch.where(pre > 0, pre, slope * pre)
        ctx.save_for_backward(input, weight, out)
        ctx.slope = slope
        return out

    @staticmethod
    def backward(ctx, grad_output):
        input, weight, out = ctx.saved_tensors
        g = torch.where(out > 0, grad_output, ctx.slope * grad_output)
        grad_input = grad_weight = grad_bias = None
        if ctx.needs_input_grad[0]:
            grad_input = g @ weight
        if ctx.needs_input_grad[1]:
            grad_weight = g.t() @ input
        if ctx.needs_input_grad[2]:
            grad_bias = g.sum(0)
        return grad_input, grad_weight, grad_bias, None


def linear_leaky(x, w, b):
    return LinearLeaky.apply(x, w, b, 0.1)


class GroupNorm(Function):
    @staticmethod
    def forward(ctx, x, weight, bias):
        n, c, l = x.shape
        xg = x.reshape(n, 2, -1)
        mean = xg.mean(-1, keepdim=True)
        rstd = torch.rsqrt(xg.var(-1, unbiased=False, keepdim=True) + 1e-3)
        xhat = ((xg - mean) * rstd).reshape(n, c, l)
        ctx.save_for_backward(xhat, rstd, weight)
        return xhat * weight[:, None] + bias[:, None]

    @staticmethod
    def backward(ctx, dy):
        xhat, rstd, weight = ctx.saved_tensors
        n, c, l = dy.shape
        dweight = (dy * xhat).sum((0, 2))
        dbias = dy.sum((0, 2))
        dxhat = (dy * weight[:, None]).reshape(n, 2, -1)
        xh = xhat.reshape(n, 2, -1)
        c1 = (dxhat * xh).mean(-1, keepdim=True)
        c2 = dxhat.mean(-1, keepdim=True)
        dx = rstd * (dxhat - xh * c1 - c2)
        return dx.reshape(n, c, l), dweight, dbias


class FocalBinary(Function):
    """Mean focal loss with logits; targets are whole numbers 0 and 1."""

    @staticmethod
    def forward(ctx, logits, targets):
        z = torch.where(targets == 1, logits, -logits)
        log_pt = torch.nn.functional.logsigmoid(z)
        q = torch.sigmoid(-z)  # 1 - pt
        ctx.save_for_backward(log_pt, q, targets)
        return (-(q**2) * log_pt).mean()

    @staticmethod
    def backward(ctx, grad):
        log_pt, q, targets = ctx.saved_tensors
        sign = 2 * targets - 1
        pt = torch.exp(log_pt)
        d = q**2 * (2 * pt * log_pt - q)
        return grad * sign * d / pt.numel(), None


class LogSumExpT(Function):
    """T * logsumexp(x / T) over the last axis, T learned (scalar)."""

    @staticmethod
    def forward(ctx, x, T):
        lse = torch.logsumexp(x / T, dim=-1)
        ctx.save_for_backward(x, T, lse)
        return T * lse

    @staticmethod
    def backward(ctx, dy):
        x, T, lse = ctx.saved_tensors
        p = torch.exp(x / T - lse.unsqueeze(-1))
        dx = dy.unsqueeze(-1) * p
        dT = (dy * (lse - (p * x).sum(-1) / T)).sum()
        return dx, dT


class BagMean(Function):
    """EmbeddingBag with mean, ids (B, L)."""

    @staticmethod
    def forward(ctx, table, ids):
        ctx.save_for_backward(ids)
        ctx.rows = table.shape[0]
        return table[ids].mean(1)

    @staticmethod
    def backward(ctx, dout):
        (ids,) = ctx.saved_tensors
        B, L = ids.shape
        spread = dout.unsqueeze(1).expand(B, L, -1) / L
        grad = dout.new_zeros(ctx.rows, dout.shape[1])
        grad.index_add_(0, ids.reshape(-1), spread.reshape(B * L, -1))
        return grad, None


class GELUErf(Function):
    @staticmethod
    def forward(ctx, u, v):
        cdf = 0.5 * (1 + torch.erf(u / math.sqrt(2)))
        ctx.save_for_backward(u, v, cdf)
        return u * cdf * v

    @staticmethod
    def backward(ctx, do):
        u, v, cdf = ctx.saved_tensors
        pdf = torch.exp(-0.5 * u * u) / math.sqrt(2 * math.pi)
        du = do * v * (cdf + u * pdf)
        dv = do * u * cdf
        return du, dv


class ClampSTE(Function):
    """Quantise-free clamp to learned bounds per column; values outside hand their gradient to the bound."""

    @staticmethod
    def forward(ctx, x, low, high):
        ctx.save_for_backward(x, low, high)
        return torch.minimum(torch.maximum(x, low), high)

    @staticmethod
    def backward(ctx, g):
        x, low, high = ctx.saved_tensors
        below, above = x < low, x > high
        gx = g.masked_fill(below | above, 0.0)
        glow = (g * below).sum(0)
        ghigh = (g * above).sum(0)
        return gx, glow, ghigh
