"""Torch code and its reference as a stage of the judge: all results as one vector y, and every gradient."""

from collections.abc import Callable
from typing import Any

import torch

from handgrad.arrays.precision import to64
from handgrad.judge.stage import Arrays, Stage
from handgrad.subjects.torch_function.call import TorchCall, draw_like, gradients

Differentiate = Callable[[TorchCall, torch.Tensor], dict[str, torch.Tensor]]
UPSTREAM = "upstream"


def as_stage(name: str, call: TorchCall, reference: TorchCall, differentiate: Differentiate) -> Stage:
    """differentiate(code at its inputs, dy) -> {"y": ..., "dx": ...}, of the code and of its reference in float64."""

    def hand(inputs: Arrays, dy: Any) -> dict[str, Any]:
        return dict(differentiate(call.at(inputs), dy))

    def right(inputs: Arrays, dy: Any) -> dict[str, Any]:
        device = next(iter(reference.tensors.values())).device
        wide = {n: torch.tensor(a, dtype=torch.float64, device=device) for n, a in inputs.items()}
        found = differentiate(reference.at(wide), torch.as_tensor(dy, dtype=torch.float64, device=device))
        return {n: to64(t) for n, t in found.items()}

    return Stage(name, hand, right)


def once(call: TorchCall, dy: torch.Tensor) -> dict[str, torch.Tensor]:
    """{"y": ..., "dx": ...}."""
    leaves = call.leaves()
    y = call.vector(leaves)
    return {"y": y.detach(), **gradients(y, leaves, dy.to(y.dtype))}


def twice(call: TorchCall, dy: torch.Tensor) -> dict[str, torch.Tensor]:
    """The same of the backward pass itself: "y" is all its gradients, differentiated by the inputs and by upstream.

    Raises RuntimeError where the backward pass refuses to be differentiated.
    """
    _, g, leaves = gradient_vector(call)
    if not g.requires_grad:
        return {"y": g, **{f"d{n}": torch.zeros_like(leaf) for n, leaf in leaves.items()}}
    return {"y": g.detach(), **gradients(g, leaves, dy.to(g.dtype))}


def gradient_vector(call: TorchCall) -> tuple[torch.Tensor, torch.Tensor, dict[str, torch.Tensor]]:
    """y; all gradients one behind the other, with their graph; and what they depend on: the inputs and upstream."""
    leaves = call.leaves()
    y = call.vector(leaves)
    upstream = draw_like(y).requires_grad_()
    grads = gradients(y, leaves, upstream, create_graph=True)
    return y, torch.cat([g.reshape(-1) for g in grads.values()]), {**leaves, UPSTREAM: upstream}
