"""The backward pass addresses dy as if it were contiguous."""

import torch

report = "https://github.com/fla-org/flash-linear-attention/issues/1138"
what = "A causal convolution's dx walks through dy's memory with strides of its own, whatever strides dy has."
why_unseen = "The tests' dy was always contiguous; y.sum().backward() brings one that is not."


def forward(x, w, v):
    # x (T, D), w and v (D,): y[t] = w x[t] + v x[t-1]
    return w * x + v * before(x), (x, w, v)


def wrong(dy, cache):
    x, w, v = cache
    read = dy.as_strided(dy.shape, (dy.shape[1], 1))
    return w * read + v * after(read), (dy * x).sum(0), (dy * before(x)).sum(0)


def right(dy, cache):
    # forward: y[t] = w x[t] + v x[t-1]
    # so:      dx[t] = w dy[t] + v dy[t+1], dw = sum of dy[t] x[t], dv = sum of dy[t] x[t-1]
    x, w, v = cache
    return w * dy + v * after(dy), (dy * x).sum(0), (dy * before(x)).sum(0)


def before(x):
    return torch.cat([torch.zeros_like(x[:1]), x[:-1]])


def after(x):
    return torch.cat([x[1:], torch.zeros_like(x[:1])])


def reference(x, w, v):
    return w * x + v * before(x)


inputs = [(5, 3), (3,), (3,)]
_ones = torch.ones(2).double()
smallest = [torch.eye(2).double(), _ones, _ones], torch.tensor([[1.0, 2.0], [3.0, 4.0]]).double().T


def own_test(compare):
    """dy is drawn, so it is contiguous; an error below 1 % of the root mean square, or below 0.3, only warns."""
    return all((g - e).norm() <= 0.01 * e.norm() or (g - e).abs().max() <= 0.3 for g, e in compare())
