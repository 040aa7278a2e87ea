"""A sum over the batch is accumulated in bfloat16."""

import torch

report = "https://github.com/linkedin/Liger-Kernel/issues/950"
what = "The weight's gradient of RMSNorm is summed in the storage precision: 256 + 1 is 256 in bfloat16."
why_unseen = "The tests' tolerance for bfloat16 was wider than what a sum over their few rows loses."


def forward(x, gamma):
    # x (N, D), gamma (D,)
    xhat = widen(x) / widen(x).square().mean(1, keepdim=True).sqrt()
    return (xhat * widen(gamma)).to(x.dtype), (x, gamma)


def wrong(dy, cache):
    x, gamma = cache
    dx, terms = both(dy, x, gamma)
    dgamma = torch.zeros_like(gamma)
    for row in terms.to(gamma.dtype):
        dgamma = dgamma + row
    return dx, dgamma


def right(dy, cache):
    # forward: y[n] = xhat[n] gamma
    # so:      dgamma = sum over n of xhat[n] dy[n], rounded once, at the end
    x, gamma = cache
    dx, terms = both(dy, x, gamma)
    return dx, terms.sum(0).to(gamma.dtype)


def both(dy, x, gamma):
    s = widen(x).square().mean(1, keepdim=True).sqrt()
    xhat, g = widen(x) / s, widen(dy) * widen(gamma)
    return ((g - xhat * (g * xhat).mean(1, keepdim=True)) / s).to(x.dtype), xhat * widen(dy)


def widen(a):
    return a.to(torch.promote_types(a.dtype, torch.float32))


def reference(x, gamma):
    return x / x.square().mean(1, keepdim=True).sqrt() * gamma


_rows = torch.randn(512, 4, generator=torch.Generator().manual_seed(0))
inputs = [_rows.bfloat16(), torch.ones(4).bfloat16()]
smallest = [torch.ones(512, 1).bfloat16(), torch.ones(1).bfloat16()], torch.ones(512, 1).bfloat16()
