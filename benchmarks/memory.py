"""What is kept between forward and backward: HandModule, torch's own modules, and the same composed of primitives.

    python benchmarks/memory.py

Bytes of every storage that `torch.autograd.graph.saved_tensors_hooks` sees, each once, without the parameters.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

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


class Case(NamedTuple):
    """A network, the same of torch's own modules, and how they run."""

    network: manual.Network
    plain: nn.Sequential
    apart: bool = False  # network and loss as two modules, the swap of examples/drop_in.py
    training: bool = True
    head_only: bool = False  # all but the last linear layer frozen
    autocast: bool = False  # to bfloat16


def cases() -> dict[str, Case]:
    """Two hidden layers of every activation; normalised ones, dropout; and other ways to run them."""
    sizes = [WIDTH, WIDTH, WIDTH, CLASSES]
    found = {}
    for name, activation in OWN.items():
        linears = [nn.Linear(a, b) for a, b in pairwise(sizes)]
        plain = nn.Sequential(linears[0], activation(), linears[1], activation(), linears[2])
        found[name] = Case(manual.mlp(sizes, name), plain)
    W = WIDTH
    ends = (manual.Linear(W, W), manual.Linear(W, CLASSES))
    inner: dict[str, tuple[list[manual.Layer], list[nn.Module]]] = {
        "layer norm, tanh": ([manual.LayerNorm(W), manual.Tanh()], [nn.LayerNorm(W), nn.Tanh()]),
        "batch norm, relu": ([manual.BatchNorm1d(W), manual.ReLU()], [nn.BatchNorm1d(W), nn.ReLU()]),
        "relu, dropout": ([manual.ReLU(), manual.Dropout(0.5)], [nn.ReLU(), nn.Dropout(0.5)]),
    }
    for name, (layers, modules) in inner.items():
        plain = nn.Sequential(nn.Linear(W, W), *modules, nn.Linear(W, CLASSES))
        found[name] = Case(manual.Network((ends[0], *layers, ends[1])), plain)
    plain = nn.Sequential(nn.LayerNorm(W), nn.Linear(W, CLASSES))
    found["layer norm first"] = Case(manual.Network((manual.LayerNorm(W), ends[1])), plain)
    ways: dict[str, dict[str, bool]] = {
        "two modules": {"apart": True},
        "only the head trains": {"head_only": True},
        "bfloat16 autocast": {"autocast": True},
    }
    for how, changes in ways.items():
        for name in ("tanh", "relu", "gelu", "relu, dropout"):
            found[f"{name}; {how}"] = found[name]._replace(**changes)
    return found | {"relu, dropout; evaluation": found["relu, dropout"]._replace(training=False)}


def measure() -> dict[str, dict[str, int]]:
    """Bytes for each case, with softmax cross-entropy."""
    x, labels, loss = torch.randn(N, WIDTH), torch.randint(CLASSES, (N,)), manual.SoftmaxCrossEntropy()
    found = {}
    for name, case in cases().items():
        hand = HandModule(case.network) if case.apart else HandModule(case.network, loss)
        sides = {
            "hand": (hand, HandModule(loss) if case.apart else None),
            "torch": (case.plain, nn.CrossEntropyLoss()),
            "composed": (twin(case.network), twin(loss)),
        }
        found[name] = {side: bytes_of(case, *modules, x, labels) for side, modules in sides.items()}
    return found


def bytes_of(case: Case, module: nn.Module, loss: nn.Module | None, x: torch.Tensor, labels: torch.Tensor) -> int:
    """What one forward pass keeps. loss: None where the module has its own."""
    module.train(case.training)
    head = str(len(case.network.layers) - 1)
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(not case.head_only or name.startswith(head))
    with torch.autocast("cpu", torch.bfloat16, enabled=case.autocast):
        return kept(module, lambda: module(x, labels) if loss is None else loss(module(x), labels))


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
