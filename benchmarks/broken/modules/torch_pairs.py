"""Hand-written forward/backward pairs on tensors, for comparing with autograd in a notebook."""

import torch
import torch.nn.functional as F


def mlp_forward(x, w1, b1, w2, b2, y):
    a1 = x @ w1 + b1
    h1 = F.elu(a1, alpha=0.7)
    z = h1 @ w2 + b2
    logp = torch.log_softmax(z, dim=1)
    loss = -logp[torch.arange(len(y)), y].mean()
    return loss, (x, w1, a1, h1, w2, logp.exp(), y)


def mlp_backward(cache):
    x, w1, a1, h1, w2, p, y = cache
    n = len(y)
    dz = p.clone()
    dz[torch.arange(n), y] -= 1
    dz = dz / n
    dw2 = h1.t() @ dz
    db2 = dz.sum(0)
    dh1 = dz @ w2.t()
    da1 = torch.where(a1 > 0, dh1, dh1 * (h1 + 0.7))
    dw1 = x.t() @ da1
    db1 = da1.sum(0)
    dx = da1 @ w1.t()
    return {"x": dx, "w1": dw1, "b1": db1, "w2": dw2, "b2": db2}


def conv_bn_relu(x, w, gamma, beta):
    """conv1d (padding 1, no bias), batch norm over batch and time, relu."""
    n, c, l = x.shape
    cols = F.pad(x, (1, 1)).unfold(2, 3, 1)
    z = torch.einsum("nclk,fck->nfl", cols, w)
    mu = z.mean((0, 2), keepdim=True)
    var = ((z - mu) ** 2).mean((0, 2), keepdim=True)
    istd = (var + 1e-3).rsqrt()
    zh = (z - mu) * istd
    y = gamma[:, None] * zh + beta[:, None]
    return y.clamp(min=0), (x, w, gamma, cols, istd, zh, y)


def conv_bn_relu_backward(dout, cache):
    x, w, gamma, cols, istd, zh, y = cache
    n, f, l = dout.shape
    # relu
    dy = dout * (y > 0)
    # batch norm
    dgamma = (dy * zh).sum((0, 2))
    dbeta = dy.sum((0, 2))
    dzh = dy * gamma[:, None]
    m = n * l
    s1 = dzh.sum((0, 2), keepdim=True)
    s2 = (dzh * zh).sum((0, 2), keepdim=True)
    dz = istd / m * (m * dzh - s1 - zh * s2)
    # convolution
    dw = torch.einsum("nfl,nclk->fck", dz, cols)
    dcols = torch.einsum("nfl,fck->nclk", dz, w)
    dpad = dz.new_zeros(n, x.shape[1], l + 2)
    for k in range(3):
        dpad[:, :, k : k + l] += dcols[:, :, :, k]
    dx = dpad[:, :, 1:-1]
    return dx, dw, dgamma, dbeta


def triplet_cosine(anchor, positive, negative):
    a, p, n = (v / v.norm(dim=1, keepdim=True) for v in (anchor, positive, negative))
    sp, sn = (a * p).sum(1), (a * n).sum(1)
    hinge = torch.relu(1.2 + sn - sp)
    return hinge.mean(), (anchor, positive, negative, a, p, n, hinge)


def unit_backward(g, v, u):
    return (g - u * (g * u).sum(1, keepdim=True)) / v.norm(dim=1, keepdim=True)


def triplet_cosine_backward(dl, cache):
    anchor, positive, negative, a, p, n, hinge = cache
    w = (dl * (hinge > 0) / len(hinge))[:, None]
    da = w * (n - p)
    dp = -w * a
    dn = w * a
    return unit_backward(da, anchor, a), unit_backward(dp, positive, p), unit_backward(dn, negative, n)


def graph_conv(x, adj, w):
    """Symmetrically normalised graph convolution; adj (N, N) booleans with self loops."""
    a = adj.to(x.dtype)
    dout = a.sum(1).rsqrt()
    din = a.sum(0).rsqrt()
    ahat = dout[:, None] * a * din[None, :]
    z = ahat @ (x @ w)
    return torch.tanh(z), (x, w, ahat, torch.tanh(z))


def graph_conv_backward(dh, cache):
    x, w, ahat, h = cache
    dz = dh * (1 - h * h)
    dxw = ahat.t() @ dz
    return dxw @ w.t(), None, x.t() @ dxw


def kl_gaussians(m1, s1, m2, s2):
    """KL(N(m1, s1^2) || N(m2, s2^2)) summed over the last axis, s as log standard deviations."""
    r = torch.exp(2 * (s1 - s2))
    d = (m1 - m2) * torch.exp(-s2)
    return (s2 - s1 + 0.5 * (r + d * d) - 0.5).sum(-1), (r, d, s2)


def kl_gaussians_backward(g, cache):
    r, d, s2 = cache
    g = g.unsqueeze(-1)
    dm1 = g * d * torch.exp(-s2)
    ds1 = g * (r - 1)
    ds2 = g * (1 - r - d * d)
    return dm1, ds1, -dm1, ds2


def mixture_nll(x, logits, means, log_scales):
    """x (N,), K components with shared parameters (K,)"""
    z = (x[:, None] - means) * torch.exp(-log_scales)
    logp = torch.log_softmax(logits, 0) - 0.5 * z**2 - log_scales
    return -torch.logsumexp(logp, 1).mean(), (logits, log_scales, z, logp)


def mixture_nll_backward(cache):
    logits, log_scales, z, logp = cache
    resp = torch.softmax(logp, 1)
    N = len(z)
    inv = torch.exp(-log_scales)
    dx = (resp * z * inv).sum(1) / N
    dlogits = torch.softmax(logits, 0) - resp.mean(0)
    dmeans = -(resp * z * inv).mean(0)
    dlog_scales = (resp * (1 - z**2)).mean(0)
    return dx, dlogits, dmeans, dlog_scales
