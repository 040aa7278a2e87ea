"""From what a user hands in to what is judged: code, its reference, and all inputs by name."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch.func import functional_call

from handgrad.arrays.precision import dtype_name
from handgrad.judge.isolation import duplicate
from handgrad.subjects.function.calling import Code, by_autograd, plain_forward
from handgrad.subjects.function.inputs import is_float_array, is_shape
from handgrad.subjects.function.own_forward import OwnForward, forward_of
from handgrad.subjects.function.own_vjp import by_vjp, in_jax, model_in_jax, without_rule
from handgrad.subjects.function.reference import Reference


def prepare(
    forward: Any, backward: Any, reference: Any, given: dict[str, Any]
) -> tuple[Code, Reference, dict[str, Any]]:
    """The code, its reference, and all inputs; the parameters of a module are inputs as well."""
    constants = {n: v for n, v in given.items() if not is_float_array(v) and not is_shape(v)}
    names = tuple(given)
    if isinstance(forward, torch.nn.Module) and reference is not None:
        parameters = dict(forward.named_parameters())
        run = module_call(forward, len(names), tuple(parameters))
        called = reference
        if isinstance(reference, torch.nn.Module):
            theirs = [n for n, _ in reference.named_parameters()]
            if set(theirs) != set(parameters):
                raise ValueError(
                    f"reference: its parameters are {theirs}, expected those of forward, {list(parameters)}"
                )
            called = module_call(reference, len(names), tuple(parameters), forward)
        names += tuple(parameters)
        code = replace(by_autograd(run, names, constants), parameters=tuple(parameters))
        return code, Reference(called, names, constants), given | parameters
    if reference is None:
        found: Reference = OwnForward(differentiable(forward, backward), names, constants)
    else:
        found = Reference(reference, names, constants)
    call = plain_forward(forward)
    own = duplicate(constants)  # so that code which writes into them does not change what the reference sees
    if backward is not None:
        return Code(call, backward, names, own), found, given
    return by_vjp(call, names, own) if in_jax(forward, given) else by_autograd(call, names, own), found, given


def differentiable(forward: Any, backward: Any) -> Callable[..., Any]:
    """What autograd is to differentiate where no reference is given: forward without the backward pass it may bring.

    Raises TypeError where the two cannot be told apart.
    """
    if backward is not None:
        return plain_forward(forward)
    function = getattr(plain_forward(forward), "__self__", None)
    if isinstance(function, type) and issubclass(function, torch.autograd.Function):
        return forward_of(function)
    if (plain := without_rule(forward)) is not None:
        return plain
    raise TypeError(
        "reference: got none, and forward brings its own backward pass, which cannot judge itself; give a reference: "
        "the same function in torch"
    )


def module_call(
    module: torch.nn.Module, count: int, parameters: tuple[str, ...], state: torch.nn.Module | None = None
) -> Callable[..., Any]:
    """The module as a function of its inputs and parameters, on a copy of its buffers (those of `state`)."""

    def run(*args: Any) -> Any:
        given = dict(zip(parameters, args[count:], strict=True))
        own, like = dict(module.named_buffers()), next(a for a in args if isinstance(a, torch.Tensor))
        buffers = own | {n: b for n, b in (state or module).named_buffers() if n in own}
        dtype = next((a.dtype for a in args if isinstance(a, torch.Tensor) and a.is_floating_point()), like.dtype)
        copies = {
            n: b.to(like.device, dtype if b.is_floating_point() else b.dtype, copy=True) for n, b in buffers.items()
        }
        return functional_call(module, {**given, **copies}, args[:count])

    return run


def list_models(code: Code, given: Mapping[str, Any], dtype: str | None) -> list[Any]:
    """Arrays of the library and precision that may be judged: the first one given; for shapes NumPy's, then torch's.

    dtype: of what is drawn, float64 if None. bfloat16 and float16 are torch's, which sums them in float32.
    Raises ValueError where arrays are given in another one.
    """
    array = next((v for v in given.values() if is_float_array(v)), None)
    if array is not None:
        if dtype not in (None, dtype_name(array)):
            raise ValueError(f"dtype: got {dtype}, but the inputs are {dtype_name(array)}; give shapes to be drawn")
        return [array]
    if in_jax(code.forward, given):
        return [model_in_jax(dtype)]
    dtype = dtype or "float64"
    tensors = [v for v in code.constants.values() if isinstance(v, torch.Tensor)]
    in_torch = torch.zeros((), dtype=getattr(torch, dtype), device=tensors[0].device if tensors else None)
    only = code.graph is not None or bool(tensors)
    return [in_torch] if only or dtype in ("bfloat16", "float16") else [np.zeros((), dtype), in_torch]
