"""The twin of manual/gradients.py: every quantity of one pass and its gradient, by autograd, under the same names."""

from collections.abc import Sequence
from typing import Any

import torch

from manual import Array, Dropout, Loss, Network, Params, output_names, param_names
from manual.tree import map_arrays
from torch_ref.twin import twin
from torch_ref.weights import TORCH_NAMES, to_torch


def gradients(
    network: Network,
    params: Sequence[Params],
    x: Array,
    target: Array,
    loss: Loss,
    *,
    states: Sequence[Any] | None = None,
) -> dict[str, torch.Tensor]:
    """What `manual.gradients` gives ("z1", "h1", "W1", "dz1", "dW1", "dx", "loss"), by the twin, in the precision of x.

    Shapes as there; x, target and states are arrays of NumPy or torch. Raises what `to_torch` raises.

    >>> import numpy as np
    >>> from manual import HalfSquaredError, mlp
    >>> params = ({"W": np.array([[3.0, 4.0]]), "b": np.array([0.5])},)
    >>> gradients(mlp([2, 1]), params, np.array([[1.0, 2.0]]), np.array([[10.0]]), HalfSquaredError())["dW1"]
    tensor([[1.5000, 3.0000]], dtype=torch.float64)
    """
    h = torch.as_tensor(x).clone().requires_grad_()
    modules = twin(network).to(h)
    modules.load_state_dict(to_torch(network, params))
    found = {"x": h}
    outputs, names = output_names(network.layers), param_names(network.layers)
    for i, (layer, module) in enumerate(zip(network.layers, modules.children(), strict=True)):
        module.train(not isinstance(layer, Dropout))  # without a mask dropout is off, as in manual
        state = None if states is None else states[i]
        h = found[outputs[i]] = module(h) if state is None else module(h, map_arrays(torch.as_tensor, state))
        found |= {name: module.get_parameter(TORCH_NAMES[short]) for short, name in names[i].items()}
    E = twin(loss)(h, torch.as_tensor(target))
    back = torch.autograd.grad(E, list(found.values()))
    found |= {"d" + name: d for name, d in zip(tuple(found), back, strict=True)}
    return {name: value.detach() for name, value in {**found, "loss": E}.items()}
