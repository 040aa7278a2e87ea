"""The plain case of a HandModule in a straight line: fused layers and a loss, all settled before it runs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

import torch
from torch.autograd import Function

from manual import BatchNorm1d, Dropout, Identity
from torch_ref.hand.checks import PLAIN
from torch_ref.hand.fused_layers import FusedLayer, fused_layer
from torch_ref.hand.fused_losses import FusedLoss, fused_loss
from torch_ref.hand.program import Program, Stage, Tensors


class Step(NamedTuple):
    """One layer. Its tensors stand in slices: of all parameters and states, of all extras."""

    forward: Callable[..., Any]  # in place where nothing else sees its input
    backward: Callable[..., Any]  # in place where dy was made here
    params: slice
    state: slice
    extras: slice | None
    owns: bool  # whether it has parameters or a state
    keeps: bool  # its output is kept, for its own backward pass or for that of the next step
    cache: int  # what its backward pass computes with, among what is kept


@dataclass(frozen=True)
class Line:
    """All that a plain call is, besides its tensors: x, the target or None, then all parameters, then all states.

    What is kept begins with the input of the lowest step that the backward pass reaches: for a higher derivative the
    program runs from there. Of a loss alone nothing else is kept; its cache is computed once more.
    """

    program: Program  # the same in the lines of `manual`
    steps: tuple[Step, ...]
    loss: FusedLoss | None
    lowest: int  # the step that the backward pass ends with
    first: int  # the same stage of the program
    keeps_x: bool
    differentiable: bool  # whether any gradient is wanted
    statistics: tuple[int, ...]  # the batch's mean and variance of every batch norm, among the extras

    @classmethod
    def of(
        cls, program: Program, x: torch.Tensor, target: torch.Tensor | None, params: Tensors, states: Sequence[int]
    ) -> Self | None:
        """The line for calls like this one; None where tensors, a layer or the loss ask for more.

        states: how many tensors of state each layer takes.
        """
        if not plain(x, target, params):
            return None
        needs = [torch.is_grad_enabled() and a is not None and a.requires_grad for a in (x, target, *params)]
        program = replace(program, states=tuple(states))
        stages = [i for i, stage in enumerate(program.stages) if not hands_on(stage, states[i])]
        layers = [layer for i in stages if (layer := fused_layer(program.stages[i].layer, states[i] > 0))]
        loss = fused_loss(program.loss, target) if program.loss and target is not None else None
        if len(layers) < len(stages) or (loss is None and (target is not None or not layers)):
            return None
        lowest = 0 if needs[0] else sum(not any(needs[2 : 2 + program.stages[i].stop]) for i in stages)
        caches = [i + (layer.caches == "y") if layer.caches else None for i, layer in enumerate(layers)]
        kept = sorted({cache for cache in caches[lowest:] if cache is not None}) if layers else [0]
        if lowest < len(layers) and kept[:1] != [lowest]:
            return None
        steps, extras = [], 0
        statistics: list[int] = []
        for k, (i, layer) in enumerate(zip(stages, layers, strict=True)):
            made = slice(extras, extras := extras + layer.extras)
            if type(program.stages[i].layer) is BatchNorm1d and layer.extras:
                statistics += range(made.start, made.stop)
            place = next((place for place, value in enumerate(kept) if value == caches[k]), 0)
            new = (k > 0 and layers[k - 1].caches != "y", k + 1 < len(layers) or loss is not None)
            steps.append(step(program, i, layer, new, made, k + 1 in kept, place))
        return cls(program, tuple(steps), loss, lowest, program.first(needs), 0 in kept, any(needs), tuple(statistics))

    def forward(self, a: Any, target: Any, tensors: Tensors) -> tuple[Any, list[torch.Tensor], list[torch.Tensor]]:
        """The output or the loss; what is kept, the loss's cache last; the extras of all steps."""
        kept, made = [a] if self.keeps_x else [], []
        for forward, _, params, state, extras, owns, keeps, _ in self.steps:
            a = forward(a, *tensors[params], *tensors[state]) if owns else forward(a)
            if extras:
                a, *own = a
                made += own
            if keeps:
                kept.append(a)
        if self.loss is not None:
            a, cache = self.loss.forward(a, target)
            if self.steps:
                kept.append(cache)
        return a, kept, made

    def __call__(self, x: Any, target: Any, *tensors: torch.Tensor) -> Any:
        """What a call gives, with nothing kept for a backward pass."""
        y, _, made = self.forward(x, target, tensors)
        return self.results(y, made)

    def results(self, y: Any, made: Tensors) -> Any:
        """The output or the loss; where batch norms take their statistics from the batch, these after it."""
        return (y, *(made[i] for i in self.statistics)) if self.statistics else y

    def backward(
        self, dy: Any, target: Any, tensors: Tensors, kept: Tensors, made: Tensors, needs: Sequence[bool]
    ) -> list[torch.Tensor | None]:
        """The gradients of x, the target (None) and the parameters: None, without any work, where none is needed."""
        grads: list[torch.Tensor | None] = [None] * len(needs)
        if self.loss is not None:
            cache = kept[-1] if self.steps else self.loss.forward(kept[0], target)[1]
            dy = self.loss.backward(dy, cache, target)
        for i in range(len(self.steps) - 1, self.lowest - 1, -1):
            _, backward, params, state, extras, owns, _, place = self.steps[i]
            if not owns:
                dy = backward(dy, kept[place])
                continue
            own = [*tensors[params], *tensors[state]]
            asked = (i > self.lowest or needs[0], *needs[params.start + 2 : params.stop + 2])
            dy, *dparams = backward(dy, kept[place], made[extras] if extras else (), own, asked)
            grads[params.start + 2 : params.stop + 2] = dparams
        grads[0] = dy
        return grads


