"""Torch code at the inputs of one judgement, called as a model calls it, with all its results as one vector."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import torch

Tensors = Mapping[str, torch.Tensor]


@dataclass(frozen=True, eq=False)
class TorchCall:
    """run(tensors by name) -> whatever the code returns; tensors: the inputs that have a gradient."""

    run: Callable[[Tensors], Any]
    tensors: Tensors

    def at(self, tensors: Tensors) -> Self:
        """The same code at other inputs."""
        return replace(self, tensors=tensors)

    def leaves(self) -> dict[str, torch.Tensor]:
        """The inputs in memory of their own, ready to be differentiated by."""
        return {n: t.detach().clone().requires_grad_() for n, t in self.tensors.items()}

    def vector(self, leaves: Tensors) -> torch.Tensor:
        """All that can be differentiated of the results, one behind the other.

        Raises ValueError where nothing can.
        """
        found = [t.reshape(-1) for t in list_tensors(self.run(leaves)) if t.requires_grad]
        if not found:
            raise ValueError("no result requires a gradient")
        return found[0] if len(found) == 1 else torch.cat(found)


def list_tensors(result: Any) -> Iterator[torch.Tensor]:
    """Every floating-point tensor in a nest of tuples, lists and mappings, of these by name."""
    if isinstance(result, torch.Tensor):
        if result.is_floating_point():
            yield result
    elif isinstance(result, Mapping | tuple | list):
        parts = [result[key] for key in sorted(result, key=str)] if isinstance(result, Mapping) else result
        for part in parts:
            yield from list_tensors(part)


def gradients(y: torch.Tensor, leaves: Tensors, dy: torch.Tensor, **how: Any) -> dict[str, torch.Tensor]:
    """{"dx": ...}: zeros where y does not depend on a leaf."""
    found = torch.autograd.grad(y, list(leaves.values()), dy, allow_unused=True, **how)
    given = zip(leaves.items(), found, strict=True)
    return {f"d{n}": torch.zeros_like(leaf) if g is None else g for (n, leaf), g in given}


def draw_like(t: torch.Tensor, seed: int = 0) -> torch.Tensor:
    """Random sixteenths between 1/4 and 2 of both signs, which every precision holds: an upstream gradient."""
    generator = torch.Generator().manual_seed(seed)
    size = torch.randint(4, 33, t.shape, generator=generator) / 16
    sign = torch.randint(0, 2, t.shape, generator=generator) * 2 - 1
    return (sign * size).to(t.device, t.dtype)


def list_nodes(y: torch.Tensor) -> list[Any]:
    """Every node of the graph behind a tensor."""
    seen, todo = dict[int, Any](), [y.grad_fn]
    while todo:
        node = todo.pop()
        if node is not None and id(node) not in seen:
            seen[id(node)] = node
            todo += [before for before, _ in node.next_functions]
    return list(seen.values())


def is_written_by_hand(node: Any) -> bool:
    """Whether it is the backward pass of a torch.autograd.Function."""
    return isinstance(node, torch.autograd.function.BackwardCFunction)
