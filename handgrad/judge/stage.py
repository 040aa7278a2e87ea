"""A stage: one thing with a forward and a backward pass, beside its reference.

The judge knows nothing else. A manual layer, a loss, two functions of the user's or a whole module become stages.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch.func import functional_call

from handgrad.arrays.base import JudgedArray, lift
from handgrad.arrays.precision import to64
from manual import Dropout, Layer, Loss
from torch_ref import twin
from torch_ref.weights import TORCH_NAMES

Arrays: TypeAlias = Mapping[str, Any]
Run: TypeAlias = Callable[[Arrays, Any], dict[str, Any]]


@dataclass(frozen=True, eq=False)
class Stage:
    """hand(inputs, dy) and reference(inputs, dy) give {"y": ..., "dx": ..., "dW": ..., ...}, the same names.

    `hand` runs on arrays of any library, the judge's among them; `reference` takes and gives NumPy float64.
    `subject` is the layer or loss judged and `constants` what it takes besides (target, mask), for naming mistakes.
    """

    name: str
    hand: Run
    reference: Run
    subject: Any = None
    constants: Any = None


def layer_stage(name: str, layer: Layer, state: Any = None) -> Stage:
    """The stage of a manual layer: inputs "x" and its parameters. state: dropout mask or running statistics."""
    module = layer_twin(layer)

    def hand(inputs: Arrays, dy: Any) -> dict[str, Any]:
        params = {key: value for key, value in inputs.items() if key != "x"}
        y, cache = layer.forward(params, inputs["x"], *_for(inputs, state))
        dx, dparams = layer.backward(params, cache, dy)
        return {"y": y, "dx": dx, **dparams}

    def forward(tensors: dict[str, torch.Tensor]) -> torch.Tensor:
        named = {TORCH_NAMES[key]: value for key, value in tensors.items() if key != "x"}
        given = () if state is None else (_convert(state, lambda a: torch.as_tensor(to64(a))),)
        y: torch.Tensor = functional_call(module, named, (tensors["x"], *given))
        return y

    return Stage(name, hand, lambda inputs, dy: autograd(forward, inputs, dy), layer, state)


def layer_twin(layer: Layer) -> torch.nn.Module:
    """The twin, where dropout without a mask is off, as in manual (in training nn.Dropout would draw its own)."""
    return twin(layer).train(not isinstance(layer, Dropout))


def loss_stage(name: str, loss: Loss, target: Any) -> Stage:
    """The stage of a manual loss: input "x" (the network's output), output "y" and upstream gradient a scalar."""
    module = twin(loss)

    def hand(inputs: Arrays, dy: Any) -> dict[str, Any]:
        value, cache = loss.forward(inputs["x"], *_for(inputs, target))
        return {"y": value, "dx": loss.backward(cache, dy)}

    def forward(tensors: dict[str, torch.Tensor]) -> torch.Tensor:
        value: torch.Tensor = module(tensors["x"], torch.as_tensor(plain(target)))
        return value

    return Stage(name, hand, lambda inputs, dy: autograd(forward, inputs, dy), loss, target)


def autograd(
    forward: Callable[[dict[str, torch.Tensor]], torch.Tensor], inputs: Arrays, dy: NDArray[np.float64]
) -> dict[str, Any]:
    """forward and its vector-Jacobian product by torch's autograd, in float64."""
    leaves = {key: torch.tensor(value, dtype=torch.float64, requires_grad=True) for key, value in inputs.items()}
    y = forward(leaves)
    grads = torch.autograd.grad(y, list(leaves.values()), torch.as_tensor(dy, dtype=y.dtype).reshape(y.shape))
    return {"y": y.detach().numpy(), **{f"d{key}": grad.numpy() for key, grad in zip(leaves, grads, strict=True)}}


def plain(array: Any) -> Any:
    """A target as NumPy: class indices stay integers, everything else becomes float64."""
    kind = str(getattr(array, "dtype", ""))
    return np.asarray(array.cpu() if isinstance(array, torch.Tensor) else array) if "int" in kind else to64(array)


def meeting(x: Any, constant: Any) -> Any:
    """The constant (target, mask, running statistics) as the run on x takes it: if x is judged, so is what it meets.

    What the code computes from a constant alone (m / (1 - p), a smoothed target) rounds like everything else. Class
    indices stay plain integers.
    """
    if constant is None or not isinstance(x, JudgedArray):
        return constant
    return _convert(constant, lambda a: a if a.dtype.kind in "iu" else lift(x, a)[1], plain)


def _for(inputs: Arrays, constant: Any) -> tuple[Any, ...]:
    return () if constant is None else (meeting(inputs["x"], constant),)


def _convert(state: Any, *to: Callable[[Any], Any]) -> Any:
    """An array, or a NamedTuple of arrays, converted; the last function first."""
    for f in reversed(to):
        state = type(state)(*(f(part) for part in state)) if isinstance(state, tuple) else f(state)
    return state
