"""From what a user hands in to what is judged: code, its reference, and all inputs by name."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch.func import functional_call

from handgrad.judge.isolation import attempt, duplicate
from handgrad.subjects.function.calling import Code, by_autograd, plain_forward
from handgrad.subjects.function.inputs import cases, is_float_array, is_shape
from handgrad.subjects.function.reference import Reference


def prepare(
    forward: Any, backward: Any, reference: Any, given: dict[str, Any]
) -> tuple[Code, Reference, dict[str, Any]]:
    """The code, its reference, and all inputs; the parameters of a module are inputs as well."""
    constants = {n: v for n, v in given.items() if not is_float_array(v) and not is_shape(v)}
    names = tuple(given)
    if isinstance(forward, torch.nn.Module):
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
        code = by_autograd(run, names, constants)
        return code, Reference(called, names, constants), given | parameters
    call = plain_forward(forward)
    own = duplicate(constants)  # so that code which writes into them does not change what the reference sees
    code = by_autograd(call, names, own) if backward is None else Code(call, backward, names, own)
    return code, Reference(reference, names, constants), given


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


def model_of(code: Code, given: Mapping[str, Any], reference: Reference, rng: np.random.Generator) -> Any:
    """An array of the library and precision judged: the first one given; for shapes NumPy's float64, or torch's.

    Whether forward asks for torch is tried on the very numbers that are judged first, so that what it may keep is
    what it would have kept; rng is left as it was.
    """
    array = next((v for v in given.values() if is_float_array(v)), None)
    if array is not None:
        return array
    if any(isinstance(v, torch.Tensor) for v in code.constants.values()):
        return torch.zeros((), dtype=torch.float64)
    ordinary = next(cases(given, code.constants, np.zeros(()), reference, copy.deepcopy(rng)))
    args = [duplicate(arg) for arg in code.arguments(ordinary.inputs)]
    error = attempt(lambda: code.forward(*args)).error  # any other error is reported when the code is judged
    # A guess, and an honest one: torch and NumPy say so in their messages when they meet the other's arrays.
    wants_torch = isinstance(error, TypeError | AttributeError) and ("ensor" in str(error) or "numpy" in str(error))
    return torch.zeros((), dtype=torch.float64) if wants_torch else np.zeros(())
