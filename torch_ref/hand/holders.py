"""What a call reads of the modules that hold a layer's tensors."""

from collections.abc import Sequence
from typing import Any, cast

import torch

from manual import BatchNorm1d, Dropout, Layer
from torch_ref.layers.batch_norm import own_running
from torch_ref.weights import TORCH_NAMES


def parameters(holders: Sequence[Any], names: Sequence[Sequence[str]], x: torch.Tensor) -> list[torch.Tensor]:
    """Every parameter by torch's name, found where torch keeps it: to ask the module takes ten times as long."""
    found = []
    for holder, own in zip(holders, names, strict=True):
        for name in own:
            kept = holder._parameters.get(name)
            found.append(asked(holder, name, x) if kept is None else kept)
    return found


def asked(holder: Any, name: str, x: torch.Tensor) -> torch.Tensor:
    """holder.name, where it is no ordinary parameter.

    Where a script set it to None, what torch computes without it: a factor of ones, or zeros added. ValueError for the
    weight of a linear layer, which torch cannot do without either.
    """
    value = getattr(holder, name)
    if value is None:
        shapes = {TORCH_NAMES[own]: shape for own, shape in holder.layers[0].param_shapes.items()}
        if len(shapes[name]) > 1:
            raise ValueError(f"{name}: is None, expected a parameter of shape {shapes[name]} for {holder.layers[0]}")
        value = x.new_ones(shapes[name]) if name == "weight" else x.new_zeros(shapes[name])
    return cast(torch.Tensor, value)


def count_states(layer: Layer, holder: Any) -> int:
    """How many tensors a layer takes besides x: dropout in training a mask, batch norm in evaluation mean and var."""
    if isinstance(layer, Dropout):
        return int(holder.training)
    return len(own_running(holder) or ()) if isinstance(layer, BatchNorm1d) else 0
