"""A sum over the batch is accumulated in bfloat16."""

import torch

report = "https://github.com/linkedin/Liger-Kernel/pull/950"
what = "The gradient of RMSNorm's weight is summed in the storage precision, where 256 + 1 is 256."
why_unseen = "The tests' tolerance for bfloat16 was wide enough for it."


def forward(xhat, gamma):
    # xhat (N, D) normalised rows, gamma (D,)
    return xhat * gamma, (xhat, gamma)


def wrong(dy, cache):
    xhat, gamma = cache
    dgamma = torch.zeros_like(gamma)
    for row in dy * xhat:
        dgamma = dgamma + row
    return dy * gamma, dgamma


def right(dy, cache):
    # forward: y[n] = xhat[n] gamma
    # so:      dgamma = sum over n of dy[n] xhat[n], in float32 at least, and rounded once
    xhat, gamma = cache
    wide = torch.promote_types(dy.dtype, torch.float32)
    dgamma = (dy.to(wide) * xhat.to(wide)).sum(0)
    return dy * gamma, dgamma.to(gamma.dtype)


def reference(xhat, gamma):
    return xhat * gamma


_rows = torch.randn(512, 2, generator=torch.Generator().manual_seed(0))
inputs = [_rows.bfloat16(), torch.ones(2).bfloat16()]
asked = {"inputs": [(64, 2), (2,)], "dtype": "bfloat16", "precision": "float32 inside"}
smallest = [torch.ones(512, 1).bfloat16(), torch.ones(1).bfloat16()], torch.ones(512, 1).bfloat16()
