"""Kernels taken apart give what torch's kernels give, and their cancellation shows where right code is judged."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from handgrad import verify_function
from handgrad.arrays.apart import APART
from handgrad.arrays.imitated_torch import facts_of

USES = {
    "gelu": F.gelu,
    "gelu, tanh": lambda z: F.gelu(z, approximate="tanh"),
    "softplus": F.softplus,
    "softplus, beta": lambda z: F.softplus(z, beta=3, threshold=40),
    "silu": F.silu,
    "mish": F.mish,
    "hardswish": F.hardswish,
    "softmax": lambda z: torch.softmax(z, 1),
    "log_softmax": lambda z: torch.log_softmax(z, 0),
    "logsumexp": lambda z: torch.logsumexp(z, 1),
    "logsumexp of all": lambda z: torch.logsumexp(z, (0, 1)),
    "logsumexp, keepdim": lambda z: torch.logsumexp(z, (0, 1), keepdim=True),
    "logaddexp": lambda z: torch.logaddexp(z, 2 * z + 1),
    "logit": lambda z: torch.logit(z.sigmoid()),
    "logit, eps": lambda z: torch.logit(z.sigmoid(), 0.1),
}


class BesideItsParts(TorchDispatchMode):
    """Compares every kernel that is taken apart with its parts, and remembers which were met."""

    def __init__(self):
        super().__init__()
        self.met = set()

    @classmethod
    def _should_skip_dynamo(cls):
        return False

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out, (name, *_) = func(*args, **(kwargs or {})), facts_of(func)
        if name in APART:
            self.met.add(name)
            torch.testing.assert_close(APART[name](*args, **(kwargs or {})), out, rtol=1e-9, atol=1e-12)
        return out


def test_the_parts_give_what_the_kernel_gives():
    z = 3 * torch.as_tensor(np.random.default_rng(0).normal(size=(3, 5)))
    z[0, 0], z[0, 1] = 4.0, -4.0
    beside = BesideItsParts()
    for f in USES.values():
        leaf = z.clone().requires_grad_()
        with beside:
            y = f(leaf)
            torch.autograd.grad(y, leaf, torch.randn_like(y))
    assert beside.met == set(APART)


def test_a_masked_class_and_a_row_without_any():
    z = torch.tensor([[1.0, -torch.inf, 2.0], [-torch.inf] * 3], dtype=torch.float64)
    with BesideItsParts():
        torch.log_softmax(z[:1], 1)
        torch.logsumexp(z, 1)
        torch.logaddexp(z[0], z[1])


def loss(z):
    return -torch.log_softmax(z, 1)[:, 2].mean()


@pytest.mark.parametrize(("factor", "verdict"), [(1, "CERTIFIED"), (1.001, "REFUTED")])
def test_a_loss_near_zero(factor, verdict):
    """log(1 + 0.002) in float32 is off by 3e-5 of itself, whoever computes it."""

    def backward(dy, z):
        return factor * dy * (torch.softmax(z, 1) - torch.tensor([[0, 0, 1]]))

    for seed in range(8):
        z = torch.tensor([[0, 1, 2]]) * np.random.default_rng(seed).uniform(5, 8)
        report = verify_function(lambda z: (loss(z), z), backward, loss, [z.float()], seed=seed)
        assert report.verdict.value == verdict, report.text()


@pytest.mark.parametrize(("factor", "verdict"), [(1, "CERTIFIED"), (1 + 1e-7, "REFUTED")])
def test_what_torch_leaves_out_of_a_softplus(factor, verdict):
    """Above 20 torch's softplus is z and its slope 1; by its formula they are 2e-9 apart from that."""
    z = torch.tensor([1.0, 19.0, 20.1, 22.0, 30.0], dtype=torch.float64)
    for forward in (F.softplus, lambda z: torch.logaddexp(z, torch.zeros_like(z))):
        back = lambda dy, z: factor * dy * torch.sigmoid(z)  # noqa: E731
        report = verify_function(forward, back, F.softplus, [z], seed=0, mend=0)
        assert report.verdict.value == verdict, report.text()
