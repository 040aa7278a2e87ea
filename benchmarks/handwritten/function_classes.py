"""torch.autograd.Function classes: activations, norms, losses, with float32 inside where people do so."""

import torch
import torch.nn.functional as F

from .case import case, labels


def wide(v):
    """In float32 at least, as kernels compute."""
    return v if v.dtype == torch.float64 else v.float()


@case(
    "autograd.Function",
    [(4, 3)],
    [(6,)],
    slips=[
        ("square missing", "(1 - h * h)", "(1 - h)"),
        ("input saved for output", "ctx.save_for_backward(h)", "ctx.save_for_backward(z)"),
        ("dh forgotten", "return dh * (1", "return (1"),
        ("sign", "return dh * (1", "return -dh * (1"),
        ("another value is returned than saved", "return h\n", "return h.mul(0.999)\n"),
    ],
)
def tanh_function():
    class Tanh(torch.autograd.Function):
        @staticmethod
        def forward(ctx, z):
            h = torch.tanh(z)
            ctx.save_for_backward(h)
            return h

        @staticmethod
        def backward(ctx, dh):
            (h,) = ctx.saved_tensors
            return dh * (1 - h * h)

    return Tanh, torch.tanh


@case(
    "autograd.Function",
    [(4, 3)],
    [(2, 2, 2)],
    slips=[
        ("z missing", "(1 + z * (1 - s))", "(1 + (1 - s))"),
        ("rounded in float32 also in float64", "z, d = wide(z), wide(dy)", "z, d = z.float(), dy.float()"),
        ("sigmoid only", "s * (1 + z * (1 - s))", "s * (1 - s)"),
        ("saved the output", "ctx.save_for_backward(z)", "ctx.save_for_backward(z * torch.sigmoid(z))"),
        ("1 + s", "(1 + z * (1 - s))", "(1 + z * (1 + s))"),
        (
            "overwrites dy",
            "(d * s * (1 + z * (1 - s))).to(dy.dtype)",
            "dy.mul_((s * (1 + z * (1 - s))).to(dy.dtype))",
            "overwritten",
        ),
    ],
)
def silu_function():
    class SiLU(torch.autograd.Function):
        @staticmethod
        def forward(ctx, z):
            ctx.save_for_backward(z)
            return (wide(z) * torch.sigmoid(wide(z))).to(z.dtype)

        @staticmethod
        def backward(ctx, dy):
            (z,) = ctx.saved_tensors
            z, d = wide(z), wide(dy)
            s = torch.sigmoid(z)
            return (d * s * (1 + z * (1 - s))).to(dy.dtype)

    return SiLU, F.silu


@case(
    "autograd.Function",
    [(4, 3)],
    [(5,)],
    variants=[{"slope": 0.3}],
    slips=[
        ("slope forgotten", "dy * slope)", "0 * dy)"),
        ("saved the output's other sign", "ctx.save_for_backward(z)", "ctx.save_for_backward(-z)"),
        ("slope squared", "dy * slope)", "dy * slope**2)"),
        ("one at zero", "torch.where(z > 0, dy", "torch.where(z >= 0, dy", "kinks"),
        ("dy's sign decides", "torch.where(z > 0, dy", "torch.where(dy > 0, dy"),
    ],
)
def leaky_relu_function(slope=0.1):
    class LeakyReLU(torch.autograd.Function):
        @staticmethod
        def forward(ctx, z):
            ctx.save_for_backward(z)
            return torch.where(z > 0, z, z * slope)

        @staticmethod
        def backward(ctx, dy):
            (z,) = ctx.saved_tensors
            return torch.where(z > 0, dy, dy * slope)

    return LeakyReLU, lambda z: F.leaky_relu(z, slope)


@case(
    "autograd.Function",
    [(4, 3), (2, 3), (2,)],
    [(1, 2), (3, 2), (3,)],
    slips=[
        (
            "a needed input's gradient left out",
            "if ctx.needs_input_grad[1]:",
            "if ctx.needs_input_grad[1] and not ctx.needs_input_grad[0]:",
        ),
        ("bias mean", "dy.sum(0)", "dy.mean(0)"),
        ("sample dropped", "dW = dy.T @ x", "dW = dy[1:].T @ x[1:]"),
        ("weight saved changed", "ctx.save_for_backward(x, W)", "ctx.save_for_backward(x, W.flip(0))"),
        ("x saved changed", "ctx.save_for_backward(x, W)", "ctx.save_for_backward(x.abs(), W)"),
        ("sign", "dx = dy @ W", "dx = -dy @ W"),
    ],
)
def linear_function():
    class Linear(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, W, b):
            ctx.save_for_backward(x, W)
            return x @ W.T + b

        @staticmethod
        def backward(ctx, dy):
            x, W = ctx.saved_tensors
            dx = dW = db = None
            if ctx.needs_input_grad[0]:
                dx = dy @ W
            if ctx.needs_input_grad[1]:
                dW = dy.T @ x
            if ctx.needs_input_grad[2]:
                db = dy.sum(0)
            return dx, dW, db

    return Linear, F.linear


