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

from manual import BatchNorm1d, Dropout, Identity, Layer, LayerNorm, Linear, Loss, Running, Softmax, Softplus

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

    def dtype(self, dtype: torch.dtype, low: torch.dtype | None) -> torch.dtype:
        """The precision in which the stage takes what is of precision `dtype`: autocast leaves float64 alone."""
        if low is None or dtype == torch.float64:
            return dtype
        return low if isinstance(self.layer, LOWER) else torch.float32 if isinstance(self.layer, FULL) else dtype

    def cast(self, a: torch.Tensor, params: Any, low: torch.dtype | None) -> tuple[torch.Tensor, Any]:
        """Input (or upstream gradient) and parameters in the precision autocast gives the stage."""
        if low is None:
            return a, params
        return a.to(self.dtype(a.dtype, low)), {name: p.to(self.dtype(p.dtype, low)) for name, p in params.items()}


class Unchanged(NamedTuple):
    """The cache of a stage that hands on its very input: the identity, dropout in evaluation."""


class Pass(NamedTuple):
    """What a forward pass leaves."""

    y: torch.Tensor  # the output, or the loss where there is a target
    caches: list[Any]  # of every stage, then the loss's
    dtype: torch.dtype  # of the last stage's output; a loss has a higher one where its target has


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

    def forward(self, a: torch.Tensor, target: Any, tensors: Tensors, first: int = 0, end: int | None = None) -> Pass:
        """From the input a of stage `first` to the end, the loss where there is a target, or up to stage `end`."""
        caches: list[Any] = [()] * first
        stages = len(self.stages)
        dtype = a.dtype
        for i in range(first, stages + (target is not None) if end is None else end):
            a, cache = self.step(i, a, target, tensors)
            dtype = a.dtype if i < stages else dtype
            caches.append(cache)
        return Pass(a, caches, dtype)

    def step(self, i: int, a: torch.Tensor, target: Any, tensors: Tensors) -> tuple[torch.Tensor, Any]:
        """Output and cache of stage i, or after the last of the loss."""
        if i == len(self.stages):
            assert self.loss is not None
            return self.loss.forward(a if self.low is None or a.dtype == torch.float64 else a.float(), target)
        stage = self.stages[i]
        a, p = stage.cast(a, stage.params(tensors), self.low)
        start = self.stages[-1].stop + sum(self.states[:i])
        state: Any = [tensor.to(a.dtype) for tensor in tensors[start : start + self.states[i]]] if self.states else ()
        if type(stage.layer) is Identity or (type(stage.layer) is Dropout and not state):
            return a, Unchanged()
        return stage.layer.forward(p, a, *((Running(*state),) if len(state) == 2 else state))

    def above(self, first: int, tensors: Tensors) -> list[Any]:
        """The tensors, with None in place of those of the stages below `first`."""
        stop = self.stages[-1].stop if self.stages else 0
        p = next((stage.start for stage in self.stages[first:]), stop)
        s = stop + sum(self.states[:first])
        return [t if p <= i < stop or i >= s else None for i, t in enumerate(tensors)]

    def first(self, needs: Sequence[bool]) -> int:
        """The lowest stage that the backward pass must reach."""
        return 0 if needs[0] else sum(not any(needs[2 : 2 + stage.stop]) for stage in self.stages)

    def backward(
        self, found: Pass, tensors: Tensors, dy: torch.Tensor, needs: Sequence[bool]
    ) -> list[torch.Tensor | None]:
        """The gradients of x, the target (None) and all tensors: None, without any work, where none is needed."""
        grads: list[torch.Tensor | None] = [None] * len(needs)
        need_x, needed, caches = needs[0], needs[2:], found.caches
        if len(caches) > len(self.stages):
            assert self.loss is not None
            dy = self.loss.backward(caches[-1], dy).to(found.dtype)
        first = self.first(needs)
        for i in range(len(self.stages) - 1, first - 1, -1):
            stage, below = self.stages[i], need_x or i > first
            if isinstance(caches[i], Unchanged):
                continue
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
                a = program.stages[lowest].cast(a, {}, program.low)[0]  # kept once, in the precision of the stage
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
        ctx.mark_non_differentiable(*output[1:])

    @staticmethod
    def backward(ctx: Any, dy: torch.Tensor, *_: Any) -> Any:
        x, target, *tensors = ctx.saved_tensors
        with own_precision(ctx.program, x):
            found = ctx.program.forward(x, target, tensors)
            return None, *ctx.program.backward(found, tensors, dy, ctx.needs_input_grad[1:])


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
