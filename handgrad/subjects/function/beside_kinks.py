"""Where no reference says which side of a kink is meant: whether inputs are at one, and inputs a little beside it."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from handgrad.arrays.precision import like, to64
from handgrad.judge.constants import BEND_SMALLEST, BESIDE, KINK_DRAWS, KINK_LEFT, KINK_STEPS
from handgrad.judge.isolation import attempt
from handgrad.subjects.function.reference import Float, Reference

KINK = (
    "at a kink of your forward pass, where the gradients of both sides are right; "
    f"judged up to {BESIDE:.2g} of its size beside it"
)


def at_kink(reference: Reference, exact: Mapping[str, Float], dy: Float) -> bool:
    """Whether a gradient jumps at these inputs: its change from one side to the other stays as they close in."""
    rng = np.random.default_rng(0)

    def jump(step: float, away: Mapping[str, Float]) -> list[Float]:
        sides = [{n: a + sign * step * away[n] for n, a in exact.items()} for sign in (1, -1)]
        one, other = (reference.gradients(side, dy) for side in sides)
        return [np.abs(one[f"d{n}"] - other[f"d{n}"]) for n in exact]

    def look() -> bool:
        size = max(float(np.max(np.abs(g), initial=0.0)) for g in reference.gradients(exact, dy).values())
        for _ in range(KINK_DRAWS):
            away = {n: rng.uniform(0.5, 1, a.shape) * rng.choice((-1, 1), a.shape) * sizes(a) for n, a in exact.items()}
            wide, near = (jump(step, away) for step in KINK_STEPS)
            if any(((b > KINK_LEFT * a) & (b > BEND_SMALLEST * size)).any() for a, b in zip(wide, near, strict=True)):
                return True
        return False

    return bool(attempt(look).value)


def move_aside(inputs: Mapping[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """The inputs a little beside where they are, in their own precision."""
    exact = {n: to64(a) for n, a in inputs.items()}
    moved = {
        n: a + BESIDE * rng.uniform(0.5, 1, a.shape) * rng.choice((-1, 1), a.shape) * sizes(a) for n, a in exact.items()
    }
    return {n: like(a, inputs[n]) for n, a in moved.items()}


def sizes(a: Float) -> Float:
    """Of every entry; for a zero that of the largest, or 1."""
    return np.where(a == 0, float(np.max(np.abs(a), initial=0.0)) or 1.0, np.abs(a))
