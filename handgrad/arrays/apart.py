"""Kernels of torch that subtract inside what cancels, or leave out what is small, as the operations they are made of.

One rounding of the result is less than any evaluation of it loses: gelu(-5) is 1 + erf(-3.5) times -2.5, and
log_softmax takes the logarithm of a sum that is 1 and little more. torch's softplus(z) is z above 20, so that its
slope is 1, where s(z) is 2e-9 less. Each has the arguments of the operation of aten.
"""

import math
from collections.abc import Callable
from typing import Any

import torch

TWO_OVER_PI, CUBIC = math.sqrt(2 / math.pi), 0.044715  # of the tanh approximation of gelu


def log_softmax(z: Any, dim: Any, _: Any = False) -> Any:
    """z - max - log(sum e^(z - max))."""
    z = z - finite(z.amax(dim, keepdim=True))
    return z - z.exp().sum(dim, keepdim=True).log()


def logsumexp(z: Any, dim: Any, keepdim: bool = False) -> Any:
    """max + log(sum e^(z - max))."""
    largest = finite(z.amax(dim, keepdim=True))
    total = (z - largest).exp().sum(dim, keepdim=True).log() + largest
    return total if keepdim else total.sum(dim)  # one number each


def logaddexp(a: Any, b: Any) -> Any:
    """max + log(1 + e^-|a - b|)."""
    apart = torch.where(a == b, torch.zeros_like(a - b), a - b)  # inf - inf is nan
    return torch.maximum(a, b) + torch.log1p(torch.exp(-apart.abs()))


def finite(largest: Any) -> Any:
    """0 where nothing can be subtracted: all are -inf, or one is inf."""
    return torch.where(torch.isfinite(largest), largest, torch.zeros_like(largest))


def logit(p: Any, eps: float | None = None) -> Any:
    """log(p / (1 - p)), which is near 0 where p is near 1/2."""
    p = p if eps is None else p.clamp(eps, 1 - eps)
    return (p / (1 - p)).log()


def gelu(z: Any, approximate: str = "none") -> Any:
    """z Phi(z) = z / 2 (1 + erf(z / sqrt 2)), or with the tanh that stands for erf."""
    return z * 0.5 * (1 + gelu_sigmoid(z, approximate))


def gelu_backward(dy: Any, z: Any, approximate: str = "none") -> Any:
    """dy (Phi(z) + z Phi'(z))."""
    t = gelu_sigmoid(z, approximate)
    if approximate == "none":
        slope = (-z * z / 2).exp() * TWO_OVER_PI
    else:
        slope = (1 - t * t) * TWO_OVER_PI * (1 + 3 * CUBIC * z * z)
    return dy * (0.5 * (1 + t) + 0.5 * z * slope)


def gelu_sigmoid(z: Any, approximate: str) -> Any:
    """2 Phi(z) - 1."""
    return torch.erf(z / math.sqrt(2)) if approximate == "none" else torch.tanh(TWO_OVER_PI * (z + CUBIC * z * z * z))


def softplus(z: Any, beta: float = 1, threshold: float = 20) -> Any:
    """log(1 + e^(beta z)) / beta, of which torch leaves out e^(-beta z) above its threshold."""
    return torch.relu(z) + torch.log1p(torch.exp(-(beta * z).abs())) / beta


def softplus_backward(dy: Any, z: Any, beta: float, threshold: float) -> Any:
    """dy s(beta z), which torch takes for dy above its threshold."""
    return dy * torch.sigmoid(beta * z)


def silu_backward(dy: Any, z: Any) -> Any:
    """dy s (1 + z (1 - s)), which is 0 at z = -1.28."""
    s = torch.sigmoid(z)
    return dy * s * (1 + z * (1 - s))


def mish_backward(dy: Any, z: Any) -> Any:
    """dy (t + z s (1 - t^2)), t = tanh(softplus(z)), which is 0 at z = -1.19."""
    s, t = torch.sigmoid(z), torch.tanh(torch.nn.functional.softplus(z))
    return dy * (t + z * s * (1 - t * t))


def hardswish_backward(dy: Any, z: Any) -> Any:
    """dy (z / 3 + 1/2) between -3 and 3, which is 0 at z = -1.5; then 0 below and dy above."""
    inside = dy * (z / 3 + 0.5)
    return torch.where(z.abs() < 3, inside, torch.where(z > 0, dy, torch.zeros_like(dy)))


def softmax_backward_data(dy: Any, y: Any, dim: Any, _: Any) -> Any:
    """y dy - y sum(y dy)."""
    return y * dy - y * (y * dy).sum(dim, keepdim=True)


def log_softmax_backward_data(dy: Any, y: Any, dim: Any, _: Any) -> Any:
    """dy - e^y sum(dy)."""
    return dy - y.exp() * dy.sum(dim, keepdim=True)


APART: dict[str, Callable[..., Any]] = {
    f.__name__: f
    for f in (
        log_softmax,
        logsumexp,
        logaddexp,
        logit,
        gelu,
        gelu_backward,
        softplus,
        softplus_backward,
        silu_backward,
        mish_backward,
        hardswish_backward,
        softmax_backward_data,
        log_softmax_backward_data,
    )
}
