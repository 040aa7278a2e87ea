import torch


class Attention(torch.autograd.Function):
    """Grouped-query attention: q (B, Hq, T, D), k and v (B, Hk, T, D), Hq a multiple of Hk; causal."""

    @staticmethod
    def forward(ctx, q, k, v):
        rep = q.shape[1] // k.shape[1]
        kr = k.repeat_interleave(rep, dim=1)
        vr = v.repeat_interleave(rep, dim=1)
        scale = q.shape[-1] ** -0.5
        s = (q @ kr.transpose(-2, -1)) * scale
        t = q.shape[2]
        s = s.masked_fill(torch.ones(t, t, dtype=torch.bool).triu(1), float("-inf"))
        p = torch.softmax(s, dim=-1)
        ctx.save_for_backward(q, kr, vr, p)
        ctx.scale, ctx.rep = scale, rep
        return p @ vr

    @staticmethod
    def backward(ctx, do):
        q, kr, vr, p = ctx.saved_tensors
        b, hq, t, d = q.shape
        hk = hq // ctx.rep
        dvr = p.transpose(-2, -1) @ do
        dp = do @ vr.transpose(-2, -1)
        ds = p * (dp - (dp * p).sum(dim=-1, keepdim=True))
        dq = ds @ kr * ctx.scale
        dkr = ds.transpose(-2, -1) @ q * ctx.scale
        # sum over the queries' heads that share a key head
        dk = dkr.view(b, hk, ctx.rep, t, d).sum(2)
        dv = dvr.view(b, hk, ctx.rep, t, d).sum(2)
        return dq, dk, dv


class LinearAttention(torch.autograd.Function):
    """Causal linear attention without normaliser: o_t = q_t sum_{s <= t} k_s v_s^T, with decay per step."""

    DECAY = 0.9

    @staticmethod
    def forward(ctx, q, k, v):
        T = q.shape[0]
        S = q.new_zeros(k.shape[1], v.shape[1])
        states, out = [], []
        for t in range(T):
            S = LinearAttention.DECAY * S + torch.outer(k[t], v[t])
            states.append(S)
            out.append(q[t] @ S)
        ctx.save_for_backward(q, k, v, torch.stack(states))
        return torch.stack(out)

    @staticmethod
    def backward(ctx, do):
        q, k, v, states = ctx.saved_tensors
        dq, dk, dv = torch.zeros_like(q), torch.zeros_like(k), torch.zeros_like(v)
        dS = torch.zeros_like(states[0])
        for t in range(q.shape[0] - 1, -1, -1):
            dq[t] = states[t] @ do[t]
            dS = dS + torch.outer(q[t], do[t])
            dk[t] = dS @ v[t]
            dv[t] = k[t] @ dS
            dS = LinearAttention.DECAY * dS
        return dq, dk, dv


class Rope(torch.autograd.Function):
    """Rotary embedding on interleaved pairs; x (T, H, D), positions (T,) whole numbers."""

    @staticmethod
    def forward(ctx, x, positions):
        d = x.shape[-1]
        freq = 100.0 ** (-torch.arange(0, d, 2, dtype=x.dtype) / d)
        angle = positions[:, None, None] * freq
        cos, sin = angle.cos(), angle.sin()
        ctx.save_for_backward(cos, sin)
        even, odd = x[..., 0::2], x[..., 1::2]
        out = torch.empty_like(x)
        out[..., 0::2] = even * cos - odd * sin
        out[..., 1::2] = even * sin + odd * cos
        return out

    @staticmethod
    def backward(ctx, dy):
        cos, sin = ctx.saved_tensors
        de, do = dy[..., 0::2], dy[..., 1::2]
        dx = torch.empty_like(dy)
        dx[..., 0::2] = de * cos + do * sin
        dx[..., 1::2] = do * cos - de * sin
        return dx, None
