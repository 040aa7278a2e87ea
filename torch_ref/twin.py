"""The autograd twin of any manual layer, loss or network."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

import manual
import torch_ref.batch_norm
import torch_ref.binary_cross_entropy
import torch_ref.dropout
import torch_ref.gelu
import torch_ref.identity
import torch_ref.layer_norm
import torch_ref.linear
import torch_ref.relu
import torch_ref.sigmoid
import torch_ref.silu
import torch_ref.softmax
import torch_ref.softmax_cross_entropy
import torch_ref.softplus
import torch_ref.squared_error
import torch_ref.step
import torch_ref.tanh
from manual import Layer, Loss, Network

TWINS: dict[type, Callable[[Any], nn.Module]] = {
    manual.Identity: lambda f: torch_ref.identity.Identity(),
    manual.Sigmoid: lambda f: torch_ref.sigmoid.Sigmoid(),
    manual.Tanh: lambda f: torch_ref.tanh.Tanh(),
    manual.ReLU: lambda f: torch_ref.relu.ReLU(),
    manual.LeakyReLU: lambda f: torch_ref.relu.LeakyReLU(f.slope),
    manual.Softplus: lambda f: torch_ref.softplus.Softplus(),
    manual.SiLU: lambda f: torch_ref.silu.SiLU(),
    manual.GELU: lambda f: torch_ref.gelu.GELU(),
    manual.GELUTanh: lambda f: torch_ref.gelu.GELUTanh(),
    manual.BinaryStep: lambda f: torch_ref.step.BinaryStep(),
    manual.Sign: lambda f: torch_ref.step.Sign(),
    manual.Linear: lambda f: torch_ref.linear.Linear(f.n_in, f.n_out, f.bias, f.mask),
    manual.Dropout: lambda f: torch_ref.dropout.Dropout(f.p),
    manual.LayerNorm: lambda f: torch_ref.layer_norm.LayerNorm(f.n, f.eps),
    manual.BatchNorm1d: lambda f: torch_ref.batch_norm.BatchNorm1d(f.n, f.eps, f.momentum),
    manual.Softmax: lambda f: torch_ref.softmax.Softmax(),
    manual.SquaredError: lambda f: torch_ref.squared_error.SquaredError(f.reduction),
    manual.HalfSquaredError: lambda f: torch_ref.squared_error.HalfSquaredError(f.reduction),
    manual.MeanSquaredError: lambda f: torch_ref.squared_error.MeanSquaredError(f.reduction),
    manual.BinaryCrossEntropy: lambda f: torch_ref.binary_cross_entropy.BinaryCrossEntropy(f.reduction),
    manual.SoftmaxCrossEntropy: lambda f: torch_ref.softmax_cross_entropy.SoftmaxCrossEntropy(
        f.reduction, f.label_smoothing, f.class_weights
    ),
}


class Chain(nn.Sequential):
    """nn.Sequential whose forward takes, per layer, what it needs besides x (a mask, running statistics) or None."""

    def forward(self, x: torch.Tensor, states: Sequence[Any] | None = None) -> torch.Tensor:
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
        if kind in TWINS:
            return TWINS[kind](subject)
    known = ", ".join(sorted(kind.__name__ for kind in TWINS))
    raise TypeError(f"twin: no PyTorch twin for {type(subject).__name__}; there are twins for Network, {known}")
