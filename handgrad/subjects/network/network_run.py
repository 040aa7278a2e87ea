"""The run under judgement: one forward and backward pass of a network and its loss, every stage's own numbers kept."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from handgrad.arrays.precision import like
from handgrad.judge.isolation import attempt, contents, duplicate
from manual import Loss, Network, Params, StageGrads
from manual import Stage as Trace


class Point(NamedTuple):
    """Where the gradient is taken: everything a run depends on. states has one entry per layer, dE is a number."""

    network: Network
    params: Sequence[Params]
    x: Any
    target: Any
    loss: Loss
    states: Sequence[Any]
    dE: float

    def first(self, samples: int) -> "Point":
        """The same with the first samples of the batch only."""
        states = [
            state[:samples] if getattr(layer, "state_per_sample", False) and state is not None else state
            for layer, state in zip(self.network.layers, self.states, strict=True)
        ]
        return self._replace(x=self.x[:samples], target=self.target[:samples], states=states)


@dataclass(frozen=True, eq=False)
class Run:
    """The loss is the last stage. back is None where the backward pass raised; stopped says what it raised."""

    x: Any
    trace: tuple[Trace, ...]
    back: tuple[StageGrads, ...] | None
    backward: Callable[[int, Any], dict[str, Any]]  # stage i's own backward pass, from its own cache, for any upstream
    expected: tuple[set[str], ...]  # per stage, the names of its parameters' gradients
    stopped: str = ""

    def outputs(self, i: int) -> dict[str, Any]:
        """Stage i in the chained pass, fed our own upstream gradient."""
        back = {} if self.back is None else {"dx": self.back[i].dx, **self.back[i].dparams}
        return {"y": self.trace[i].y, **back}

    @property
    def wiring(self) -> tuple[str, ...]:
        """What is handed on must be the very same object, or a mistake hides between two right stages."""
        problems = [self.stopped] if self.stopped else []
        problems += [
            f"stage {i} gives gradients {sorted(own.dparams)}, expected {sorted(expected)}"
            for i, (own, expected) in enumerate(zip(self.back or (), self.expected, strict=False))
            if set(own.dparams) != expected
        ]
        if self.trace[0].x is not self.x:
            problems.append("the input of stage 0 is not the x that was given")
        for i in range(1, len(self.trace)):
            if self.trace[i].x is not self.trace[i - 1].y:
                problems.append(f"the input of stage {i} is not the output of stage {i - 1}")
            if self.back is not None and self.back[i - 1].dy is not self.back[i].dx:
                problems.append(f"the upstream gradient of stage {i - 1} is not the downstream gradient of stage {i}")
        return (*problems, *self._handed_over())

    def _handed_over(self) -> list[str]:
        """What the whole backward pass gives must be, bit for bit, what each stage's own backward pass gives."""
        problems = []
        for i, own in enumerate(self.back or ()):
            alone = attempt(self.backward, i, duplicate(own.dy)).value or {}  # the stage says so itself
            given = {"dx": own.dx, **own.dparams}
            changed = [k for k in alone if k in given and contents(alone[k]) != contents(given[k])]
            if changed and i < len(self.trace) - 1:
                problems.append(f"{', '.join(changed)} of stage {i} is not what that stage's own backward pass gives")
        return problems


def run_by_hand(point: Point) -> Run:
    """Forward and backward by the code under judgement, nothing changed or copied on the way."""
    network, params, x, target, loss, states, dE = point
    y, trace = network.forward(params, x, states)
    E, cache = loss.forward(y, target)
    scalar, stages = like(np.asarray(dE), x), (*trace, Trace(y, E, cache))

    def backward(i: int, dy: Any) -> dict[str, Any]:
        if i == len(network.layers):
            return {"dx": loss.backward(cache, dy)}
        dx, dparams = network.layers[i].backward(params[i], trace[i].cache, dy)
        return {"dx": dx, **dparams}

    def whole_pass() -> tuple[StageGrads, ...]:
        dy = loss.backward(cache, scalar)
        back = (*network.backward_trace(params, trace, dy), StageGrads(scalar, dy, {}))
        if len(back) != len(stages):
            raise ValueError(f"{len(back) - 1} stages came back of {len(trace)}")
        for i, own in enumerate(back):
            if not isinstance(own.dparams, dict):
                kind = type(own.dparams).__name__
                raise TypeError(f"stage {i} gives the gradients of its parameters as {kind}, expected a dictionary")
        return back

    expected = (*({f"d{name}" for name in layer} for layer in params), set[str]())
    back = attempt(whole_pass)  # a wrong shape half-way: the isolated stages say where
    stopped = f"the chained backward pass stopped with {type(back.error).__name__}: {back.error}" if back.error else ""
    return Run(x, stages, back.value, backward, expected, stopped)
