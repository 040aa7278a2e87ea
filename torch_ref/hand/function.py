"""A chain of manual layers, and its loss, as one differentiable function of torch.

In the ordinary case the backward pass runs on the caches that the forward pass left. Where the gradient itself will be
differentiated (double backward, the transforms of torch.func) those caches would hide how they came about: there the
forward pass runs once more, and autograd differentiates the hand-derived lines.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch.autograd import Function, forward_ad

from torch_ref.hand.program import Pass, Program, Tensors

JVP = torch._C._functorch.TransformType.Jvp


def apply(program: Program, x: torch.Tensor, target: Any, tensors: Tensors) -> tuple[torch.Tensor, ...]:
    """The output or the loss, then mean and variance of the batch from every batch norm that takes no running ones."""
    function: type[Function] = _Ordinary
    if torch._C._are_functorch_transforms_active():
        function = _Transformed
    elif forward_ad._current_level >= 0:
        function = _Dual
    found: tuple[torch.Tensor, ...] = function.apply(program, x, target, *tensors)  # type: ignore[no-untyped-call]
    return found


class _Ordinary(Function):
    """Backward on the caches of the forward pass: they are all that is kept where autograd can see through them.

    It can where every cached array is an input or the output. Otherwise the input of the lowest stage that the
    backward pass reaches is kept too, since a higher derivative runs the forward pass again from there; where no cache
    holds that input anyway, it stands in for the lowest stage's cache, which is then computed once more.
    """

    @staticmethod
    def forward(ctx: Any, program: Program, x: torch.Tensor, target: Any, *tensors: torch.Tensor) -> Any:
        free = not torch.compiler.is_compiling()  # torch.compile sees by itself what is not needed
        lowest = program.first(ctx.needs_input_grad[1:]) if free else 0
        with own_precision(program, x):
            a, below, _ = program.forward(x, target, tensors, 0, lowest)
            if free and lowest < len(program.stages) and not ctx.needs_input_grad[1]:
                a = program.stages[lowest].kept(a, program.low)
            y, caches, ctx.dtype = program.forward(a, target, tensors, lowest)
        statistics = batch_statistics([*below, *caches])
        inputs, ctx.again, ctx.anew = [a, target, *program.above(lowest, tensors)], False, False
        if free:
            cached = [value for cache in caches for value in cache if isinstance(value, torch.Tensor)]
            ctx.again = not all(among(value, [*inputs, y]) for value in cached)
            ctx.anew = ctx.again and not among(a, cached)
            if ctx.anew:
                caches[lowest] = ()
            elif not among(a, cached):
                inputs[0] = None
        ctx.program, ctx.lowest = program, lowest
        kept, ctx.places = flatten(caches, inputs)
        ctx.save_for_backward(*kept)
        if statistics:
            ctx.mark_non_differentiable(*statistics)
        return 1 * y if y is x else y, *statistics

    @staticmethod
    def backward(ctx: Any, dy: torch.Tensor, *_: Any) -> Any:
        kept, needs, program = ctx.saved_tensors, ctx.needs_input_grad[1:], ctx.program
        a, target, *tensors = kept[: len(needs)]
        with own_precision(program, dy):
            if ctx.again and torch.is_grad_enabled():
                found = program.forward(a, target, tensors, ctx.lowest)
            else:
                found = Pass(dy, unflatten(kept, ctx.places), ctx.dtype)
                if ctx.anew:
                    found.caches[ctx.lowest] = program.step(ctx.lowest, a, target, tensors)[1]
            return None, *program.backward(found, tensors, dy, needs)


class _Dual(_Ordinary):
    """In a dual level of forward mode: the inputs are kept for `jvp` too. Apart, since torch.compile takes no jvp."""

    @staticmethod
    def forward(ctx: Any, program: Program, x: torch.Tensor, target: Any, *tensors: torch.Tensor) -> Any:
        ctx.save_for_forward(x, target, *tensors)
        return _Ordinary.forward(ctx, program, x, target, *tensors)

    @staticmethod
    def jvp(ctx: Any, _: None, *tangents: Any) -> Any:
        return forward_derivative(ctx.program, ctx.saved_tensors, tangents)


class _Transformed(Function):
    """Backward on a forward pass of its own, so that every transform sees through both."""

    generate_vmap_rule = True

    @staticmethod
    def forward(program: Program, x: torch.Tensor, target: Any, *tensors: torch.Tensor) -> Any:
        with own_precision(program, x):
            y, caches, _ = program.forward(x, target, tensors)
        return 1 * y if y is x else y, *batch_statistics(caches)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.program = inputs[0]
        ctx.save_for_backward(*inputs[1:])
        ctx.save_for_forward(*inputs[1:])
        ctx.mark_non_differentiable(*output[1:])

    @staticmethod
    def backward(ctx: Any, dy: torch.Tensor, *_: Any) -> Any:
        x, target, *tensors = ctx.saved_tensors
        with own_precision(ctx.program, x):
            found = ctx.program.forward(x, target, tensors)
            return None, *ctx.program.backward(found, tensors, dy, ctx.needs_input_grad[1:])

    @staticmethod
    def jvp(ctx: Any, _: None, *tangents: Any) -> Any:
        return forward_derivative(ctx.program, ctx.saved_tensors, tangents)


def forward_derivative(program: Program, inputs: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, ...]:
    """J t, from the backward pass alone: it gives v^T J, which is linear in v, and the derivative of that by v is J.

    The batch statistics, which are no part of the function, have no derivative. Raises NotImplementedError for forward
    mode within forward mode: the outer tangents cannot be kept while the inner ones are taken off.
    """
    if sum(level.key() == JVP for level in torch._C._functorch.get_interpreter_stack() or ()) > 1:
        raise NotImplementedError(
            "HandModule: jvp of jvp is not derived; take torch.func.hessian, or jacrev for one of the two"
        )
    moved = [i for i, tangent in enumerate(tangents) if tangent is not None]
    inputs = [primal(a) if isinstance(a, torch.Tensor) else a for a in inputs]

    def of_moved(*values: Any) -> tuple[Any, ...]:
        given = dict(zip(moved, values, strict=True))
        x, target, *tensors = (given.get(i, value) for i, value in enumerate(inputs))
        y, *statistics = apply(program, x, target, tensors)
        return y, statistics

    y, back, statistics = torch.func.vjp(of_moved, *(inputs[i] for i in moved), has_aux=True)  # type: ignore[misc]
    _, forth = torch.func.vjp(back, torch.zeros_like(y))  # type: ignore[misc]
    (dy,) = forth(tuple(tangents[i] for i in moved))
    return dy, *(None for _ in statistics)


def primal(a: torch.Tensor) -> torch.Tensor:
    """The tensor without its tangent."""
    value: torch.Tensor = forward_ad.unpack_dual(a).primal  # type: ignore[no-untyped-call]
    return value


def own_precision(program: Program, x: torch.Tensor) -> AbstractContextManager[Any]:
    """Autocast off: the program casts stage by stage, the same in the forward and in the backward pass."""
    return nullcontext() if program.low is None else torch.autocast(x.device.type, enabled=False)


def batch_statistics(caches: Sequence[Any]) -> list[torch.Tensor]:
    """Mean and variance of every batch norm that took them from the batch."""
    return [a for cache in caches if hasattr(cache, "var") for a in (cache.mean, cache.var)]


def among(value: Any, known: Sequence[Any]) -> bool:
    """Whether it is one of the known objects, not only equal to one."""
    return any(value is k for k in known)


def flatten(caches: Sequence[Any], known: list[Any]) -> tuple[list[Any], list[Any]]:
    """Every tensor once, those of `known` first; and per cache its type and, per field, its place or its value."""
    kept, places = list(known), []
    for cache in caches:
        fields: list[tuple[int | None, Any]] = []
        for value in cache:
            place = None
            if isinstance(value, torch.Tensor):
                place = next((i for i, k in enumerate(kept) if k is value), len(kept))
                if place == len(kept):
                    kept.append(value)
            fields.append((place, None if place is not None else value))
        places.append((type(cache), fields))
    return kept, places


def unflatten(kept: Sequence[Any], places: Sequence[Any]) -> list[Any]:
    """The caches again, those that were not kept as ()."""
    return [kind(*[value if i is None else kept[i] for i, value in fields]) for kind, fields in places]
