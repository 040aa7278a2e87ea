"""Slips in torch code that hide: in one layout, call, precision, or set of inputs that need a gradient."""

import torch
import torch.nn.functional as F

from .case import case
from .function_classes import wide


@case(
    "autograd.Function",
    [(4, 3), (4, 3)],
    [(1, 2), (1, 2)],
    slips=[
        (
            "b's gradient only where a needs one",
            "if ctx.needs_input_grad[1]:",
            "if all(ctx.needs_input_grad):",
            "last alone",
        ),
        ("kept on the class", "a, b = ctx.saved_tensors", "a, b = Product.last", "interleaved"),
        ("view of dy", "dy * b", "dy.view(-1).view(dy.shape) * b", "strided dy"),
        ("memory of dy", "dy * b", "torch.as_strided(dy, dy.shape, b.contiguous().stride()) * b", "strided dy"),
        ("memory of a", "dy * a", "dy * torch.as_strided(a, a.shape, torch.empty(a.shape).stride())", "strided inputs"),
        ("dy overwritten", "dy * b", "dy.mul_(b)", "overwritten"),
        ("large dy clipped", "dy * b", "dy.clamp(-100, 100) * b", "large dy"),
    ],
)
def product_function():
    class Product(torch.autograd.Function):
        @staticmethod
        def forward(ctx, a, b):
            ctx.save_for_backward(a, b)
            Product.last = a, b
            return a * b

        @staticmethod
        def backward(ctx, dy):
            a, b = ctx.saved_tensors
            da = db = None
            if ctx.needs_input_grad[1]:
                db = dy * a
            if ctx.needs_input_grad[0]:
                da = dy * b
            return da, db

    return Product, lambda a, b: a * b


@case(
    "autograd.Function",
    [(6, 4), (4,)],
    [(1, 3), (3,)],
    slips=[
        ("no sum at all for a batch of one", "d.sum(0)", "(d.sum(0) if len(d) > 1 else 0 * d[0])", "other shapes"),
        ("bias summed in bfloat16", "d.sum(0)", "d.bfloat16().sum(0)"),
        ("through float16", "d = wide(dy)", "d = dy.half().to(wide(dy).dtype)"),
        ("gate's threshold", "(x + b > 0)", "(x + b > 1e-3)", "tiny"),
        ("bias left out of the gate", "(x + b > 0)", "(x > 0)"),
    ],
)
def biased_relu_function():
    class BiasedReLU(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, b):
            ctx.save_for_backward(x, b)
            return torch.relu(x + b)

        @staticmethod
        def backward(ctx, dy):
            x, b = ctx.saved_tensors
            d = wide(dy)
            d = d * (x + b > 0)
            return d.to(dy.dtype), d.sum(0).to(dy.dtype)

    return BiasedReLU, lambda x, b: torch.relu(x + b)


@case(
    "torch",
    [(4, 3)],
    [(6,)],
    slips=[
        ("threshold of 20 in float64", "torch.sigmoid(z)", "torch.where(z > 20, 1, torch.sigmoid(z))", "far"),
        ("zero below -20", "torch.sigmoid(z)", "torch.where(z < -20, 0, torch.sigmoid(z))", "far negative"),
        ("overflows: nan for large z", "torch.sigmoid(z)", "z.exp() / (1 + z.exp())", "large"),
        ("hard sigmoid", "torch.sigmoid(z)", "(z / 4 + 0.5).clamp(0, 1)"),
        ("a constant of float32", "dy * torch.sigmoid(z)", "dy * torch.sigmoid(z) * float(torch.tensor(0.1)) / 0.1"),
    ],
)
def softplus_torch():
    def forward(z):
        return torch.logaddexp(z, torch.zeros_like(z)), z

    def backward(dy, z):
        return dy * torch.sigmoid(z)

    return forward, backward, lambda z: torch.logaddexp(z, torch.zeros_like(z))


@case(
    "torch",
    [(4, 5)],
    [(2, 2)],
    slips=[
        (
            "all ties share",
            "dx.scatter_(1, at, dy)",
            "ties = (x == x.amax(1, keepdim=True)); dx = dy * ties / ties.sum(1, keepdim=True)",
            "constant",
        ),
        ("all ties get all", "dx.scatter_(1, at, dy)", "dx = dy * (x == x.amax(1, keepdim=True))", "constant"),
        ("one row's place for all", "dx.scatter_(1, at, dy)", "dx.scatter_(1, at[:1].expand_as(at), dy)"),
        ("negative for the maximum of -x", "dx.scatter_(1, at, dy)", "dx.scatter_(1, at, -dy)"),
        ("near the maximum too", "dx.scatter_(1, at, dy)", "dx = dy * (x > x.amax(1, keepdim=True) - 0.3)"),
    ],
)
def max_with_index_torch():
    def forward(x):
        y, at = x.max(1, keepdim=True)
        return y, (x, at)

    def backward(dy, cache):
        x, at = cache
        dx = torch.zeros_like(x)
        dx.scatter_(1, at, dy)
        return dx

    return forward, backward, lambda x: x.gather(1, x.max(1, keepdim=True).indices)


@case(
    "torch",
    [(4, 6), (6,)],
    [(2, 3), (3,)],
    slips=[
        (
            "eps ten times larger",
            "r = torch.rsqrt(ms + 1e-6)\n        g",
            "r = torch.rsqrt(ms + 1e-5)\n        g",
            "tiny",
        ),
        (
            "eps outside of the root",
            "r = torch.rsqrt(ms + 1e-6)\n        g",
            "r = 1 / (ms.sqrt() + 1e-6)\n        g",
            "tiny",
        ),
        ("eps ignored", "r = torch.rsqrt(ms + 1e-6)\n        g", "r = torch.rsqrt(ms)\n        g", "tiny"),
        ("dw over features", "(dy * x * r).sum(0)", "(dy * x * r).mean(0)"),
        ("r of the first row", "dx = r * (g", "dx = r[:1] * (g"),
    ],
)
def rms_norm_torch():
    def forward(x, w):
        ms = x.square().mean(-1, keepdim=True)
        return x * torch.rsqrt(ms + 1e-6) * w, (x, w, ms)

    def backward(dy, cache):
        x, w, ms = cache
        r = torch.rsqrt(ms + 1e-6)
        g = dy * w
        dx = r * (g - x * r * r * (g * x).mean(-1, keepdim=True))
        return dx, (dy * x * r).sum(0)

    return forward, backward, lambda x, w: F.rms_norm(x, w.shape, w, 1e-6)