def step(
    program: Program, i: int, layer: FusedLayer, new: tuple[bool, bool], extras: slice, keeps: bool, cache: int
) -> Step:
    """Stage i of the program as a step of a line. new: whether x, and dy, is an array that nothing else reads."""
    stage = program.stages[i]
    start = program.stages[-1].stop + sum(program.states[:i])
    state = slice(start, start + program.states[i])
    forward = layer.in_place if layer.in_place and new[0] else layer.forward
    backward = layer.backward_in_place if layer.backward_in_place and new[1] else layer.backward
    owns = stage.stop > stage.start or state.stop > state.start
    made = extras if layer.extras else None
    return Step(forward, backward, slice(stage.start, stage.stop), state, made, owns, keeps, cache)


def hands_on(stage: Stage, states: int) -> bool:
    """Whether the output of a stage is its very input."""
    return type(stage.layer) is Identity or (type(stage.layer) is Dropout and not states)


def plain(x: torch.Tensor, target: torch.Tensor | None, params: Tensors) -> bool:
    """Whether x is (N, n), and all are usual tensors of one precision, float32 or float64; labels have none.

    And not empty: torch's kernel of a batch norm divides by N, as an integer.
    """
    given = [x, *params] if target is None else [x, *params, target]
    usual = all(type(a) in PLAIN and a.layout == torch.strided for a in given)
    precisions = {a.dtype for a in given if a.is_floating_point()}
    rows = x.ndim == 2 and x.numel() > 0 and x.is_floating_point()
    return usual and rows and precisions in ({torch.float32}, {torch.float64})


def many(dy: torch.Tensor) -> bool:
    """Whether dy stands for many at once, of which none can be written into: is_grads_batched, or torch.func.vmap."""
    return torch._C._functorch.is_legacy_batchedtensor(dy) or torch._C._are_functorch_transforms_active()


class Straight(Function):
    """A line as one function of torch. For a higher derivative, and for many at once, the program's lines run."""

    @staticmethod
    def forward(ctx: Any, line: Line, x: torch.Tensor, target: Any, *tensors: torch.Tensor) -> Any:
        y, kept, made = line.forward(x, target, tensors)
        needed = line.program.above(line.first, tensors) if line.first else tensors
        ctx.line, ctx.kept = line, len(kept)
        ctx.save_for_backward(target, *needed, *kept, *made)
        ctx.mark_non_differentiable(*(made[i] for i in line.statistics))
        return line.results(y, made)

    @staticmethod
    def backward(ctx: Any, dy: torch.Tensor, *_: Any) -> Any:
        line, needs = ctx.line, ctx.needs_input_grad[1:]
        target, *saved = ctx.saved_tensors
        first, last = len(needs) - 2, len(needs) - 2 + ctx.kept
        tensors, kept, made = saved[:first], saved[first:last], saved[last:]
        if torch.is_grad_enabled() or many(dy):
            found = line.program.forward(kept[0], target, tensors, line.first)
            return None, *line.program.backward(found, tensors, dy, needs)
        return None, *line.backward(dy, target, tensors, kept, made, needs)


# torch's own call, without what torch.func would have to wrap and unwrap: it is not on where a line runs.
run_straight: Any = super(Function, Straight).apply
