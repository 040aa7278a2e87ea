"""The part of the forward pass that one gradient comes from, as a stage that the catalogue of mistakes knows.

dz1 comes from h1 = tanh(z1) and dh1, dW1 from z1 = x W1^T + b1 and dz1. The submission's line is asked for, on other
numbers too; it runs in its own process, as for its grade.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch

from handgrad.explain.diagnosis import diagnose
from handgrad.grading.exercise import Step
from handgrad.grading.right import Right
from handgrad.judge.compare import Float
from handgrad.judge.isolation import attempt
from handgrad.judge.noise_bound import by_reference_noise
from handgrad.judge.stage import Stage
from handgrad.judge.trial import Trial

Values = dict[str, Float]
Ask = Callable[[Mapping[str, Any]], Float]  # the submission's gradient where these are the values and gradients


class Way(NamedTuple):
    """From a value to the nearest later one through which all of its influence goes."""

    steps: tuple[Step, ...]
    end: str


def find_way(forward: tuple[Step, ...], name: str) -> Way:
    """The way of a value or an input of the forward pass."""
    moved, steps = {name}, []
    for i, step in enumerate(forward):
        if moved & {*step.takes}:
            moved.add(step.name)
            steps.append(step)
            if not any({*later.takes} & (moved - {step.name}) for later in forward[i + 1 :]):
                break
    return Way(tuple(steps), steps[-1].name)


def run_way(way: Way, fixed: Mapping[str, Any], numbers: Mapping[str, Any], dy: Any) -> tuple[Values, Values]:
    """What is known on the way, and its results: y at its end, and the gradient of each of the numbers for this dy.

    Known are the values of its steps, and the gradients of those before its end.
    """
    leaves = {name: torch.tensor(value, requires_grad=True) for name, value in numbers.items()}
    values = {**{name: torch.as_tensor(value) for name, value in fixed.items()}, **leaves}
    for step in way.steps:
        values[step.name] = step.function(*(values[name] for name in step.takes))
    y = values[way.end]
    total = (y * torch.as_tensor(dy)).sum()  # with dy as an argument of grad, torch imports its compiler
    before = {s.name: values[s.name] for s in way.steps if s.name != way.end}
    found = torch.autograd.grad(total, [*leaves.values(), *before.values()], allow_unused=True)
    gradients = {f"d{n}": g.numpy() for n, g in zip([*leaves, *before], found, strict=True) if g is not None}
    known = {step.name: values[step.name].detach().numpy() for step in way.steps}
    known |= {f"d{name}": gradients.pop(f"d{name}") for name in before if f"d{name}" in gradients}
    return known, {"y": known[way.end], **gradients}


def name_mistake(forward: tuple[Step, ...], name: str, right: Right, ask: Ask) -> str:
    """What the mistake in the gradient of this value is, in words; what is known of the error if it has no name."""
    way = find_way(forward, name)
    taken = {n for step in way.steps for n in step.takes} - {step.name for step in way.steps}
    inputs = {n: right.values[n] for n in sorted(taken, key=lambda n: n != name) if right.values[n].dtype == np.float64}
    fixed = {n: right.values[n] for n in taken - inputs.keys()}
    is_loss = way.end == forward[-1].name  # whose own gradient is 1: a submission does not take it

    def reference(numbers: Mapping[str, Any], dy: Any) -> Values:
        return run_way(way, fixed, numbers, dy)[1]

    def hand(numbers: Mapping[str, Any], dy: Any) -> Values:
        if any(type(value) is not np.ndarray for value in (*numbers.values(), dy)):
            raise TypeError("the judge's own arrays do not go into the process of a submission")
        known, results = run_way(way, fixed, numbers, dy)
        given = ask({**right.values, **numbers, **known, f"d{way.end}": dy})
        return {**results, f"d{name}": given * (dy if is_loss else 1.0)}

    trial = Trial(Stage(name, hand, reference), inputs, right.values[f"d{way.end}"])
    found = attempt(lambda: diagnose(trial, by_reference_noise(trial).evidence)).value
    if found is None:
        return ""
    return f"{found.name[:1].upper()}{found.name[1:]}. {found.explanation}" if found.known else found.explanation