@case(
    "autograd.Function",
    [(4, 3)],
    [(2, 5)],
    slips=[
        ("the sum missing", "p * (d - (d * p).sum(-1, keepdim=True))", "p * d"),
        ("wrong axis", "sum(-1, keepdim=True))", "sum(0, keepdim=True))"),
        ("log-softmax's", "p * (d - (d * p).sum(-1, keepdim=True))", "d - p * d.sum(-1, keepdim=True)"),
        ("saved before it is normalised", "ctx.save_for_backward(p)", "ctx.save_for_backward(wide(z).exp())"),
        ("half", "p * (d - (d * p)", "p * (d - 0.5 * (d * p)"),
    ],
)
def softmax_function():
    class Softmax(torch.autograd.Function):
        @staticmethod
        def forward(ctx, z):
            p = torch.softmax(wide(z), -1)
            ctx.save_for_backward(p)
            return p.to(z.dtype)

        @staticmethod
        def backward(ctx, dy):
            (p,) = ctx.saved_tensors
            d = wide(dy)
            return (p * (d - (d * p).sum(-1, keepdim=True))).to(dy.dtype)

    return Softmax, lambda z: torch.softmax(z, -1)


@case(
    "autograd.Function",
    [(4, 6), (6,), (6,)],
    [(2, 3, 4), (4,), (4,)],
    variants=[{"eps": 1e-3}],
    slips=[
        ("mean's term", "g - g.mean(-1, keepdim=True)", "g"),
        ("variance's term", " - h * (g * h).mean(-1, keepdim=True)", ""),
        ("dw not summed", "(d * h).flatten(0, -2).sum(0)", "(d * h).flatten(0, -2)[-1]"),
        ("unbiased variance saved", "ctx.save_for_backward(h, r, w)", "ctx.save_for_backward(h, r * 0.9, w)"),
        ("db is mean", "d.flatten(0, -2).sum(0)", "d.flatten(0, -2).mean(0)"),
        ("w forgotten", "g = d * wide(w)", "g = d"),
    ],
)
def layer_norm_function(eps=1e-5):
    class LayerNorm(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, w, b):
            v = wide(x)
            c = v - v.mean(-1, keepdim=True)
            r = torch.rsqrt((c * c).mean(-1, keepdim=True) + eps)
            h = c * r
            ctx.save_for_backward(h, r, w)
            return (h * wide(w) + wide(b)).to(x.dtype)

        @staticmethod
        def backward(ctx, dy):
            h, r, w = ctx.saved_tensors
            d = wide(dy)
            g = d * wide(w)
            dx = r * (g - g.mean(-1, keepdim=True) - h * (g * h).mean(-1, keepdim=True))
            dw, db = (d * h).flatten(0, -2).sum(0), d.flatten(0, -2).sum(0)
            return dx.to(dy.dtype), dw.to(dy.dtype), db.to(dy.dtype)

    return LayerNorm, lambda x, w, b: F.layer_norm(x, w.shape, w, b, eps)


@case(
    "autograd.Function",
    [(5, 4), labels(5, 4)],
    [(1, 3), labels(1, 3)],
    slips=[
        ("mean forgotten", "dz / len(t)", "dz"),
        ("dy taken for one", "dz *= wide(dy)", "pass"),
        ("one not subtracted", "dz[torch.arange(len(t)), t] -= 1", "pass"),
        (
            "logarithms saved, not probabilities",
            "ctx.save_for_backward(logp.exp(), t)",
            "ctx.save_for_backward(-logp, t)",
        ),
        ("labels shifted", "dz[torch.arange(len(t)), t] -= 1", "dz[torch.arange(len(t)), t - 1] -= 1"),
        ("the first label for all", "dz[torch.arange(len(t)), t] -= 1", "dz[torch.arange(len(t)), t[0]] -= 1"),
    ],
)
def cross_entropy_function():
    class CrossEntropy(torch.autograd.Function):
        @staticmethod
        def forward(ctx, z, t):
            ctx.dtype = z.dtype
            logp = torch.log_softmax(wide(z), 1)
            ctx.save_for_backward(logp.exp(), t)
            return -logp[torch.arange(len(t)), t].mean().to(z.dtype)

        @staticmethod
        def backward(ctx, dy):
            p, t = ctx.saved_tensors
            dz = p.clone()
            dz[torch.arange(len(t)), t] -= 1
            dz *= wide(dy)
            return (dz / len(t)).to(ctx.dtype), None

    return CrossEntropy, F.cross_entropy


@case(
    "autograd.Function",
    [(4, 3)],
    [(9,)],
    slips=[
        ("factor 3", "1 + 3 * k * z * z", "1 + k * z * z"),
        ("density term", " + 0.5 * z * (1 - t * t) * c * (1 + 3 * k * z * z)", ""),
        ("a half", "0.5 * z * (1 - t * t)", "z * (1 - t * t)"),
        (
            "constants rounded",
            "c, k = 0.7978845608028654, 0.044715\n            z",
            "c, k = 0.798, 0.0447\n            z",
        ),
        ("in float32 in float64", "z, d = wide(z), wide(dy)", "z, d = z.float(), dy.float()"),
        ("square", "(1 - t * t)", "(1 - t)"),
    ],
)
def gelu_tanh_function():
    class GELU(torch.autograd.Function):
        @staticmethod
        def forward(ctx, z):
            ctx.save_for_backward(z)
            v = wide(z)
            return (0.5 * v * (1 + torch.tanh(0.7978845608028654 * (v + 0.044715 * v**3)))).to(z.dtype)

        @staticmethod
        def backward(ctx, dy):
            (z,) = ctx.saved_tensors
            c, k = 0.7978845608028654, 0.044715
            z, d = wide(z), wide(dy)
            t = torch.tanh(c * (z + k * z**3))
            return (d * (0.5 * (1 + t) + 0.5 * z * (1 - t * t) * c * (1 + 3 * k * z * z))).to(dy.dtype)

    return GELU, lambda z: F.gelu(z, approximate="tanh")
