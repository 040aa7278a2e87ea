"""From what a user hands in to what is judged: code, its reference, and all inputs by name."""

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.func import functional_call

from handgrad.arrays.precision import dtype_name
from handgrad.judge.isolation import duplicate
from handgrad.subjects.function.calling import Code
from handgrad.subjects.function.form import Arguments, Form
from handgrad.subjects.function.libraries import speaks_of
from handgrad.subjects.function.nests import is_float_array, is_shape, names_in
from handgrad.subjects.function.own_forward import OwnForward, forward_of
from handgrad.subjects.function.own_vjp import by_vjp, in_jax, model_in_jax, without_rule
from handgrad.subjects.function.reference import Reference
from handgrad.subjects.function.signatures import plain_forward
from handgrad.subjects.function.through_autograd import by_autograd


def prepare(
    forward: Any, backward: Any, reference: Any, given: Arguments, detached: Sequence[str] = ()
) -> tuple[Code, Reference, dict[str, Any]]:
    """The code, its reference, and all inputs; the parameters of a module are inputs as well.

    detached: the arguments that are meant to have no gradient.
    """
    values, names = given.values, tuple(given.values)
    constants = {n: v for n, v in values.items() if not is_float_array(v) and (n in given.literal or not is_shape(v))}
    detached = tuple(leaf for n in detached for leaf in names_in(given.form.nests[n]) if leaf not in constants)
    if isinstance(forward, torch.nn.Module) and reference is not None:
        return prepare_module(forward, reference, given, constants, detached)
    if reference is None:
        forward_alone, results = differentiable(forward, backward), None if backward is not None else 0
        found: Reference = OwnForward(forward_alone, names, constants, given.form, detached, results=results)
    else:
        found = Reference(reference, names, constants, given.reference, detached)
    own = duplicate(constants)  # so that code which writes into them does not change what the reference sees
    code = Code(plain_forward(forward), backward, names, own, given.form, detached)
    if backward is None:
        code = by_vjp(code) if in_jax(forward, values) else by_autograd(code, code.forward)
    return code, found, values


def prepare_module(
    module: torch.nn.Module, reference: Any, given: Arguments, constants: Mapping[str, Any], detached: tuple[str, ...]
) -> tuple[Code, Reference, dict[str, Any]]:
    """The same of a module: its parameters come after the inputs, for the reference as well."""
    parameters = dict(module.named_parameters())
    names = (*given.values, *parameters)
    called, form = reference, Form((*given.reference.by_position, *parameters), given.reference.by_keyword)
    if isinstance(reference, torch.nn.Module):
        theirs = [n for n, _ in reference.named_parameters()]
        if set(theirs) != set(parameters):
            raise ValueError(f"reference: its parameters are {theirs}, expected those of forward, {list(parameters)}")
        called, form = module_call(reference, given.reference, names, module), Form(names)
    code = Code(module, None, names, constants, None, detached, parameters=tuple(parameters))
    code = by_autograd(code, module_call(module, given.form, names))
    return code, Reference(called, names, constants, form, detached), {**given.values, **parameters}


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
    module: torch.nn.Module, form: Form, names: Sequence[str], state: torch.nn.Module | None = None
) -> Callable[..., Any]:
    """The module as a function of its inputs and parameters, on a copy of its buffers (those of `state`)."""
    parameters = [n for n, _ in module.named_parameters()]

    def run(*values: Any) -> Any:
        given = dict(zip(names, values, strict=True))
        own, like = dict(module.named_buffers()), next(a for a in values if isinstance(a, torch.Tensor))
        buffers = own | {n: b for n, b in (state or module).named_buffers() if n in own}
        dtype = next((a.dtype for a in values if isinstance(a, torch.Tensor) and a.is_floating_point()), like.dtype)
        copies = {
            n: b.to(like.device, dtype if b.is_floating_point() else b.dtype, copy=True) for n, b in buffers.items()
        }
        args, keywords = form.arguments(given)
        return functional_call(module, {**{n: given[n] for n in parameters}, **copies}, tuple(args), keywords)

    return run


def list_models(code: Code, given: Mapping[str, Any], dtype: str | None) -> list[Any]:
    """Arrays of the library and precision that may be judged: the first one given; for shapes NumPy's, then torch's.

    Before these stand JAX's, or array_api_strict's, where the code speaks of it; a jax.custom_vjp takes no others.
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
    if code.graph is None and speaks_of("jax", code.forward, code.backward):
        return [model_in_jax(dtype), np.zeros((), dtype or "float64")]
    dtype = dtype or "float64"
    if speaks_of("array_api_strict", code.forward, code.backward):
        strict = sys.modules["array_api_strict"]
        return [strict.zeros((), dtype=getattr(strict, dtype))]
    tensors = [v for v in code.constants.values() if isinstance(v, torch.Tensor)]
    in_torch = torch.zeros((), dtype=getattr(torch, dtype), device=tensors[0].device if tensors else None)
    only = code.graph is not None or bool(tensors)
    return [in_torch] if only or dtype in ("bfloat16", "float16") else [np.zeros((), dtype), in_torch]
