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
from handgrad.grading.exercise import BadExercise, Exercise, Step
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
    """One draw of the exercise. Raises BadExercise where a right value is not finite."""
    inputs = {name: np.asarray(value) for name, value in exercise.draw(np.random.default_rng(seed)).items()}
    exact = {name: value for name, value in inputs.items() if value.dtype == np.float64}

    def run(numbers: Mapping[str, Any], _: Any) -> dict[str, Float]:
        return solve(exercise.forward, {**inputs, **numbers})

    with quiet():
        values = run(exact, None)
        sigma = noise(run, exact, np.ones(()), ARITHMETIC, np.random.default_rng(seed), exact=values)
    bounds = {
        n: NOISE_SIGMAS * sigma[n] + ROUNDINGS * (ARITHMETIC.u * np.abs(v) + ARITHMETIC.tiny) for n, v in values.items()
    }
    if lost := [n for n, v in values.items() if not np.isfinite(v).all() or not np.isfinite(bounds[n]).all()]:
        raise BadExercise(
            f"{exercise.name}: the right {', '.join(lost)} is not finite for a draw; let draw give others"
        )
    return Right(inputs, {**inputs, **values}, bounds)


def solve(forward: tuple[Step, ...], inputs: Mapping[str, Any]) -> dict[str, Float]:
    """Every value that the steps give, and dv of every value and input v: the gradient of the last step's number."""
    values = {name: torch.as_tensor(value) for name, value in inputs.items()}
    for value in values.values():
        value.requires_grad_(value.is_floating_point())
    for step in forward:
        values[step.name] = step.function(*(values[name] for name in step.takes))
    leaves = {name: value for name, value in values.items() if value.requires_grad}
    found = torch.autograd.grad(values[forward[-1].name], list(leaves.values()), allow_unused=True)
    gradients = {f"d{name}": g for name, g in zip(leaves, found, strict=True) if g is not None}
    steps = {step.name: values[step.name] for step in forward}
    return {name: value.detach().numpy() for name, value in {**steps, **gradients}.items()}
