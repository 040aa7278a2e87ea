"""What is kept between forward and backward: HandModule, torch's own modules, and the same composed of primitives.

    python benchmarks/memory.py

Bytes of every storage that `torch.autograd.graph.saved_tensors_hooks` sees, each once, without the parameters.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from record import markdown, save
from torch import nn

import manual
from torch_ref import HandModule, twin

N, WIDTH, CLASSES = 128, 256, 10
OWN: dict[str, Callable[[], nn.Module]] = {
    "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "relu": nn.ReLU, "leaky_relu": nn.LeakyReLU, "softplus": nn.Softplus,
    "silu": nn.SiLU, "gelu": nn.GELU, "gelu_tanh": lambda: nn.GELU("tanh"),
}  # fmt: skip


def kept(module: nn.Module, run: Callable[[], torch.Tensor]) -> int:
    """Bytes that `run` keeps for the backward pass, besides the parameters of `module`."""
    own = {p.untyped_storage().data_ptr() for p in module.parameters()}
    seen: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            seen[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        value = run()
    assert value.requires_grad
    return sum(seen.values())


def networks() -> dict[str, tuple[manual.Network, nn.Module]]:
    """Two hidden layers of every activation, and a normalised one, beside torch's own modules."""
    sizes = [WIDTH, WIDTH, WIDTH, CLASSES]
    found = {}
    for name, activation in OWN.items():
        linears = [nn.Linear(a, b) for a, b in pairwise(sizes)]
        plain = nn.Sequential(linears[0], activation(), linears[1], activation(), linears[2])
        found[name] = (manual.mlp(sizes, name), plain)
    norm = manual.Network(
        (manual.Linear(WIDTH, WIDTH), manual.LayerNorm(WIDTH), manual.Tanh(), manual.Linear(WIDTH, CLASSES))
    )
    plain = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.LayerNorm(WIDTH), nn.Tanh(), nn.Linear(WIDTH, CLASSES))
    return {**found, "layer norm, tanh": (norm, plain)}


def measure() -> dict[str, dict[str, int]]:
    """Bytes per network, with softmax cross-entropy."""
    x, labels, loss = torch.randn(N, WIDTH), torch.randint(CLASSES, (N,)), manual.SoftmaxCrossEntropy()
    found = {}
    for name, (network, plain) in networks().items():
        hand, composed = HandModule(network, loss), twin(network)
        E, twin_loss = nn.CrossEntropyLoss(), twin(loss)
        found[name] = {
            "hand": kept(hand, lambda: hand(x, labels)),  # noqa: B023
            "torch": kept(plain, lambda: E(plain(x), labels)),  # noqa: B023
            "composed": kept(composed, lambda: twin_loss(composed(x), labels)),  # noqa: B023
        }
    return found


def table(found: dict[str, Any]) -> str:
    """Kilobytes, and ours over torch's own."""
    rows = [
        [
            name,
            *(f"{row[side] / 1024:.1f}" for side in ("hand", "torch", "composed")),
            f"{row['hand'] / row['torch']:.2f}",
        ]
        for name, row in found["kept"].items()
    ]
    return markdown(
        ["network", "HandModule, KB", "torch's own modules", "composed of primitives", "ours / torch's"], rows
    )


if __name__ == "__main__":
    result = {"kept": measure(), "batch": N, "width": WIDTH}
    save("memory", result, table(result))
    print(table(result))
