"""A network with every kind of layer, for HandModule and for its autograd twin from the same start."""

import torch

import manual
from torch_ref import Chain, HandModule, twin

EVERY_KIND = manual.Network(
    (
        manual.Linear(6, 5),
        manual.BatchNorm1d(5),
        manual.GELU(),
        manual.Dropout(0.3),
        manual.Linear(5, 4, mask=[[1, 0, 1, 1, 1], [1, 1, 1, 0, 1], [0, 1, 1, 1, 1], [1, 1, 1, 1, 0]]),
        manual.LayerNorm(4),
        manual.SiLU(),
        manual.Linear(4, 3, bias=False),
    )
)
LOSS = manual.SoftmaxCrossEntropy(label_smoothing=0.1)


def pair(
    network: manual.Network | None = None, loss: manual.Loss | None = None, dtype: torch.dtype = torch.float64
) -> tuple[HandModule, Chain]:
    """HandModule and autograd twin of a network, equal at the start."""
    network = manual.mlp([6, 5, 4, 3], "tanh") if network is None else network
    torch.manual_seed(0)
    hand = HandModule(network, loss).to(dtype)
    torch.manual_seed(0)
    return hand, twin(network).to(dtype)  # type: ignore[return-value]


def batch(N: int = 7, dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs (N, 6) and labels (N,)."""
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(N, 6, generator=generator, dtype=torch.float64)
    return x.to(dtype), torch.randint(0, 3, (N,), generator=generator)


def gradients(module: torch.nn.Module) -> list[torch.Tensor]:
    found = [p.grad for p in module.parameters()]
    assert all(g is not None for g in found)
    return [g for g in found if g is not None]
