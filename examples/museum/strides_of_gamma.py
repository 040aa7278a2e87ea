"""torch's own batch normalisation goes back through gamma as if it were contiguous."""

import torch

report = "seen with torch 2.13.0 on a CPU; no public report is known to us"
what = "On a CPU, for an x of two axes, dx reads gamma's neighbours in memory when gamma is a slice of a buffer."
why_unseen = "A module's weight is always contiguous; a slice of a buffer of all parameters is not. Seen in torch 2.13."

EPS = 1e-5


def forward(x, gamma):
    # x (N, D), gamma (D,)
    y, mean, inverse_s = torch.native_batch_norm(x, gamma, None, None, None, True, 0.1, EPS)
    return y, (x, gamma, mean, inverse_s)


def wrong(dy, cache):
    return torch_backward(dy, *cache)


def right(dy, cache):
    x, gamma, mean, inverse_s = cache
    return torch_backward(dy, x, gamma.contiguous(), mean, inverse_s)


def torch_backward(dy, x, gamma, mean, inverse_s):
    saved, outputs = (None, None, mean, inverse_s), [True, True, False]
    return torch.ops.aten.native_batch_norm_backward(dy, x, gamma, *saved, True, EPS, outputs)[:2]


def reference(x, gamma):
    centred = x - x.mean(0)
    return centred / torch.sqrt(centred.square().mean(0) + EPS) * gamma


inputs = [(4, 3), (3,)]
smallest = (
    [
        torch.tensor([[1.0, 2.0], [3.0, 5.0], [4.0, 1.0]]).double(),
        torch.tensor([1.0, 9.0, 2.0, 9.0]).double()[::2],  # gamma is (1, 2), in a buffer
    ],
    torch.eye(3, 2).double(),
)
