"""Plain functions on torch tensors with a backward pass by hand: activations, norms, losses."""

import math

import torch
import torch.nn.functional as F

from .case import case, labels


@case(
    "torch",
    [(4, 3)],
    [(2, 3, 2)],
    slips=[
        ("square missing", "1 - h * h", "1 - h"),
        ("sign", "1 - h * h", "h * h - 1"),
        ("one missing", "(1 - h * h)", "(h * h)"),
        ("writes into dy", "dh * (1 - h * h)", "dh.mul_(1 - h * h)", "overwritten"),
        ("dh forgotten", "dh * (1 - h * h)", "1 - h * h + 0 * dh"),
    ],
    also=[("factored", "1 - h * h", "(1 - h) * (1 + h)")],
)
def tanh_torch():
    def forward(z):
        h = torch.tanh(z)
        return h, h

    def backward(dh, h):
        return dh * (1 - h * h)

    return forward, backward, torch.tanh


@case(
    "torch",
    [(4, 3)],
    [(5,)],
    slips=[
        ("sigmoid's part only", "s + z * s * (1 - s)", "s * (1 - s)"),
        ("z missing", "s + z * s * (1 - s)", "s + s * (1 - s)"),
        ("1 + s", "s + z * s * (1 - s)", "s + z * s * (1 + s)"),
        ("s squared", "s + z * s * (1 - s)", "s + z * s * s * (1 - s)"),
        ("the wrong sign of z", "s + z * s * (1 - s)", "s - z * s * (1 - s)"),
    ],
    also=[("factored", "s + z * s * (1 - s)", "s * (1 + z * (1 - s))")],
)
def silu_torch():
    def forward(z):
        s = torch.sigmoid(z)
        return z * s, (z, s)

    def backward(dy, cache):
        z, s = cache
        return dy * (s + z * s * (1 - s))

    return forward, backward, F.silu


@case(
    "torch",
    [(4, 3)],
    [(6,)],
    slips=[
        ("density missing", "cdf + z * pdf", "cdf"),
        ("z missing", "cdf + z * pdf", "cdf + pdf"),
        ("1/sqrt(pi)", "math.sqrt(2 * math.pi)", "math.sqrt(math.pi)"),
        ("the exponent's half", "torch.exp(-z * z / 2)", "torch.exp(-z * z)"),
        ("sigmoid for Phi", "cdf + z * pdf", "torch.sigmoid(1.702 * z) + z * pdf"),
        ("pi of three digits", "math.sqrt(2 * math.pi)", "math.sqrt(2 * 3.14)"),
    ],
)
def gelu_torch():
    def forward(z):
        cdf = 0.5 * (1 + torch.erf(z / math.sqrt(2)))
        return z * cdf, (z, cdf)

    def backward(dy, cache):
        z, cdf = cache
        pdf = torch.exp(-z * z / 2) / math.sqrt(2 * math.pi)
        return dy * (cdf + z * pdf)

    return forward, backward, F.gelu


@case(
    "torch",
    [(4, 3)],
    [(2, 5)],
    slips=[
        ("the sum missing", "p * (dy - (dy * p).sum(-1, keepdim=True))", "p * dy"),
        ("sum over the batch", "sum(-1, keepdim=True))", "sum(0, keepdim=True))"),
        ("p twice", "p * (dy - (dy * p)", "p * p * (dy - (dy * p)"),
        ("sum of dy", "(dy * p).sum", "dy.sum"),
        ("mean", "(dy * p).sum(-1", "(dy * p).mean(-1"),
    ],
)
def softmax_torch():
    def forward(z):
        p = torch.softmax(z, -1)
        return p, p

    def backward(dy, p):
        return p * (dy - (dy * p).sum(-1, keepdim=True))

    return forward, backward, lambda z: torch.softmax(z, -1)


@case(
    "torch",
    [(4, 6), (6,)],
    [(2, 3, 4), (4,)],
    variants=[{"eps": 1e-3}],
    slips=[
        ("second term", "g - x * r * r * (g * x).mean(-1, keepdim=True)", "g"),
        ("r squared missing", "x * r * r * (g", "x * (g"),
        ("scale left out of g", "g = wide(dy) * w", "g = wide(dy)"),
        ("dw over the last axis", "dw.flatten(0, -2).sum(0)", "dw.flatten(0, -2)[0]"),
        (
            "eps forgotten",
            "(x * x).mean(-1, keepdim=True) + eps)\n        g",
            "(x * x).mean(-1, keepdim=True))\n        g",
            "tiny",
        ),
        ("r forgotten in dw", "dw = wide(dy) * x * r", "dw = wide(dy) * x"),
    ],
)
def rms_norm_in_float32(eps=1e-5):
    def wide(v):
        return v if v.dtype == torch.float64 else v.float()

    def forward(x, w):
        v = wide(x)
        r = torch.rsqrt((v * v).mean(-1, keepdim=True) + eps)
        return (v * r * wide(w)).to(x.dtype), (x, w)

    def backward(dy, cache):
        x, w = map(wide, cache)
        r = torch.rsqrt((x * x).mean(-1, keepdim=True) + eps)
        g = wide(dy) * w
        dx = r * (g - x * r * r * (g * x).mean(-1, keepdim=True))
        dw = wide(dy) * x * r
        return dx.to(dy.dtype), dw.flatten(0, -2).sum(0).to(dy.dtype)

    return forward, backward, lambda x, w: F.rms_norm(x, w.shape, w, eps)


