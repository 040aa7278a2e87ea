"""State-space scan and recurrent cells as autograd Functions."""

import torch


class SelectiveScan(torch.autograd.Function):
    """h_t = exp(delta_t a) h_{t-1} + delta_t b_t x_t ; y_t = sum_n c_t h_t + d x_t.

    x, delta (L, D); a (D, N); b, c (L, N); d (D,)
    """

    @staticmethod
    def forward(ctx, x, delta, a, b, c, d):
        h = x.new_zeros(a.shape)
        hs, ys = [h], []
        for t in range(x.shape[0]):
            decay = torch.exp(delta[t][:, None] * a)
            h = decay * h + (delta[t] * x[t])[:, None] * b[t]
            hs.append(h)
            ys.append(h @ c[t] + d * x[t])
        ctx.save_for_backward(x, delta, a, b, c, d, torch.stack(hs))
        return torch.stack(ys)

    @staticmethod
    def backward(ctx, dy):
        x, delta, a, b, c, d, hs = ctx.saved_tensors
        dx, ddelta = torch.zeros_like(x), torch.zeros_like(delta)
        da, db, dc = torch.zeros_like(a), torch.zeros_like(b), torch.zeros_like(c)
        dd = (dy * x).sum(0)
        dh = torch.zeros_like(a)
        for t in range(x.shape[0] - 1, -1, -1):
            # hs[t] is the state before step t, hs[t + 1] the one after it
            dc[t] = hs[t + 1].t() @ dy[t]
            dh = dh + dy[t][:, None] * c[t]
            decay = torch.exp(delta[t][:, None] * a)
            ddecay = dh * hs[t] * decay
            da += ddecay * delta[t][:, None]
            du = dh @ b[t]
            ddelta[t] = (ddecay * a).sum(1) + du * x[t]
            dx[t] = du * delta[t] + dy[t] * d
            db[t] = (dh * (delta[t] * x[t])[:, None]).sum(0)
            dh = dh * decay
        return dx, ddelta, da, db, dc, dd


class LSTMCellFn(torch.autograd.Function):
    """Returns h only; gates in the order i, f, g, o as in torch."""

    @staticmethod
    def forward(ctx, x, h, c, w_ih, w_hh, b):
        gates = x @ w_ih.t() + h @ w_hh.t() + b
        i, f, g, o = gates.chunk(4, 1)
        i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
        c_new = f * c + i * g
        tc = c_new.tanh()
        ctx.save_for_backward(x, h, c, w_ih, w_hh, i, f, g, o, tc)
        return o * tc

    @staticmethod
    def backward(ctx, grad_h):
        x, h, c, w_ih, w_hh, i, f, g, o, tc = ctx.saved_tensors
        d_o = grad_h * tc
        d_c = grad_h * o * (1 - tc.pow(2))
        d_i = d_c * g
        d_g = d_c * i
        d_f = d_c * c
        d_gates = torch.cat(
            [
                d_i * i * (1 - i),
                d_f * f * (1 - f),
                d_g * (1 - g.pow(2)),
                d_o * o * (1 - o),
            ],
            dim=1,
        )
        return (
            d_gates @ w_ih,
            d_gates @ w_hh,
            d_c * f,
            d_gates.t() @ x,
            d_gates.t() @ h,
            d_gates.sum(0),
        )


class EMA(torch.autograd.Function):
    """Exponential moving average along time, keep per channel given by a logit."""

    @staticmethod
    def forward(ctx, x, logit):
        keep = torch.sigmoid(logit)
        m = torch.zeros_like(x[0])
        out = []
        for row in x:
            m = keep * m + (1 - keep) * row
            out.append(m)
        out = torch.stack(out)
        ctx.save_for_backward(x, keep, out)
        return out

    @staticmethod
    def backward(ctx, dout):
        x, keep, out = ctx.saved_tensors
        dx = torch.empty_like(x)
        dkeep = torch.zeros_like(keep)
        dm = torch.zeros_like(keep)
        for t in reversed(range(x.shape[0])):
            dm = dm + dout[t]
            before = out[t - 1] if t > 0 else torch.zeros_like(keep)
            dx[t] = (1 - keep) * dm
            dkeep += dm * (before - x[t])
            dm = keep * dm
        return dx, dkeep * keep * (1 - keep)
