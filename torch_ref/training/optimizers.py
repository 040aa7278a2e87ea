"""manual's optimizers as torch.optim's with the same numbers, and their states, both ways and bit for bit."""

from dataclasses import asdict
from typing import Any

import torch
from torch import nn

from manual import SGD, Adam, AdamState, AdamW, Network, SGDState
from torch_ref.weights import from_torch, to_torch

OPTIMIZERS: dict[type[Any], type[torch.optim.Optimizer]] = {
    SGD: torch.optim.SGD,
    Adam: torch.optim.Adam,
    AdamW: torch.optim.AdamW,
}


def torch_optimizer(optimizer: Any, module: nn.Module) -> torch.optim.Optimizer:
    """torch.optim's optimizer of the same name over the module's parameters. TypeError for one that has none.

    >>> torch_optimizer(SGD(0.1, momentum=0.9), nn.Linear(2, 1)).param_groups[0]["momentum"]
    0.9
    """
    if type(optimizer) not in OPTIMIZERS:
        known = ", ".join(kind.__name__ for kind in OPTIMIZERS)
        raise TypeError(f"optimizer: got {optimizer!r}, expected one of manual's, which torch has too: {known}")
    return OPTIMIZERS[type(optimizer)](module.parameters(), **asdict(optimizer))


def load_state(
    optimizer: torch.optim.Optimizer, module: nn.Module, network: Network, state: SGDState | AdamState
) -> None:
    """Puts manual's state, of torch arrays, into an optimizer that torch_optimizer made for the network's module."""
    if isinstance(state, SGDState) and (state.step == 0 or not any(state.buf)):
        return  # torch begins with the first gradient where manual begins with zeros
    if isinstance(state, SGDState):
        fields = {"momentum_buffer": to_torch(network, state.buf)}
    else:
        fields = {"exp_avg": to_torch(network, state.m), "exp_avg_sq": to_torch(network, state.v)}
    for name, parameter in module.named_parameters():
        kept = optimizer.state[parameter]
        kept.update({field: tensors[name].to(parameter.device) for field, tensors in fields.items()})
        if isinstance(state, AdamState):
            kept["step"] = torch.tensor(float(state.step))  # on the CPU, in float32, as torch makes it


def state_of(
    optimizer: torch.optim.Optimizer, module: nn.Module, network: Network, empty: SGDState | AdamState, steps: int
) -> SGDState | AdamState:
    """manual's state after `steps` steps, of tensors with memory of their own. empty: the state before the first."""
    if steps == 0:
        return empty

    def layers(field: str) -> Any:
        return from_torch(network, {n: optimizer.state[p][field] for n, p in module.named_parameters()}, xp=torch)

    if isinstance(empty, AdamState):
        return AdamState(steps, layers("exp_avg"), layers("exp_avg_sq"))
    return SGDState(steps, layers("momentum_buffer") if any(empty.buf) else empty.buf)
