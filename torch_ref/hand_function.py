"""A chain of manual layers, and its loss, as one differentiable function of torch.

In the ordinary case the backward pass runs on the caches that the forward pass left. Where the gradient itself will be
differentiated (double backward, the transforms of torch.func) those caches would hide how they came about: there the
forward pass runs once more, and autograd differentiates the hand-derived lines.
"""

import inspect
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple, Self

import torch
from torch.autograd import Function

from manual import BatchNorm1d, Layer, LayerNorm, Linear, Loss, Running, Softmax, Softplus

LOWER = (Linear,)  # under autocast in the lower precision, as on torch's own list
FULL = (LayerNorm, BatchNorm1d, Softmax, Softplus)  # under autocast in float32, as the losses; the rest as they come

Tensors = Sequence[torch.Tensor]


class Stage(NamedTuple):
    """One layer, and where its parameters stand among the tensors of a call."""

    layer: Layer
    names: tuple[str, ...]
    start: int
    stop: int
    partial: bool  # whether its backward pass can leave gradients out

    def params(self, tensors: Tensors) -> dict[str, torch.Tensor]:
        return dict(zip(self.names, tensors[self.start : self.stop], strict=True))

    def cast(self, a: torch.Tensor, params: Any, low: torch.dtype | None) -> tuple[torch.Tensor, Any]:
        """Input (or upstream gradient) and parameters in the precision autocast gives the stage."""
        dtype = low if isinstance(self.layer, LOWER) else torch.float32 if isinstance(self.layer, FULL) else None
        if low is None or dtype is None:
            return a, params
        return a.to(dtype), {name: p.to(dtype) for name, p in params.items()}


class Program(NamedTuple):
    """All that a call is, besides its tensors: x, the target or None, then all parameters, then all states."""

    stages: tuple[Stage, ...]
    loss: Loss | None
    states: tuple[int, ...] = ()  # how many state tensors each layer takes: 1 a mask, 2 running statistics; () for none
    low: torch.dtype | None = None  # autocast's lower precision, where it is on

    @classmethod
    def of(cls, layers: Sequence[Layer], loss: Loss | None) -> Self:
        """The program of a chain of layers."""
        stages, start = [], 0
        for layer in layers:
            names = tuple(layer.param_shapes)
            partial = "needs" in inspect.signature(layer.backward).parameters
            stages.append(Stage(layer, names, start, start := start + len(names), partial))
        return cls(tuple(stages), loss)

    def forward(self, x: torch.Tensor, target: Any, tensors: Tensors) -> tuple[torch.Tensor, list[Any]]:
        """The output, or the loss where there is a target, and every stage's cache."""
        caches = []
        states = iter(tensors[self.stages[-1].stop :] if self.stages else ())
        for i, stage in enumerate(self.stages):
            x, p = stage.cast(x, stage.params(tensors), self.low)
            state: Any = [next(states).to(x.dtype) for _ in range(self.states[i])] if self.states else ()
            x, cache = stage.layer.forward(p, x, *((Running(*state),) if len(state) == 2 else state))
            caches.append(cache)
        if target is not None:
            assert self.loss is not None
            x, cache = self.loss.forward(x if self.low is None else x.float(), target)
            caches.append(cache)
        return x, caches

    def first(self, needs: Sequence[bool]) -> int:
        """The lowest stage that the backward pass must reach."""
        return 0 if needs[0] else sum(not any(needs[2 : 2 + stage.stop]) for stage in self.stages)

    def backward(
        self, caches: Sequence[Any], tensors: Tensors, dy: torch.Tensor, needs: Sequence[bool]
    ) -> list[torch.Tensor | None]:
        """The gradients of x, the target (None) and all tensors: None, without any work, where none is needed."""
        grads: list[torch.Tensor | None] = [None] * len(needs)
        need_x, needed = needs[0], needs[2:]
        if len(caches) > len(self.stages):
            assert self.loss is not None
            dy = self.loss.backward(caches[-1], dy)
        first = self.first(needs)
        for i in range(len(self.stages) - 1, first - 1, -1):
            stage, below = self.stages[i], need_x or i > first
            dy, p = stage.cast(dy, stage.params(tensors), self.low)
            wanted = [name for name, need in zip(stage.names, needed[stage.start :], strict=False) if need]
            if stage.partial and not (below and len(wanted) == len(stage.names)):
                some = ["x", *wanted] if below else wanted
                dy, dparams = stage.layer.backward(p, caches[i], dy, needs=some)  # type: ignore[call-arg]
            else:
                dy, dparams = stage.layer.backward(p, caches[i], dy)
            for k, name in enumerate(stage.names, stage.start):
                if needed[k]:
                    grads[k + 2] = dparams["d" + name]
        if need_x:
            grads[0] = dy
        if self.low is not None:  # each parameter in its own precision again
            grads[2:] = [d if d is None else d.to(p.dtype) for d, p in zip(grads[2:], tensors, strict=True)]
        return grads


