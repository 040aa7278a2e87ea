"""The layers and losses of manual as stages: the code by hand beside its twin, differentiated by autograd."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.func import functional_call

from handgrad.arrays.ball import Ball
from handgrad.arrays.base import JudgedArray, lift
from handgrad.arrays.imitated import Imitated, imitate, rounds
from handgrad.arrays.precision import plain, to64
from handgrad.judge.stage import Arrays, Halves, Stage
from handgrad.subjects.network.network_run import Point
from manual import Dropout, Layer, Linear, Loss, Network, output_names, param_names
from torch_ref import twin
from torch_ref.weights import TORCH_NAMES


def title_stages(network: Network) -> tuple[str, ...]:
    """Each stage as its output's name and what makes it: "z1 = Linear 64-32"."""
    return tuple(
        f"{name} = {type(f).__name__}" + (f" {f.n_in}-{f.n_out}" if isinstance(f, Linear) else "")
        for name, f in zip(output_names(network.layers), network.layers, strict=True)
    )


def name_tensors(network: Network) -> tuple[dict[str, str], ...]:
    """Per stage, the lectures' names of "y", "dx" and the parameters' gradients; the loss is the last stage."""
    outputs, params = output_names(network.layers), param_names(network.layers)
    stages = [
        {"y": y, "dx": f"d{x}", **{f"d{short}": f"d{name}" for short, name in own.items()}}
        for x, y, own in zip(("x", *outputs), outputs, params, strict=False)
    ]
    return (*stages, {"y": "E", "dx": f"d{outputs[-1]}"})


def list_stages(point: Point) -> tuple[Stage, ...]:
    """Every layer and then the loss, each beside its reference."""
    layers = zip(title_stages(point.network), point.network.layers, point.states, strict=True)
    loss = loss_stage(f"E = {type(point.loss).__name__}", point.loss, point.target)
    return (*(layer_stage(title, layer, state) for title, layer, state in layers), loss)


def layer_stage(name: str, layer: Layer, state: Any = None) -> Stage:
    """The stage of a manual layer: inputs "x" and its parameters. state: dropout mask or running statistics."""
    module = layer_twin(layer)

    def in_torch(tensors: dict[str, torch.Tensor]) -> torch.Tensor:
        named = {TORCH_NAMES[key]: value for key, value in tensors.items() if key != "x"}
        given = () if state is None else (convert(state, lambda a: torch.as_tensor(to64(a))),)
        y: torch.Tensor = functional_call(module, named, (tensors["x"], *given))
        return y

    return stage_of(name, layer_halves(layer, state), in_torch, layer, state)


def layer_halves(layer: Any, state: Any) -> Halves:
    """The two passes of a manual layer, or of what has such a forward and backward."""

    def forward(inputs: Arrays) -> tuple[Any, Any]:
        y, cache = layer.forward(params_of(inputs), inputs["x"], *constant_for(inputs, state))
        return y, cache

    def backward(cache: Any, inputs: Arrays, dy: Any) -> dict[str, Any]:
        dx, dparams = layer.backward(params_of(inputs), cache, dy)
        return {"dx": dx, **dparams}

    return Halves(forward, backward)


def layer_twin(layer: Layer) -> torch.nn.Module:
    """The twin, where dropout without a mask is off, as in manual (in training nn.Dropout would draw its own)."""
    return twin(layer).train(not isinstance(layer, Dropout))


def loss_stage(name: str, loss: Loss, target: Any) -> Stage:
    """The stage of a manual loss: input "x" (the network's output), output "y" and upstream gradient a scalar."""
    module = twin(loss)

    def in_torch(tensors: dict[str, torch.Tensor]) -> torch.Tensor:
        value: torch.Tensor = module(tensors["x"], torch.as_tensor(plain(target)))
        return value

    return stage_of(name, loss_halves(loss, target), in_torch, loss, target)


def loss_halves(loss: Any, target: Any) -> Halves:
    """The two passes of a manual loss, or of what has such a forward and backward."""

    def forward(inputs: Arrays) -> tuple[Any, Any]:
        value, cache = loss.forward(inputs["x"], *constant_for(inputs, target))
        return value, cache

    def backward(cache: Any, inputs: Arrays, dy: Any) -> dict[str, Any]:
        return {"dx": loss.backward(cache, dy)}

    return Halves(forward, backward)


def stage_of(
    name: str,
    halves: Halves,
    in_torch: Callable[[dict[str, torch.Tensor]], torch.Tensor],
    subject: Any = None,
    constants: Any = None,
) -> Stage:
    """The stage of a forward and a backward pass, beside a torch function of the same inputs by name."""

    def hand(inputs: Arrays, dy: Any) -> dict[str, Any]:
        y, cache = halves.forward(inputs)
        return {"y": y, **halves.backward(cache, inputs, dy)}

    return Stage(name, hand, lambda inputs, dy: autograd(in_torch, inputs, dy), subject, constants, halves)


def autograd(
    forward: Callable[[dict[str, torch.Tensor]], torch.Tensor], inputs: Arrays, dy: NDArray[np.float64]
) -> dict[str, Any]:
    """forward and its vector-Jacobian product by torch's autograd, in float64."""
    leaves = {key: torch.tensor(value, dtype=torch.float64, requires_grad=True) for key, value in inputs.items()}
    y = forward(leaves)
    grads = torch.autograd.grad(y, list(leaves.values()), torch.as_tensor(dy, dtype=y.dtype).reshape(y.shape))
    return {"y": y.detach().numpy(), **{f"d{key}": grad.numpy() for key, grad in zip(leaves, grads, strict=True)}}


def as_run(x: Any, constant: Any) -> Any:
    """The constant (target, mask, running statistics) as the run on x takes it: on the judge's arrays if x is.

    It is given, so it is exact. What the code computes from it alone (m / (1 - p), a smoothed target) rounds like
    everything else. Class indices stay plain integers.
    """
    if constant is not None and isinstance(x, Imitated) and (dice := x.dice) is not None:
        return convert(constant, lambda a: imitate(a, dice) if rounds(a) else a)
    if constant is None or not isinstance(x, JudgedArray):
        return constant

    def enter(a: Any) -> Any:
        if a.dtype.kind in "iu":
            return a
        return Ball.rounded(a, x.arithmetic) if isinstance(x, Ball) else lift(x, a)[1]

    return convert(convert(constant, plain), enter)


def constant_for(inputs: Arrays, constant: Any) -> tuple[Any, ...]:
    """What a layer or loss takes besides x, as a tuple of further arguments."""
    return () if constant is None else (as_run(inputs["x"], constant),)


def params_of(inputs: Arrays) -> dict[str, Any]:
    """All inputs but x."""
    return {key: value for key, value in inputs.items() if key != "x"}


def convert(state: Any, to: Callable[[Any], Any]) -> Any:
    """An array, or a NamedTuple of arrays, each array converted."""
    return type(state)(*(to(part) for part in state)) if isinstance(state, tuple) else to(state)
