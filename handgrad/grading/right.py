"""What is right: every value of the forward pass and the gradient of each, by autograd, with its rounding bound.

    |s - S| <= 32 sigma + 8 u |S| + 8 tiny      entry by entry

s is what the submission gave and S the right value in float64. sigma is how far S spreads over runs with imitated
roundings (judge/reference_noise.py). What the submission's own rounding would allow is not asked: it could lie.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from handgrad.arrays.arithmetic import Arithmetic
from handgrad.grading.exercise import BadExercise, Exercise, base, draw_inputs, use
from handgrad.judge.compare import Float
from handgrad.judge.constants import NOISE_SIGMAS, ROUNDINGS
from handgrad.judge.isolation import quiet
from handgrad.judge.reference_noise import noise

ARITHMETIC = Arithmetic.of("float64")


@dataclass(frozen=True, eq=False)
class Right:
    """Of one draw: its inputs, and all values and gradients by name ("z1", "dz1"), each with its bound."""

    inputs: Mapping[str, Any]
    values: Mapping[str, Float]
    bounds: Mapping[str, Float]


def draw_right(exercise: Exercise, seed: int) -> Right:
    """One draw of the exercise. Raises BadExercise where a right value is not finite, or none can be had."""
    inputs = draw_inputs(exercise, seed)
    exact = {name: value for name, value in inputs.items() if value.dtype == np.float64}

    def run(numbers: Mapping[str, Any], _: Any) -> dict[str, Float]:
        return solve(exercise, {**inputs, **numbers})

    with quiet():
        values = run(exact, None)
        sigma = noise(run, exact, np.ones(()), ARITHMETIC, np.random.default_rng(seed), exact=values)
    bounds = {
        n: NOISE_SIGMAS * sigma[n] + ROUNDINGS * (ARITHMETIC.u * np.abs(v) + ARITHMETIC.tiny) for n, v in values.items()
    }
    if lost := [n for n, v in values.items() if not np.isfinite(v).all() or not np.isfinite(bounds[n]).all()]:
        raise BadExercise(
            f"{exercise.path}: the right {', '.join(lost)} is not finite for a draw; let draw give others"
        )
    asked = (name for points in exercise.points.values() for name in points)
    if idle := [name for name in asked if name not in {*values, *map(base, values)}]:
        raise BadExercise(
            f"{exercise.path}: POINTS has {', '.join(idle)}, and {exercise.forward[-1].name} does not depend on that"
        )
    return Right(inputs, {**inputs, **values}, bounds)


def solve(exercise: Exercise, inputs: Mapping[str, Any]) -> dict[str, Float]:
    """Every value that the steps give, and dv of every value and input v: the gradient of the last step's number.

    Raises BadExercise for a step that raises an exception or gives no tensor, and for a last one of more numbers.
    """
    values = {name: torch.as_tensor(value) for name, value in inputs.items()}
    for value in values.values():
        value.requires_grad_(value.is_floating_point())
    for step in exercise.forward:
        part = f"{step.name} of FORWARD"
        value = values[step.name] = use(exercise, part, step.function, *(values[name] for name in step.takes))
        if not isinstance(value, torch.Tensor):
            raise BadExercise(f"{exercise.path}: {part} gives a {type(value).__name__}, expected a tensor")
    last = exercise.forward[-1].name
    if values[last].numel() != 1:
        shape = tuple(values[last].shape)
        raise BadExercise(f"{exercise.path}: {last}, the last of FORWARD, has shape {shape}, expected one number")
    leaves = {name: value for name, value in values.items() if value.requires_grad}
    part = f"the gradient of {last}"
    found = use(exercise, part, torch.autograd.grad, values[last], list(leaves.values()), allow_unused=True)
    gradients = {f"d{name}": g for name, g in zip(leaves, found, strict=True) if g is not None}
    steps = {step.name: values[step.name] for step in exercise.forward}
    return {name: value.detach().numpy() for name, value in {**steps, **gradients}.items()}
