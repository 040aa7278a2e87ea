"""The reference: any torch callable, run on float64 tensors and differentiated by autograd."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from handgrad.judge.isolation import quiet
from handgrad.subjects.function.form import Form
from handgrad.subjects.function.outputs import Outputs, find_outputs, is_nest, list_results

Float = NDArray[np.float64]
View = Callable[[torch.Tensor], torch.Tensor]
NO_VIEWS: Mapping[str, View] = {}


@dataclass(frozen=True, eq=False)
class Reference:
    """forward(arguments by name, as `form` has them) -> y, one tensor; constants are passed as they are.

    Several results become one flat y (outputs.py). Raises TypeError where none is a floating-point tensor.
    form: None: one after the other; detached: the inputs that are meant to have no gradient
    device: where it runs: for code on a card, on the card. own: whether it is the code's own forward pass
    (own_forward.py); what, advice: its name, and what to do if it fails.
    """

    forward: Callable[..., Any]
    names: tuple[str, ...]
    constants: Mapping[str, Any]
    form: Form | None = None
    detached: tuple[str, ...] = ()
    device: Any = field(default="cpu", kw_only=True)
    own = False
    what = "the reference"
    advice = "give inputs that the reference accepts"

    def on(self, model: Any) -> Self:
        """The same for code that runs on arrays like this one."""
        return replace(self, device=model.device) if isinstance(model, torch.Tensor) else self

    def check(self, inputs: Mapping[str, Float]) -> None:
        """It is trusted."""

    def value(self, inputs: Mapping[str, Float]) -> Float:
        """y."""
        with quiet():  # not without gradients: a reference may itself ask for one
            return as_float64(self.run({n: as_tensor(a, self.device).requires_grad_() for n, a in inputs.items()}))

    def gradients(self, inputs: Mapping[str, Float], dy: Float, views: Mapping[str, View] = NO_VIEWS) -> dict[str, Any]:
        """{"y": ..., "dx": ..., ...}: zero where y does not depend on an input. views: of inputs, or of "dy"."""
        leaves = {n: views.get(n, as_it_is)(as_tensor(a, self.device)).requires_grad_() for n, a in inputs.items()}
        with quiet():  # its warnings are for those who call it
            y = self.run(leaves)
        found: dict[str, Any] = {"y": as_float64(y)}
        if not y.requires_grad:
            return found | {f"d{n}": np.zeros(leaf.shape) for n, leaf in leaves.items()}
        upstream = torch.as_tensor(np.asarray(dy), dtype=y.dtype, device=y.device).reshape(y.shape)
        ys, upstreams = ((y,), (upstream,)) if "dy" not in views else self.apart(leaves, upstream, views["dy"])
        grads = torch.autograd.grad(ys, list(leaves.values()), upstreams, allow_unused=True)
        for n, g in zip(leaves, grads, strict=True):
            found[f"d{n}"] = np.zeros(leaves[n].shape) if g is None else as_float64(g)
        return found

    def apart(
        self, leaves: Mapping[str, torch.Tensor], dy: torch.Tensor, view: View
    ) -> tuple[tuple[torch.Tensor, ...], tuple[torch.Tensor, ...]]:
        """Every result that has a gradient, and what comes from above for it, as that view."""
        with quiet():
            results = self.each_result(leaves)
        ys, outputs = dict(list_results("y", results)), find_outputs(results)[1]
        upstream = replace(outputs, layout=view).upstream(dy)
        moving = [p.name for p in outputs.parts if ys[p.name].requires_grad]
        return tuple(ys[n] for n in moving), tuple(upstream[n] for n in moving)

    def eager(self, inputs: Mapping[str, Any], dy: Any) -> dict[str, Float]:
        """The same as gradients, in the precision of the inputs, torch tensors: torch's own code as it stands."""
        leaves = {n: a.detach().clone().requires_grad_() for n, a in inputs.items()}
        with quiet():
            y = self.run(leaves)
            grads = torch.autograd.grad(y, list(leaves.values()), dy.detach().reshape(y.shape), allow_unused=True)
        found = {f"d{n}": as_float64(g) for n, g in zip(leaves, grads, strict=True) if g is not None}
        return {"y": as_float64(y), **found}

    def outputs(self, inputs: Mapping[str, Float]) -> Outputs:
        """What y is made of."""
        with quiet():
            leaves = {n: as_tensor(a, self.device).requires_grad_() for n, a in inputs.items()}
            return find_outputs(self._call(leaves))[1]

    def _call(self, leaves: Mapping[str, torch.Tensor]) -> Any:
        constants = {n: as_constant(value, self.device) for n, value in self.constants.items()}
        return (self.form or Form(self.names)).call(self.forward, {**constants, **self.without_gradient(leaves)})

    def each_result(self, leaves: Mapping[str, torch.Tensor]) -> Any:
        """All results of tensors by name as they come, as autograd sees them."""
        return self._call(leaves)

    def run(self, leaves: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """y of tensors by name, as autograd sees it."""
        out = self._call(leaves)
        y = find_outputs(out)[0] if is_nest(out) else out
        if not isinstance(y, torch.Tensor) or not y.is_floating_point():
            raise TypeError(
                f"reference returned a {type(y).__name__}, expected a floating-point torch.Tensor, or several of them"
            )
        return y

    def without_gradient(self, leaves: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The inputs, those detached that are meant to have no gradient."""
        return {n: leaf.detach() if n in self.detached else leaf for n, leaf in leaves.items()}


def as_it_is(tensor: torch.Tensor) -> torch.Tensor:
    """No view."""
    return tensor


def as_float64(tensor: torch.Tensor) -> Float:
    """The numbers of a tensor."""
    return tensor.detach().double().cpu().numpy()


def as_tensor(array: Float, device: Any = "cpu") -> torch.Tensor:
    """A float64 tensor of its own memory."""
    return torch.tensor(array, dtype=torch.float64, device=device)


def as_constant(value: Any, device: Any) -> Any:
    """Arrays of integers and booleans as tensors, everything else as it is."""
    if isinstance(value, torch.Tensor):
        return value.to(device)
    return torch.as_tensor(np.asarray(value), device=device) if isinstance(value, np.ndarray | np.generic) else value