@case(
    "torch",
    [(4, 5), (5,), (5,)],
    [(1, 3), (3,), (3,)],
    slips=[
        ("mean term", "g - g.mean(-1, keepdim=True)", "g"),
        ("variance term", " - h * (g * h).mean(-1, keepdim=True)", ""),
        ("gamma forgotten", "g = dy * w", "g = dy"),
        ("mean for sum", "dy.sum(0)", "dy.mean(0)"),
        ("rstd forgotten", "return r * (g", "return (g"),
        ("first row only", "(dy * h).sum(0)", "(dy * h)[0]"),
    ],
)
def layer_norm_torch():
    def forward(x, w, b):
        c = x - x.mean(-1, keepdim=True)
        r = torch.rsqrt(c.square().mean(-1, keepdim=True) + 1e-5)
        h = c * r
        return h * w + b, (h, r, w)

    def backward(dy, cache):
        h, r, w = cache
        g = dy * w
        return r * (g - g.mean(-1, keepdim=True) - h * (g * h).mean(-1, keepdim=True)), (dy * h).sum(0), dy.sum(0)

    return forward, backward, lambda x, w, b: F.layer_norm(x, w.shape, w, b)


@case(
    "torch",
    [(5, 4), labels(5, 4, -100)],
    [(2, 3), labels(2, 3, -100)],
    slips=[
        ("divided by all rows", "/ keep.sum()\n        return dz", "/ len(t)\n        return dz"),
        ("ignored rows not zeroed", "dz = torch.where(keep[:, None], dz, 0)", "pass"),
        ("one not subtracted", "dz[rows, t[rows]] -= 1", "pass"),
        ("label 0 instead", "dz[rows, t[rows]] -= 1", "dz[rows, 0] -= 1"),
        ("sign", "dz * dy", "-dz * dy"),
        ("sum for mean", "/ keep.sum()\n        return dz", "/ 1\n        return dz"),
    ],
)
def cross_entropy_torch():
    def forward(z, t):
        logp = torch.log_softmax(z, 1)
        keep = t != -100
        picked = logp.gather(1, t.clamp(min=0)[:, None])[:, 0]
        return -(picked * keep).sum() / keep.sum(), (logp, t, keep)

    def backward(dy, cache):
        logp, t, keep = cache
        dz = logp.exp()
        rows = keep.nonzero()[:, 0]
        dz[rows, t[rows]] -= 1
        dz = torch.where(keep[:, None], dz, 0)
        dz = dz * dy / keep.sum()
        return dz, None

    return forward, backward, F.cross_entropy


@case(
    "torch",
    [(4, 3), (4, 3)],
    [(6,), (6,)],
    variants=[{"beta": 0.5}],
    slips=[
        ("not divided by beta", "r / beta, r", "2 * r / beta, r"),
        ("sign forgotten", "r.sign()", "1 + 0 * r"),
        ("mean for sum", "dy * torch.where", "dy / r.numel() * torch.where"),
        ("sides exchanged", "r.abs() < beta, r", "r.abs() >= beta, r"),
        ("target's sign", "return dx, -dx", "return dx, dx"),
        ("clamped above only", "r / beta, r.sign())", "r / beta, (r > 0) * 1.0)", "wide"),
    ],
)
def smooth_l1_torch(beta=1.0):
    def forward(x, t):
        r = x - t
        a = r.abs()
        return torch.where(a < beta, 0.5 * r * r / beta, a - 0.5 * beta).sum(), r

    def backward(dy, r):
        dx = dy * torch.where(r.abs() < beta, r / beta, r.sign())
        return dx, -dx

    return forward, backward, lambda x, t: F.smooth_l1_loss(x, t, beta=beta, reduction="sum")


@case(
    "torch",
    [(4, 6)],
    [(2, 2)],
    slips=[
        ("gate's derivative", "cdf + a * pdf", "cdf"),
        ("halves exchanged", "torch.cat([da, db], -1)", "torch.cat([db, da], -1)"),
        ("b forgotten", "da = dy * b * (", "da = dy * ("),
        ("a forgotten in db", "db = dy * a * cdf", "db = dy * cdf"),
        ("the density of b", "torch.exp(-0.5 * a * a)", "torch.exp(-0.5 * b * b)"),
    ],
)
def geglu_torch():
    def forward(x):
        a, b = x.chunk(2, -1)
        cdf = 0.5 + 0.5 * torch.erf(a * 0.7071067811865476)
        return a * cdf * b, (a, b, cdf)

    def backward(dy, cache):
        a, b, cdf = cache
        pdf = torch.exp(-0.5 * a * a) * 0.3989422804014327
        da = dy * b * (cdf + a * pdf)
        db = dy * a * cdf
        return torch.cat([da, db], -1)

    def reference(x):
        a, b = x.chunk(2, -1)
        return F.gelu(a) * b

    return forward, backward, reference


@case(
    "torch",
    [(4, 3)],
    [(7,)],
    slips=[
        ("no edges", "(z > -1) & (z < 1)", "(z > -1)"),
        ("passes at the edges", "(z > -1) & (z < 1)", "(z >= -1) & (z <= 1)", "kinks"),
        ("outside for inside", "dz[~inside] = 0", "dz[inside] = 0"),
        ("writes into dy", "dz = dy.clone()", "dz = dy", "overwritten"),
        ("filled with z", "dz[~inside] = 0", "dz[~inside] = z[~inside]"),
    ],
)
def hardtanh_torch():
    def forward(z):
        return z.clamp(-1, 1), z

    def backward(dy, z):
        inside = (z > -1) & (z < 1)
        dz = dy.clone()
        dz[~inside] = 0
        return dz

    return forward, backward, F.hardtanh
