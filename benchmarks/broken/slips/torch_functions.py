"""autograd.Functions of single layers."""

import torch
import torch.nn.functional as F

from ..draws import between, labels, positive, zero_one
from ..table import enter


def function(path, reference, inputs, also, slips, backward=None):
    enter("torch", path, backward, reference, inputs, also, slips)


function(
    "torch_functions.SwishBeta",
    lambda x, beta: x * torch.sigmoid(beta * x),
    [(4, 3), positive(3)],
    [(2, 3, 2), positive(2)],
    [
        ("missing factor", "beta forgotten in the inner derivative", "(s + beta * x * ds)", "(s + x * ds)"),
        ("missing square", "x once in beta's gradient", "(grad_output * x * x * ds)", "(grad_output * x * ds)"),
        ("count", "beta's gradient averaged", ".reshape(-1, x.shape[-1]).sum(0)", ".reshape(-1, x.shape[-1]).mean(0)"),
        ("missing factor", "1 - s forgotten", "ds = s * (1 - s)", "ds = s"),
    ],
)


function(
    "torch_functions.linear_leaky",
    lambda x, w, b: F.leaky_relu(F.linear(x, w, b), 0.1),
    [(4, 3), (5, 3), (5,)],
    [(2, 4), (3, 4), (3,)],
    [
        (
            "line forgotten",
            "the activation forgotten for the weight",
            "grad_weight = g.t() @ input",
            "grad_weight = grad_output.t() @ input",
        ),
        (
            "constant",
            "torch's default slope",
            "grad_output, ctx.slope * grad_output)",
            "grad_output, 0.01 * grad_output)",
        ),
        (
            "missing factor",
            "relu's gradient for the leaky one",
            "grad_output, ctx.slope * grad_output)",
            "grad_output, torch.zeros_like(grad_output))",
        ),
        ("upstream", "bias from the unmasked gradient", "grad_bias = g.sum(0)", "grad_bias = grad_output.sum(0)"),
    ],
)


function(
    "torch_functions.GroupNorm",
    lambda x, w, b: F.group_norm(x, 2, w, b, eps=1e-3),
    [(2, 4, 3), (4,), (4,)],
    [(3, 2, 4), (2,), (2,)],
    [
        ("missing path", "the mean's path", "(dxhat - xh * c1 - c2)", "(dxhat - xh * c1)"),
        ("operand order", "c1 and c2 exchanged", "xh * c1 - c2)", "xh * c2 - c1)"),
        (
            "line forgotten",
            "the weight not multiplied in",
            "dxhat = (dy * weight[:, None]).reshape",
            "dxhat = dy.reshape",
        ),
        ("missing factor", "rstd forgotten", "dx = rstd * (dxhat", "dx = (dxhat"),
        (
            "count",
            "sums over a group in place of means",
            "c1 = (dxhat * xh).mean(-1, keepdim=True)",
            "c1 = (dxhat * xh).sum(-1, keepdim=True)",
        ),
    ],
)


def focal(logits, targets):
    z = torch.where(targets == 1, logits, -logits)
    return (-(torch.sigmoid(-z) ** 2) * F.logsigmoid(z)).mean()


function(
    "torch_functions.FocalBinary",
    focal,
    [(4, 3), zero_one(4, 3)],
    [(7,), zero_one(7)],
    [
        ("sign", "targets' sign forgotten", "grad * sign * d", "grad * d"),
        ("missing path", "the modulating factor held fixed", "(2 * pt * log_pt - q)", "(-q)"),
        ("count", "divided by the batch alone", "/ pt.numel(), None", "/ pt.shape[0], None"),
        ("missing factor", "gamma forgotten", "(2 * pt * log_pt - q)", "(pt * log_pt - q)"),
        ("upstream", "the upstream ignored", "return grad * sign", "return sign"),
    ],
)


function(
    "torch_functions.LogSumExpT",
    lambda x, T: T * torch.logsumexp(x / T, -1),
    [(3, 4), between(0.5, 2)],
    [(5,), between(0.5, 2)],
    [
        ("doubled path", "1 / T though T cancels it", "dx = dy.unsqueeze(-1) * p", "dx = dy.unsqueeze(-1) * p / T"),
        ("missing path", "T inside held fixed", "(lse - (p * x).sum(-1) / T)", "lse"),
        ("missing factor", "1 / T forgotten", "(p * x).sum(-1) / T)", "(p * x).sum(-1))"),
        ("sign", "plus for minus", "(lse - (p * x)", "(lse + (p * x)"),
    ],
)


function(
    "torch_functions.BagMean",
    lambda table, ids: table[ids].mean(1),
    [(5, 3), labels(5, 4, 2)],
    [(4, 2), labels(4, 3, 5)],
    [
        ("count", "the bag's size forgotten", ".expand(B, L, -1) / L", ".expand(B, L, -1)"),
        ("count", "divided by the batch", ".expand(B, L, -1) / L", ".expand(B, L, -1) / B"),
        (
            "upstream",
            "the first bag's gradient for all",
            "spread = dout.unsqueeze(1).expand(B, L, -1) / L",
            "spread = dout[:1].unsqueeze(1).expand(B, L, -1) / L",
        ),
        ("wrong index", "ids read column by column", "ids.reshape(-1), spread", "ids.t().reshape(-1), spread"),
    ],
)


function(
    "torch_functions.GELUErf",
    lambda u, v: F.gelu(u) * v,
    [(4, 3), (4, 3)],
    [(5,), (5,)],
    [
        ("missing factor", "density not normalised", " / math.sqrt(2 * math.pi)", ""),
        ("constant", "pi for two pi", "math.sqrt(2 * math.pi)", "math.sqrt(math.pi)"),
        ("missing factor", "the half in the exponent", "torch.exp(-0.5 * u * u)", "torch.exp(-u * u)"),
        ("missing path", "the gate's gradient without u", "(cdf + u * pdf)", "(cdf + pdf)"),
        ("missing factor", "v forgotten", "du = do * v * (cdf", "du = do * (cdf"),
    ],
)


function(
    "torch_functions.ClampSTE",
    lambda x, low, high: torch.minimum(torch.maximum(x, low), high),
    [(20, 3), between(-0.8, -0.2, 3), between(0.2, 0.8, 3)],
    [(25, 2), between(-0.8, -0.2, 2), between(0.2, 0.8, 2)],
    [
        ("bound", "masked on one side", "g.masked_fill(below | above, 0.0)", "g.masked_fill(above, 0.0)"),
        ("mask", "both bounds at once never holds", "below | above, 0.0", "below & above, 0.0"),
        ("operand order", "low and high exchanged", "return gx, glow, ghigh", "return gx, ghigh, glow"),
        ("sign", "the low bound's sign", "glow = (g * below)", "glow = (-g * below)"),
        ("bound", "straight through everywhere", "gx = g.masked_fill(below | above, 0.0)", "gx = g"),
    ],
)
