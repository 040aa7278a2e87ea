"""How the functions of Liger-Kernel are called, each beside what it is meant to compute, in plain torch.

A call has the arguments that the package's own functional interface gives to `apply`, in its order. Tuples of sizes are
drawn by handgrad. Losses take what their formula asks for: log-probabilities, probabilities, labels. What the
reference detaches is meant to have no gradient.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch.nn import functional as F

N = 17  # wider than a power of two by one: some lanes of the last block are padding


class Call(NamedTuple):
    """One function of the package: its arguments, its reference, and what its author says of it.

    function       its name in liger_kernel.ops
    inputs         the arguments of apply: sizes to draw, or values
    reference      the same in torch
    what           in which of its uses, where there are several
    may_overwrite  arguments that it writes into by design
    """

    function: str
    inputs: list[Any]
    reference: Callable[..., Any]
    what: str = ""
    may_overwrite: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Function and use."""
        return f"{self.function}, {self.what}" if self.what else self.function


random = torch.Generator().manual_seed(0)


def normal(*sizes: int) -> torch.Tensor:
    return torch.randn(sizes, generator=random)


def labels(*sizes: int, below: int) -> torch.Tensor:
    return torch.randint(below, sizes, generator=random)


def log_probabilities(*sizes: int) -> torch.Tensor:
    return normal(*sizes).log_softmax(-1)


def sparsemax(x: torch.Tensor, dim: int) -> torch.Tensor:
    """max(x - tau, 0), tau such that each row sums to 1."""
    z = x.sort(dim, descending=True).values
    k = torch.arange(1, x.shape[dim] + 1, dtype=x.dtype)
    count = (1 + k * z > z.cumsum(dim)).sum(dim, keepdim=True)
    tau = (z.cumsum(dim).gather(dim, count - 1) - 1) / count
    return torch.relu(x - tau)


def layer_norm(x: Any, W: Any, b: Any, eps: float) -> torch.Tensor:
    """W (x - mean) / sqrt(variance + eps) + b."""
    return F.layer_norm(x, W.shape, W, b, eps)


def rms_norm(x: Any, W: Any, eps: float, offset: float = 0.0, *rest: Any) -> torch.Tensor:
    """(offset + W) x / sqrt(mean(x^2) + eps)."""
    y = x / ((x * x).mean(-1, keepdim=True) + eps).sqrt()
    return y if W is None else (offset + W) * y


