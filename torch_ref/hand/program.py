"""What a HandModule computes: a chain of manual layers and its loss, on the flat list of tensors torch hands over."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import torch

from manual import Dropout, Identity, Layer, Loss, Running
from manual.types import facts_of, takes_needs
from torch_ref.hand.lists import DEVICES, LISTED

Tensors = Sequence[torch.Tensor]


class Stage(NamedTuple):
    """One layer, and where its parameters stand among the tensors of a call."""

    layer: Layer
    names: tuple[str, ...]
    start: int
    stop: int
    partial: bool  # whether its backward pass can leave gradients out
    autocast: str  # "lower", "float32" or "as it comes"
    listed: tuple[str, ...]  # the devices on which what is computed in float32 also is handed on so

    def params(self, tensors: Tensors) -> dict[str, torch.Tensor]:
        return dict(zip(self.names, tensors[self.start : self.stop], strict=True))

    def dtype(self, dtype: torch.dtype, low: torch.dtype | None) -> torch.dtype:
        """The precision in which the stage takes what is of precision `dtype`: autocast leaves float64 alone."""
        if low is None or dtype == torch.float64 or self.autocast == "as it comes":
            return dtype
        return low if self.autocast == "lower" else torch.float32

    def gives(self, dtype: torch.dtype, low: torch.dtype | None, device: str) -> torch.dtype:
        """The precision in which the stage hands on what came in precision `dtype`."""
        return dtype if self.autocast == "float32" and device not in self.listed else self.dtype(dtype, low)

    def cast(self, a: torch.Tensor, params: Any, low: torch.dtype | None) -> tuple[torch.Tensor, Any]:
        """Input (or upstream gradient) and parameters in the precision autocast gives the stage."""
        if low is None:
            return a, params
        return a.to(self.dtype(a.dtype, low)), {name: p.to(self.dtype(p.dtype, low)) for name, p in params.items()}

    def kept(self, a: torch.Tensor, low: torch.dtype | None) -> torch.Tensor:
        """The input in the lower precision, where the stage takes it so: all that need be kept of it."""
        return a.to(self.dtype(a.dtype, low)) if self.autocast == "lower" else a


class Unchanged(NamedTuple):
    """The cache of a stage that hands on its very input: the identity, dropout in evaluation."""


class Pass(NamedTuple):
    """What a forward pass leaves."""

    y: torch.Tensor  # the output, or the loss where there is a target
    caches: list[Any]  # of every stage, then the loss's
    dtype: torch.dtype  # of the last stage's output; a loss has a higher one where its target has


@dataclass(frozen=True)
class Program:
    """All that a call is, besides its tensors: x, the target or None, then all parameters, then all states.

    No tuple: torch's transforms would take it apart.
    """

    stages: tuple[Stage, ...]
    loss: Loss | None
    states: tuple[int, ...] = ()  # how many state tensors each layer takes: 1 a mask, 2 running statistics; () for none
    low: torch.dtype | None = None  # autocast's lower precision, where it is on

    @classmethod
    def of(cls, layers: Sequence[Layer], loss: Loss | None) -> Self:
        """The program of a chain of layers."""
        stages, start = [], 0
        for layer in layers:
            names, facts = tuple(layer.param_shapes), facts_of(layer)
            autocast = facts.autocast if facts else "as it comes"
            listed = LISTED.get(facts.tag, DEVICES) if facts else DEVICES
            stages.append(Stage(layer, names, start, start := start + len(names), takes_needs(layer), autocast, listed))
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
        given = stage.gives(a.dtype, self.low, a.device.type)
        a, p = stage.cast(a, stage.params(tensors), self.low)
        start = self.stages[-1].stop + sum(self.states[:i])
        state: Any = [tensor.to(a.dtype) for tensor in tensors[start : start + self.states[i]]] if self.states else ()
        if type(stage.layer) is Identity or (type(stage.layer) is Dropout and not state):
            return a, Unchanged()
        y, cache = stage.layer.forward(p, a, *((Running(*state),) if len(state) == 2 else state))
        return (y if self.low is None else y.to(given)), cache

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
