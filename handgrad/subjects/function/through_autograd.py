"""Torch code that brings its own backward pass, as a forward and a backward pass."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from handgrad.source.program import Passes, Program, read_program
from handgrad.subjects.function.calling import Code
from handgrad.subjects.function.outputs import is_nest, is_result, leaves_of
from handgrad.subjects.function.returned import WrongReturn
from handgrad.subjects.torch_function.in_place import on_copies


def by_autograd(code: Code, forward: Callable[..., Any]) -> Code:
    """Torch code as forward and backward: the cache is the graph, the backward pass whatever autograd finds in it.

    code says how forward is called. It gets the very memory it is called with, so that what it writes there is seen.
    """
    moving = code.variables

    def both(*args: Any) -> tuple[Any, Any]:
        given = zip(code.names, args, strict=True)
        leaves = [a.detach().requires_grad_() if n in moving else a for n, a in given]
        results = on_copies(lambda *own: code.call(forward, own))(*leaves)
        if not isinstance(results, torch.Tensor) and not is_nest(results):
            raise WrongReturn(
                f"forward returned a {type(results).__name__}, expected a torch.Tensor, or several in a tuple or dict"
            )
        return results, (results, [leaf for n, leaf in zip(code.names, leaves, strict=True) if n in moving])

    def backward(dy: Any, cache: tuple[Any, Any]) -> Any:
        results, leaves = cache
        ys, ds = filter(is_result, leaves_of(results)), (d for d in leaves_of(dy) if d is not None)
        pairs = [(y, d) for y, d in zip(ys, ds, strict=True) if takes_upstream(y)]
        if not pairs:
            raise WrongReturn("the result of forward does not require a gradient: the graph is cut inside")
        used = [(y, d) for y, d in pairs if d.any()] or pairs  # what nobody uses further on gets no upstream gradient
        upstream = [d.reshape(y.shape) for y, d in used]
        return torch.autograd.grad([y for y, _ in used], leaves, upstream, retain_graph=True, allow_unused=True)

    return replace(code, forward=both, backward=backward, graph=forward)


def takes_upstream(y: Any) -> bool:
    """Whether autograd takes an upstream gradient for it."""
    return isinstance(y, torch.Tensor) and y.requires_grad


def with_passes(code: Code, passes: Passes) -> Code:
    """The same call of other passes."""
    if code.graph is None:
        return replace(code, forward=passes.forward, backward=passes.backward)
    return by_autograd(code, passes.forward)


def program_of(code: Code) -> Program | None:
    """The source of the passes; None where it cannot be read, or is the judge's own around somebody's."""
    program = read_program(code.graph or code.forward, None if code.graph else code.backward)
    return None if program is None or program.is_ours else program