def add_rms_norm(x: Any, r: Any, W: Any, eps: float, offset: float, *rest: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """The norm of x + r, and x + r."""
    return rms_norm(x + r, W, eps, offset), x + r


def poly_norm(x: Any, W: Any, b: Any, eps: float, in_place: bool) -> torch.Tensor:
    """A weighted sum of the norms of x^3, x^2 and x."""
    return b + sum(w * rms_norm(x**power, None, eps) for w, power in zip(W, (3, 2, 1), strict=True))


def group_norm(x: Any, W: Any, b: Any, channels: int, groups: int, eps: float) -> torch.Tensor:
    """Every group of channels to mean 0 and variance 1."""
    return F.group_norm(x, groups, W.expand(channels), b.expand(channels), eps)


def dynamic_tanh(x: Any, alpha: Any, gamma: Any, beta: Any) -> torch.Tensor:
    """gamma tanh(alpha x) + beta."""
    return gamma * torch.tanh(alpha * x) + beta


def cross_entropy(
    x: Any, target: Any, weight: Any, ignore: int, z: float, smoothing: float, reduction: str, softcap: Any, *rest: Any
) -> tuple[Any, None, None, None]:
    """The loss of every row that is not ignored, z logsumexp(x)^2 added; softcap: of softcap tanh(x / softcap)."""
    x = x if softcap is None else softcap * torch.tanh(x / softcap)
    loss = F.cross_entropy(x, target, weight, ignore_index=ignore, label_smoothing=smoothing, reduction=reduction)
    kept = target != ignore
    return loss + (z * x.logsumexp(-1)[kept] ** 2).sum() / (kept.sum() if reduction == "mean" else 1), None, None, None


def linear_cross_entropy(x: Any, W: Any, target: Any, b: Any, *more: Any) -> tuple[Any, None, None, None]:
    """The same of x W^T + b."""
    return cross_entropy(F.linear(x, W, b), target, *more)


def divergence(x: Any, target: Any, shifted: Any, beta: float, ignore: int) -> torch.Tensor:
    """The Jensen-Shannon divergence of log-probabilities, of each row on average."""
    p, q = target.detach().exp(), x.exp()
    m = beta * p + (1 - beta) * q
    terms = beta * p * (target.detach() - m.log()) + (1 - beta) * q * (x - m.log())
    return terms.sum() / len(x)


def linear_divergence(
    x: Any, W: Any, teacher_x: Any, teacher_W: Any, shifted: Any, beta: float, ignore: int, temperature: float
) -> torch.Tensor:
    """The same of the log-softmax of x W^T and of a teacher's."""
    student = F.log_softmax(x @ W.T / temperature, -1)
    teacher = F.log_softmax(teacher_x @ teacher_W.T / temperature, -1)
    return divergence(student, teacher, shifted, beta, ignore)


def kl_divergence(x: Any, target: Any, reduction: str, log_target: bool, eps: float) -> torch.Tensor:
    """sum p (log p - x), of each row on average."""
    return F.kl_div(x, target.detach(), reduction=reduction, log_target=log_target)


def total_variation(p: Any, q: Any, shifted: Any, reduction: str, ignore: int) -> torch.Tensor:
    """Half the sum of |p - q|, of each row on average."""
    return 0.5 * (p - q.detach()).abs().sum() / len(p)


def rotate(x: Any, cos: Any, sin: Any) -> torch.Tensor:
    """Both halves of each head turned into one another."""
    left, right = x.chunk(2, -1)
    return x * cos + torch.cat([-right, left], -1) * sin


def rotary(q: Any, k: Any, cos: Any, sin: Any, positions: Any, unsqueeze: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Queries and keys of shape (batch, heads, length, size), each turned by its position."""
    cos, sin = cos.detach().unsqueeze(unsqueeze), sin.detach().unsqueeze(unsqueeze)
    return rotate(q, cos, sin), rotate(k, cos, sin)


def rotary_in_sections(
    q: Any, k: Any, cos: Any, sin: Any, sections: list[int], unsqueeze: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """The same with the angles of three positions, a section of each head for each."""

    def choose(angles: torch.Tensor) -> torch.Tensor:
        parts = angles.split(sections * 2, -1)
        return torch.cat([part[i % 3] for i, part in enumerate(parts)], -1)

    return rotary(q, k, choose(cos.detach()), choose(sin.detach()), None, unsqueeze)


def rotary_complex(q: Any, k: Any, turns: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Neighbouring numbers as one complex number; (batch, length, heads, size)."""

    def turn(x: torch.Tensor) -> torch.Tensor:
        pairs = torch.view_as_complex(x.reshape(*x.shape[:-1], -1, 2))
        return torch.view_as_real(pairs * turns.to(torch.complex128)[None, :, None]).flatten(-2)

    return turn(q), turn(k)


def attention_of_tokens(scores: Any, weight: Any, bias: Any, *settings: Any) -> torch.Tensor:
    """A causal softmax, convolved over queries and keys, the future set to zero."""
    future = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
    stride, padding, dilation, groups, _ = settings
    p = scores.masked_fill(future, -1e9).softmax(-1)
    y = F.conv2d(p, weight, bias, stride, padding, dilation, groups)
    return y.masked_fill(future, 0.0)


def neighbourhood_attention(q: Any, k: Any, v: Any, size: int, dilation: int, scale: Any) -> torch.Tensor:
    """Attention to the neighbours on both sides."""
    at = torch.arange(q.shape[-2])
    apart = (at[:, None] - at).abs()
    near = (apart <= size // 2 * dilation) & (apart % dilation == 0)
    s = q @ k.transpose(-1, -2) * (q.shape[-1] ** -0.5 if scale is None else scale)
    return s.masked_fill(~near, -torch.inf).softmax(-1) @ v


def attention_residual(V: Any, query: Any, norm: Any, eps: float) -> torch.Tensor:
    """A softmax over the first axis of query times the norm of V, and the sum of V under it."""
    alpha = (rms_norm(V, norm, eps) * query).sum(-1).softmax(0)
    return (alpha[..., None] * V).sum(0)


def streams_in(x: Any, h: Any) -> torch.Tensor:
    """The streams x summed under h."""
    return (h[..., None] * x).sum(-2)


def streams_out(x: Any, f: Any, post: Any, res: Any) -> torch.Tensor:
    """Every stream: a mixture of x, and a share of f."""
    return res @ x + post[..., None] * f[..., None, :]


def stream_coefficients(
    x: Any, phi: Any, b: Any, pre: Any, post: Any, res: Any, wide: bool, rounds: int,
    rms_eps: float, pre_eps: float, eps: float, factor: float,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:  # fmt: skip
    """What goes in, what comes out, and a matrix whose rows and columns are divided by their sums in turn."""
    n = x.shape[-2]
    mix = rms_norm(x.flatten(-2), None, rms_eps) @ phi
    y_pre = torch.sigmoid(mix[..., :n] * pre + b[:n]) + pre_eps
    y_post = torch.sigmoid(mix[..., n : 2 * n] * post + b[n : 2 * n]) * factor
    m = (mix[..., 2 * n :] * res + b[2 * n :]).unflatten(-1, (n, n)).softmax(-1) + eps
    m = m / (m.sum(-2, keepdim=True) + eps)
    for _ in range(rounds - 1):
        m = m / (m.sum(-1, keepdim=True) + eps)
        m = m / (m.sum(-2, keepdim=True) + eps)
    return y_pre, y_post, m


def mixture_of_experts(x: Any, gate_up: Any, down: Any, chosen: Any, weights: Any) -> torch.Tensor:
    """For each token, the chosen experts' SwiGLU networks under their weights."""
    gate, up = torch.einsum("th,tkih->tki", x, gate_up[chosen]).chunk(2, -1)
    return torch.einsum("tki,tkhi,tk->th", F.silu(gate) * up, down[chosen], weights)


def policy_loss(
    logits: Any, old: Any, reference: Any, ids: Any, advantages: Any, mask: Any,
    temperature: float, beta: float, low: float, high: float, *rest: Any,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:  # fmt: skip
    """Clipped policy loss and KL penalty of every token; the KL and the clipped tokens are for the log alone."""
    logp = (logits[:, :-1] / temperature).log_softmax(-1).gather(-1, ids[..., None])[..., 0]
    ratio, A = (logp - old.detach()).exp(), advantages.detach()[:, None]
    kl = (reference.detach() - logp).exp() - (reference.detach() - logp) - 1
    loss = -torch.minimum(ratio * A, ratio.clamp(1 - low, 1 + high) * A) + beta * kl
    clipped = ((ratio < 1 - low) & (A < 0)) | ((ratio > 1 + high) & (A > 0))
    return loss, kl.detach(), clipped.to(logits.dtype)


LOSS = (-100, 0.0, 0.0, "mean", None, False, False, False)
SOFTCAP = (-100, 0.0, 0.0, "mean", 2.0, False, False, False)
SMOOTHED = (2, 0.01, 0.1, "sum", None, False, False, False)
LINEAR = (None, -100, 0.0, 0.0, "mean", None, False, None, False, False, False)
ANGLES = [f(normal(1, 5, 4).repeat(1, 1, 2)) for f in (torch.cos, torch.sin)]
THREE_ANGLES = [f(normal(3, 2, 5, 4).repeat(1, 1, 1, 2)) for f in (torch.cos, torch.sin)]
EXPERTS = torch.tensor([[0, 2], [1, 0], [2, 1], [0, 1], [2, 0]], dtype=torch.int32)
TURNS = torch.polar(torch.ones(5, 4), normal(5, 4))

SWIGLU = {"may_overwrite": ("a", "b", "cache")}  # by design: the gradients are written over what forward kept
INPUT = {"may_overwrite": ("_input", "cache")}
DY = {"may_overwrite": ("dy",)}
ROTATED = {"may_overwrite": ("q", "k", "dy")}  # where they lie, unless a copy is needed to make them contiguous
CACHE = {"may_overwrite": ("cache",)}

CALLS = [
    Call("LigerGELUMulFunction", [(3, N), (3, N)], lambda a, b: F.gelu(a, approximate="tanh") * b, **SWIGLU),
    Call("LigerSiLUMulFunction", [(3, N), (3, N)], lambda a, b: F.silu(a) * b, **SWIGLU),
    Call("LigerReLUSquaredFunction", [(3, N)], lambda x: F.relu(x) ** 2),
    Call("LigerSoftmaxFunction", [(3, N)], lambda x: x.softmax(-1)),
    Call("LigerSparsemaxFunction", [normal(3, N), -1], sparsemax),
    Call("LigerLayerNormFunction", [normal(3, N), normal(N), normal(N), 1e-5], layer_norm),
    Call("LigerRMSNormFunction", [normal(3, N), normal(N), 1e-6, 1.0, "gemma", True], rms_norm, **DY),
    Call("LigerFusedAddRMSNormFunction", [normal(3, N), normal(3, N), normal(N), 1e-6, 0.0, "llama", True],
         add_rms_norm, **DY),
    Call("LigerPolyNormFunction", [normal(3, N), normal(3), normal(), 1e-6, True], poly_norm, **DY),
    Call("LigerGroupNormFunction", [normal(2, 6, N), normal(6), normal(6), 6, 3, 1e-5], group_norm),
    Call("LigerDyTFunction", [normal(3, N), normal(1), normal(N), normal(N)], dynamic_tanh),
    Call("LigerCrossEntropyFunction", [(4, N), labels(4, below=N), None, *LOSS], cross_entropy, **INPUT),
    Call("LigerCrossEntropyFunction", [(4, N), labels(4, below=N), None, *SMOOTHED], cross_entropy, "smoothed",
         **INPUT),
    Call("LigerCrossEntropyFunction", [normal(4, N), labels(4, below=N), None, *SOFTCAP], cross_entropy,
         f"softcap, {N} classes", **INPUT),
    Call("LigerCrossEntropyFunction", [normal(4, 16), labels(4, below=16), None, *SOFTCAP], cross_entropy,
         "softcap, 16 classes", **INPUT),
    Call("LigerFusedLinearCrossEntropyFunction",
         [normal(4, 5), normal(N, 5), labels(4, below=N), normal(N), *LINEAR], linear_cross_entropy, **CACHE),
    Call("LigerJSDFunction", [log_probabilities(4, N), log_probabilities(4, N), None, 0.3, -100], divergence),
    Call("LigerFusedLinearJSDFunction", [normal(3, 5), normal(N, 5), normal(3, 6), normal(N, 6), None, 0.3, -100, 1.0],
         linear_divergence, **CACHE),
    Call("LigerKLDivLossFunction", [log_probabilities(4, N), log_probabilities(4, N).exp(), "batchmean", False, 1e-10],
         kl_divergence),
    Call("LigerTVDLossFunction", [normal(4, N).softmax(-1), normal(4, N).softmax(-1), None, "batchmean", -100],
         total_variation),
    Call("LigerRopeFunction", [normal(2, 3, 5, 8), normal(2, 1, 5, 8), *ANGLES, None, 1], rotary, **ROTATED),
    Call("LigerQwen2VLMRopeFunction", [normal(2, 3, 5, 8), normal(2, 1, 5, 8), *THREE_ANGLES, [1, 1, 2], 1],
         rotary_in_sections, **ROTATED),
    Call("LigerLlama4RopeFunction", [normal(2, 5, 3, 8), normal(2, 5, 1, 8), TURNS], rotary_complex),
    Call("LigerEmbeddingFunction", [(7, N), labels(4, 3, below=7)], lambda W, at: W[at]),
    Call("LigerMultiTokenAttentionFunction", [normal(1, 2, 9, 9), normal(2, 2, 3, 3), normal(2), 1, 1, 1, 1, False],
         attention_of_tokens),
    Call("LigerFusedNeighborhoodAttentionFunction",
         [normal(1, 1, N, 5), normal(1, 1, N, 5), normal(1, 1, N, 5), 3, 2, None], neighbourhood_attention),
    Call("LigerAttnResFunction", [normal(3, 1, 2, N), normal(N), normal(N), 1e-6], attention_residual),
    Call("LigerMHCPreFunction", [normal(3, 4, N), normal(3, 4)], streams_in),
    Call("LigerMHCPostResFunction", [normal(3, 4, N), normal(3, N), normal(3, 4), normal(3, 4, 4)], streams_out),
    Call("LigerMHCCoeffsFunction", [normal(3, 2, N), normal(2 * N, 8), normal(8), normal(), normal(), normal(), True,
         3, 1e-6, 0.0, 1e-6, 2.0], stream_coefficients),
    Call("LigerFusedMoEFunction", [normal(5, N), normal(3, 12, N), normal(3, N, 6), EXPERTS, normal(5, 2).softmax(-1)],
         mixture_of_experts),
    Call("GrpoLossFunction", [normal(2, 4, N), -normal(2, 3).abs() - 2, -normal(2, 3).abs() - 2,
         labels(2, 3, below=N), normal(2), None, 0.9, 0.1, 0.2, 0.3, False, "grpo", None, False], policy_loss),
]  # fmt: skip
