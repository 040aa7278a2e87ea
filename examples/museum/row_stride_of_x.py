"""The backward pass walks through dy with the row stride of x."""

import torch

report = "https://github.com/pytorch/pytorch/issues/194719"
what = "A user's kernel takes x's row stride for dy's; behind a torch.cat dy's rows lie further apart."
why_unseen = "gradcheck and opcheck feed contiguous gradients, and the first row is right in any case."


def forward(x):
    return x * x, x


def wrong(dy, x):
    return 2 * x * dy.as_strided(dy.shape, x.stride())


def right(dy, x):
    # forward: y = x^2
    # so:      dx = 2 x dy, entry by entry
    return 2 * x * dy


reference = torch.square
inputs = [(4, 3)]
smallest = [torch.ones(2, 3).double()], torch.arange(12.0).double().reshape(2, 6)[:, :3]
