"""The autograd twin of any manual layer, loss or network."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import torch
from torch import nn

import manual.layers
import manual.losses
import torch_ref.layers
import torch_ref.losses
from manual import Layer, Loss, Network
from torch_ref.sync_batch_norm import SyncBatchNorm1d, SyncBatchNorm1dTwin

# The class of the same name on the other side. Its constructor takes the fields of the manual dataclass.
TWINS: dict[type[Any], type[nn.Module]] = {
    kind: getattr(twins, kind.__name__)
    for kinds, twins in ((manual.layers.LAYERS, torch_ref.layers), (manual.losses.LOSSES, torch_ref.losses))
    for kind in kinds
}
TORCHS = {  # what torch calls otherwise
    "Sequential": "Network",
    "CrossEntropyLoss": "SoftmaxCrossEntropy",
    "BCEWithLogitsLoss": "BinaryCrossEntropy",
    "MSELoss": "MeanSquaredError",
}
EVERY_TWIN = TWINS | {SyncBatchNorm1d: SyncBatchNorm1dTwin}  # manual knows no processes


class Chain(nn.Sequential):
    """nn.Sequential whose forward takes, per layer, what it needs besides x (a mask, running statistics) or None."""

    def forward(self, x: torch.Tensor, states: Sequence[Any] | None = None) -> torch.Tensor:
        if states is not None and len(states) != len(self):
            raise ValueError(f"states: {len(states)} entries, expected {len(self)}, one per layer (None for most)")
        for i, module in enumerate(self):
            extra = () if states is None or states[i] is None else (states[i],)
            x = module(x, *extra)
        return x


def twin(subject: Layer | Loss | Network) -> nn.Module:
    """The nn.Module that computes the same, differentiated by autograd; a network gives a Chain with torch's own keys.

    A subclass of a manual layer gets the twin of the layer it derives from: it claims to be the same function. Raises
    TypeError, with the known names, for anything else.

    >>> twin(manual.mlp([4, 3, 2], "relu")).state_dict().keys()
    odict_keys(['0.weight', '0.bias', '2.weight', '2.bias'])
    """
    if isinstance(subject, Network):
        return Chain(*(twin(layer) for layer in subject.layers))
    for kind in type(subject).__mro__:
        if kind in EVERY_TWIN:
            return EVERY_TWIN[kind](**{field.name: getattr(subject, field.name) for field in fields(kind)})
    raise TypeError(f"subject: {refusal(subject)}")


def refusal(subject: Any) -> str:
    """What is wrong with something that has no twin, and what to write in its place."""
    name = type(subject).__name__
    if isinstance(subject, list | tuple):
        return f"got a {name}, expected one thing; manual.Network((first, second)) makes one of several layers"
    known = sorted(kind.__name__ for kind in TWINS)
    own = TORCHS.get(name, name)
    if not isinstance(subject, nn.Module) or own not in ("Network", *known):
        return f"no PyTorch twin for {name}; there are twins for Network, {', '.join(known)}"
    weights = "; its weights come along with load_state_dict(yours.state_dict()), or as arrays with from_torch"
    return f"got torch's {name}, expected manual.{own}{weights if [*subject.parameters()] else ''}"
