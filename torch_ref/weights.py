"""Weights between the manual side and torch, both ways and bit for bit, under torch's own names.

    manual                     torch
    params[i]["W"], ["b"]      "i.weight", "i.bias"                     linear
    params[i]["gamma"], ...    "i.weight", "i.bias"                     layer norm, batch norm
    states[i] (Running)        "i.running_mean", "i.running_var"        batch norm

A state_dict of an ordinary nn.Sequential with the same layers fits as it is. Nothing here shares memory with what came
in: training one side leaves the other as it was.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from array_api_compat import is_numpy_array, is_numpy_namespace, is_torch_array, is_torch_namespace
from torch import nn
from torch.utils.dlpack import from_dlpack

from manual import Array, BatchNorm1d, Network, Params, Running
from torch_ref.twin import twin

TORCH_NAMES = {"W": "weight", "b": "bias", "gamma": "weight", "beta": "bias"}


def to_torch(
    network: Network, params: Sequence[Params], running: Sequence[Running | None] | None = None
) -> OrderedDict[str, torch.Tensor]:
    """params, and batch norm's running statistics, as a state_dict for twin(network) or a plain nn.Sequential.

    running: per layer its statistics or None, as `Network.forward` takes them; by default mean 0 and variance 1.
    torch's count of batches seen starts at 0: momentum needs no count. A connection mask is part of the layer, not of
    its weights: twin(network) has it, a plain nn.Linear does not. Values, dtype and device stay. Raises ValueError for
    missing, unexpected or misshapen arrays.

    >>> import manual
    >>> net = manual.mlp([2, 1])
    >>> to_torch(net, net.init(0)).keys()
    odict_keys(['0.weight', '0.bias'])
    """
    for name, given in (("params", params), ("running", running)):
        if given is not None and (isinstance(given, Mapping) or len(given) != len(network.layers)):
            raise ValueError(
                f"{name}: {len(given)} entries in a {type(given).__name__}, expected a sequence of "
                f"{len(network.layers)}, one per layer"
            )
    state: OrderedDict[str, torch.Tensor] = OrderedDict()
    for i, (layer, p) in enumerate(zip(network.layers, params, strict=True)):
        if set(p) != set(layer.param_shapes):
            raise ValueError(f"params[{i}]: keys are {sorted(p)}, expected {sorted(layer.param_shapes)}")
        for name, shape in layer.param_shapes.items():
            _check_shape(f"params[{i}][{name!r}]", p[name], shape)
            state[_key(i, name)] = _tensor(p[name])
        if isinstance(layer, BatchNorm1d):
            kept = (running[i] if running is not None else None) or layer.initial_running(p["gamma"])
            for name, array in zip(Running._fields, kept, strict=True):
                _check_shape(f"running[{i}].{name}", array, (layer.n,))
                state[f"{i}.running_{name}"] = _tensor(array)
            state[f"{i}.num_batches_tracked"] = torch.tensor(0, device=state[f"{i}.running_mean"].device)
    return state


def to_module(network: Network, params: Sequence[Params], running: Sequence[Running | None] | None = None) -> nn.Module:
    """The network with these weights as a module of its own in evaluation mode, differentiated by autograd.

    Values, dtype and device stay. Raises what `to_torch` raises.

    >>> import manual
    >>> net = manual.mlp([2, 1])
    >>> to_module(net, net.init(0))(torch.zeros(3, 2, dtype=torch.float64)).shape
    torch.Size([3, 1])
    """
    module = twin(network)
    module.load_state_dict(to_torch(network, params, running), assign=True)  # copying would cast
    return module.eval()


def from_torch(network: Network, state_dict: Mapping[str, torch.Tensor], *, xp: Any = np) -> tuple[Params, ...]:
    """The parameters in a state_dict of twin(network) or a plain nn.Sequential, as arrays of the namespace `xp`.

    The dtype stays; NumPy's arrays lie on the CPU, other libraries' on the tensor's device. Raises ValueError for
    missing, unexpected or misshapen entries (a prefix such as "module." is not guessed) and for bfloat16 with NumPy.
    """
    _check_keys(network, state_dict)
    return tuple(
        {name: _array(state_dict, _key(i, name), shape, xp) for name, shape in layer.param_shapes.items()}
        for i, layer in enumerate(network.layers)
    )


def running_from_torch(
    network: Network, state_dict: Mapping[str, torch.Tensor], *, xp: Any = np
) -> tuple[Running | None, ...]:
    """Batch norm's running statistics per layer, None for other layers: the `states` of an evaluating forward pass.

    Raises ValueError as from_torch does, and where a batch norm keeps no statistics (track_running_stats=False).
    """
    norms = [i for i, layer in enumerate(network.layers) if isinstance(layer, BatchNorm1d)]
    _check_keys(network, state_dict, [f"{i}.running_{name}" for i in norms for name in Running._fields])
    return tuple(
        Running(*(_array(state_dict, f"{i}.running_{name}", (layer.n,), xp) for name in Running._fields))
        if isinstance(layer, BatchNorm1d)
        else None
        for i, layer in enumerate(network.layers)
    )


def _key(i: int, name: str) -> str:
    return f"{i}.{TORCH_NAMES.get(name, name)}"


def _check_keys(network: Network, state_dict: Mapping[str, torch.Tensor], running: Sequence[str] = ()) -> None:
    """ValueError unless all parameters (and `running`) are there, and nothing but running statistics besides."""
    expected = [_key(i, name) for i, layer in enumerate(network.layers) for name in layer.param_shapes] + list(running)
    norms = [i for i, layer in enumerate(network.layers) if isinstance(layer, BatchNorm1d)]
    optional = {f"{i}.{k}" for i in norms for k in ("running_mean", "running_var", "num_batches_tracked")}
    missing = [key for key in expected if key not in state_dict]
    unexpected = [key for key in state_dict if key not in expected and key not in optional]
    if missing or unexpected:
        raise ValueError(
            f"state_dict: missing {missing}, unexpected {unexpected}; its keys are {list(state_dict)}, expected those "
            "of an nn.Sequential with the same layers; rename them first"
        )


def _check_shape(name: str, array: Array, shape: tuple[int, ...]) -> None:
    if tuple(array.shape) != shape:
        raise ValueError(f"{name}: shape is {tuple(array.shape)}, expected {shape}")


def _tensor(array: Array) -> torch.Tensor:
    """A tensor with memory of its own."""
    if is_torch_array(array):
        tensor: torch.Tensor = array.detach()
    else:
        tensor = torch.from_numpy(np.array(array)) if is_numpy_array(array) else from_dlpack(array)
    return tensor.clone()


def _array(state_dict: Mapping[str, torch.Tensor], key: str, shape: tuple[int, ...], xp: Any) -> Array:
    """An array of `xp` with memory of its own."""
    _check_shape(f"state_dict[{key!r}]", state_dict[key], shape)
    tensor = state_dict[key].detach().clone()
    if is_torch_namespace(xp):
        return tensor
    if is_numpy_namespace(xp):
        if tensor.dtype == torch.bfloat16:
            raise ValueError(
                f"state_dict[{key!r}]: is bfloat16, which NumPy does not have; pass xp=torch or call .float()"
            )
        return tensor.cpu().numpy()
    array = xp.from_dlpack(tensor)
    if (back := from_dlpack(array).dtype) != tensor.dtype:  # jax halves float64 without a word unless told otherwise
        raise ValueError(
            f"state_dict[{key!r}]: is {tensor.dtype}, but {xp.__name__} made it {back}; "
            "call .float() on it, or for jax enable jax_enable_x64"
        )
    return array
