"""Gated feed-forward blocks as Functions."""

import torch
import torch.nn.functional as F


class GatedMLP(torch.autograd.Function):
    """down(relu(gate(x))^2 * up(x)), bias-free, with input RMS norm."""

    @staticmethod
    def forward(ctx, x, g, w_gate, w_up, w_down):
        rstd = torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-3)
        xn = x * rstd
        h = xn * g
        a = h @ w_gate
        b = h @ w_up
        r = F.relu(a)
        m = r * r * b
        ctx.save_for_backward(xn, rstd, g, h, r, b, m, w_gate, w_up, w_down)
        return x + m @ w_down

    @staticmethod
    def backward(ctx, dy):
        xn, rstd, g, h, r, b, m, w_gate, w_up, w_down = ctx.saved_tensors
        dw_down = m.t() @ dy
        dm = dy @ w_down.t()
        db = dm * r * r
        da = dm * b * 2 * r
        dw_gate = h.t() @ da
        dw_up = h.t() @ db
        dh = da @ w_gate.t() + db @ w_up.t()
        dg = (dh * xn).sum(0)
        dxn = dh * g
        dx = rstd * (dxn - xn * (dxn * xn).mean(-1, keepdim=True))
        return dx + dy, dg, dw_gate, dw_up, dw_down


class TopOneRouter(torch.autograd.Function):
    """Switch layer: each token goes to its best expert, scaled by the gate's probability."""

    @staticmethod
    def forward(ctx, x, w_router, experts):
        p = torch.softmax(x @ w_router, dim=1)
        best = p.argmax(1)
        y = torch.einsum("nd,ndk->nk", x, experts[best])
        top = p[torch.arange(len(x)), best]
        ctx.save_for_backward(x, w_router, experts, p, best, y, top)
        return top[:, None] * y

    @staticmethod
    def backward(ctx, dout):
        x, w_router, experts, p, best, y, top = ctx.saved_tensors
        dy = top[:, None] * dout
        dtop = (dout * y).sum(1)
        chosen = F.one_hot(best, p.shape[1]).to(p.dtype)
        dlogits = (dtop * top)[:, None] * (chosen - p)
        dw_router = x.t() @ dlogits
        dexperts = torch.zeros_like(experts)
        dx = dlogits @ w_router.t()
        for e in range(experts.shape[0]):
            rows = best == e
            dexperts[e] = x[rows].t() @ dy[rows]
            dx[rows] += dy[rows] @ experts[e].t()
        return dx, dw_router, dexperts
