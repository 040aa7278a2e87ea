"""The plain case of a HandModule in a straight line: fused layers and a loss, all settled before it runs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import torch
from torch.autograd import Function

from manual import Identity, Linear
from torch_ref.hand.checks import PLAIN
from torch_ref.hand.fused import FusedLoss, fused_layer, fused_loss
from torch_ref.hand.program import Program, Tensors


class Step(NamedTuple):
    """One layer."""

    forward: Callable[..., torch.Tensor]  # in place where nothing else sees its input
    backward: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] | None  # None: the linear layer's
    start: int  # its parameters among all
    stop: int
    keeps: bool  # its output is kept, for its own backward pass or for that of the next step
    cache: int  # what its backward pass computes with, among what is kept


@dataclass(frozen=True)
class Line:
    """All that a plain call is, besides its tensors: x, the target or None, then all parameters.

    What is kept begins with the input of the lowest step that the backward pass reaches: for a higher derivative the
    program runs from there. Of a loss alone nothing else is kept; its cache is computed once more.
    """

    program: Program  # the same in the lines of `manual`
    steps: tuple[Step, ...]
    loss: FusedLoss | None
    lowest: int  # the step that the backward pass ends with
    keeps_x: bool

    @classmethod
    def of(cls, program: Program, x: torch.Tensor, target: torch.Tensor | None, params: Tensors) -> Self | None:
        """The line for calls like this one; None where tensors, a layer or the loss ask for more."""
        if not plain(x, target, params):
            return None
        grad = torch.is_grad_enabled()
        needs = [grad and a is not None and a.requires_grad for a in (x, target, *params)]
        stages = [stage for stage in program.stages if type(stage.layer) is not Identity]
        layers = [layer for stage in stages if (layer := fused_layer(stage.layer))]
        loss = fused_loss(program.loss, target) if program.loss and target is not None else None
        if len(layers) < len(stages) or (loss is None and (target is not None or not layers)):
            return None
        lowest = 0 if needs[0] else sum(not any(needs[2 : 2 + stage.stop]) for stage in stages)
        caches = [i + (layer.caches == "y") for i, layer in enumerate(layers)]  # value i goes into step i
        kept = sorted(set(caches[lowest:])) if layers else [0]
        if kept and kept[0] != lowest:
            return None
        steps = []
        for i, (stage, layer, cache) in enumerate(zip(stages, layers, caches, strict=True)):
            alone = i > 0 and type(stages[i - 1].layer) is Linear  # which makes a new z, and keeps its x
            forward = layer.in_place if layer.in_place and alone else layer.forward
            place = kept.index(cache) if i >= lowest else -1
            steps.append(Step(forward, layer.backward, stage.start, stage.stop, i + 1 in kept, place))
        return cls(program, tuple(steps), loss, lowest, 0 in kept)

    def forward(self, a: torch.Tensor, target: Any, params: Tensors) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """The output or the loss, and what is kept, the loss's cache last."""
        kept = [a] if self.keeps_x else []
        for forward, _, start, stop, keeps, _ in self.steps:
            a = forward(a, *params[start:stop])
            if keeps:
                kept.append(a)
        if self.loss is not None:
            a, cache = self.loss.forward(a, target)
            if self.steps:
                kept.append(cache)
        return a, kept

    def backward(
        self, dy: Any, target: Any, params: Tensors, kept: Tensors, needs: Sequence[bool]
    ) -> list[torch.Tensor | None]:
        """The gradients of x, the target (None) and the parameters: None, without any work, where none is needed."""
        grads: list[torch.Tensor | None] = [None] * len(needs)
        if self.loss is not None:
            cache = kept[-1] if self.steps else self.loss.forward(kept[0], target)[1]
            dy = self.loss.backward(dy, cache, target)
        for i in range(len(self.steps) - 1, self.lowest - 1, -1):
            _, backward, start, stop, _, place = self.steps[i]
            if backward is not None:
                dy = backward(dy, kept[place])
                continue
            # forward: z = x W^T + b
            # so:
            if needs[start + 2]:
                grads[start + 2] = dy.t().mm(kept[place])  # dW
            if stop > start + 1 and needs[start + 3]:
                grads[start + 3] = dy.sum(0)  # db
            dy = dy.mm(params[start]) if i > self.lowest or needs[0] else None  # dx
        grads[0] = dy
        return grads


def plain(x: torch.Tensor, target: torch.Tensor | None, params: Tensors) -> bool:
    """Whether x is (N, n), and all are usual tensors of one precision, float32 or float64; labels have none."""
    given = [x, *params] if target is None else [x, *params, target]
    usual = all(type(a) in PLAIN and a.layout == torch.strided for a in given)
    precisions = {a.dtype for a in given if a.is_floating_point()}
    return usual and x.ndim == 2 and x.is_floating_point() and precisions in ({torch.float32}, {torch.float64})


class Straight(Function):
    """A line as one function of torch. For a higher derivative autograd sees through the program's lines."""

    @staticmethod
    def forward(ctx: Any, line: Line, x: torch.Tensor, target: Any, *params: torch.Tensor) -> torch.Tensor:
        y, kept = line.forward(x, target, params)
        ctx.line = line
        ctx.save_for_backward(target, *params, *kept)
        return y

    @staticmethod
    def backward(ctx: Any, dy: torch.Tensor) -> Any:
        line, needs = ctx.line, ctx.needs_input_grad[1:]
        target, *tensors = ctx.saved_tensors
        params, kept = tensors[: len(needs) - 2], tensors[len(needs) - 2 :]
        if torch.is_grad_enabled():
            found = line.program.forward(kept[0], target, params, line.program.first(needs))
            return None, *line.program.backward(found, params, dy, needs)
        return None, *line.backward(dy, target, params, kept, needs)


# torch's own call, without what torch.func would have to wrap and unwrap: it is not on where a line runs.
run_straight: Any = super(Function, Straight).apply