def apply(program: Program, x: torch.Tensor, target: Any, tensors: Tensors) -> tuple[torch.Tensor, ...]:
    """The output or the loss, then mean and variance of the batch from every batch norm that takes no running ones."""
    function = _Transformed if torch._C._are_functorch_transforms_active() else _Ordinary
    found: tuple[torch.Tensor, ...] = function.apply(program, x, target, *tensors)  # type: ignore[no-untyped-call]
    return found


class _Ordinary(Function):
    """Backward on the caches of the forward pass."""

    @staticmethod
    def forward(ctx: Any, program: Program, x: torch.Tensor, target: Any, *tensors: torch.Tensor) -> Any:
        with own_precision(program, x):
            y, caches = program.forward(x, target, tensors)
        ctx.program, statistics = program, batch_statistics(caches)
        if not torch.compiler.is_compiling():  # which sees by itself what is not needed
            first = program.first(ctx.needs_input_grad[1:])
            caches[:first] = [()] * first
        kept, ctx.places = flatten(caches, [x, target, *tensors])
        ctx.save_for_backward(*kept)
        if statistics:
            ctx.mark_non_differentiable(*statistics)
        return y, *statistics

    @staticmethod
    def backward(ctx: Any, dy: torch.Tensor, *_: Any) -> Any:
        kept, needs, program = ctx.saved_tensors, ctx.needs_input_grad[1:], ctx.program
        x, target, *tensors = kept[: len(needs)]
        with own_precision(program, x):
            if torch.is_grad_enabled() and not torch.compiler.is_compiling():
                caches = program.forward(x, target, tensors)[1]
            else:
                caches = unflatten(kept, ctx.places)
            return None, *program.backward(caches, tensors, dy, needs)


class _Transformed(Function):
    """Backward on a forward pass of its own, so that every transform sees through both."""

    generate_vmap_rule = True

    @staticmethod
    def forward(program: Program, x: torch.Tensor, target: Any, *tensors: torch.Tensor) -> Any:
        with own_precision(program, x):
            y, caches = program.forward(x, target, tensors)
        return y, *batch_statistics(caches)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.program = inputs[0]
        ctx.save_for_backward(*inputs[1:])
        ctx.mark_non_differentiable(*output[1:])

    @staticmethod
    def backward(ctx: Any, dy: torch.Tensor, *_: Any) -> Any:
        x, target, *tensors = ctx.saved_tensors
        with own_precision(ctx.program, x):
            caches = ctx.program.forward(x, target, tensors)[1]
            return None, *ctx.program.backward(caches, tensors, dy, ctx.needs_input_grad[1:])


def own_precision(program: Program, x: torch.Tensor) -> AbstractContextManager[Any]:
    """Autocast off: the program casts stage by stage, the same in the forward and in the backward pass."""
    return nullcontext() if program.low is None else torch.autocast(x.device.type, enabled=False)


def batch_statistics(caches: Sequence[Any]) -> list[torch.Tensor]:
    """Mean and variance of every batch norm that took them from the batch."""
    return [a for cache in caches if hasattr(cache, "var") for a in (cache.mean, cache.var)]


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
