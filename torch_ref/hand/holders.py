"""What a call reads of the modules that hold a layer's tensors."""

from typing import Any, cast

import torch

from manual import BatchNorm1d, Dropout, Layer
from torch_ref.layers.batch_norm import own_running
from torch_ref.weights import TORCH_NAMES


def parameter(holder: Any, name: str, x: torch.Tensor) -> torch.Tensor:
    """holder.name, found where torch keeps it: to ask for it by its name takes ten times as long.

    Where a script set it to None, what torch computes without it: a factor of ones, or zeros added. ValueError for the
    weight of a linear layer, which torch cannot do without either.
    """
    kept = holder._parameters.get(name)
    if kept is None:
        kept = getattr(holder, name)
    if kept is None:
        shapes = {TORCH_NAMES[own]: shape for own, shape in holder.layers[0].param_shapes.items()}
        if len(shapes[name]) > 1:
            raise ValueError(f"{name}: is None, expected a parameter of shape {shapes[name]} for {holder.layers[0]}")
        kept = x.new_ones(shapes[name]) if name == "weight" else x.new_zeros(shapes[name])
    return cast(torch.Tensor, kept)


def mode(holder: Any) -> tuple[bool, bool]:
    """What decides how many states a dropout or a batch norm takes: whether it trains, whether statistics are kept."""
    return holder.training, holder._buffers.get("running_mean") is None


def count_states(layer: Layer, holder: Any) -> int:
    """How many tensors a layer takes besides x: dropout in training a mask, batch norm in evaluation mean and var."""
    if isinstance(layer, Dropout):
        return int(holder.training)
    return len(own_running(holder) or ()) if isinstance(layer, BatchNorm1d) else 0
