"""What a function takes, under which names; of the apply of a torch.autograd.Function what its forward takes."""

import inspect
from collections.abc import Callable
from typing import Any

import torch

from handgrad.subjects.torch_function.registration import is_operator


def plain_forward(forward: Any) -> Callable[..., Any]:
    """What is called: the apply of a torch.autograd.Function, else the thing itself."""
    if isinstance(forward, type) and issubclass(forward, torch.autograd.Function):
        return forward.apply
    return forward.forward if isinstance(forward, torch.nn.Module) else forward


def function_of(called: Any) -> Any:
    """The torch.autograd.Function whose apply it is, or None."""
    own = getattr(called, "__self__", None)
    return own if isinstance(own, type) and issubclass(own, torch.autograd.Function) else None


def signature(called: Callable[..., Any]) -> inspect.Signature:
    """What it takes; of the apply of a torch.autograd.Function what its forward takes, without ctx; of an operator of
    torch.library.custom_op what the function takes that was registered.

    Raises TypeError or ValueError where that is not known (some builtins).
    """
    if is_operator(called):
        return inspect.signature(called._init_fn)
    if (own := function_of(called)) is None:
        return inspect.signature(called)
    given = list(inspect.signature(own.forward).parameters.values())
    without_ctx = own.setup_context is not torch.autograd.Function.setup_context
    return inspect.Signature(given if without_ctx else given[1:])


def parameters(called: Any) -> dict[str, inspect.Parameter] | None:
    """The arguments by name; None where they are not known, or where any are taken."""
    try:
        found = dict(signature(plain_forward(called)).parameters)
    except (TypeError, ValueError):
        return None
    open_ended = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return None if any(p.kind in open_ended for p in found.values()) else found


def input_names(forward: Callable[..., Any], count: int) -> tuple[str, ...]:
    """The names of forward's first `count` arguments: x, W, b, so that gradients are dx, dW, db."""
    try:
        kinds = list(signature(forward).parameters.values())
    except (TypeError, ValueError):
        kinds = []
    named = [p.name for p in kinds if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)][:count]
    if len(named) < count:
        named = ["x"] if count == 1 else [f"x{i}" for i in range(count)]
    return tuple(named)


def axes_named(parameter: inspect.Parameter) -> list[str]:
    """The words of a type hint that is a shape, x: "n d"; [] of another one."""
    hint = getattr(parameter.annotation, "dim_str", parameter.annotation)
    return hint.strip("'\"").split(":")[0].split() if isinstance(hint, str) else []
