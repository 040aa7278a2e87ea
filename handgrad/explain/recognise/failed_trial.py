"""A trial that failed, as the catalogue of mistakes sees it: the stage, its numbers, and what it should have given."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

import manual
from handgrad.arrays.arithmetic import EPS
from handgrad.judge.compare import Evidence, Float
from handgrad.judge.constants import FORMULA_ROUNDINGS
from handgrad.judge.isolation import attempt
from handgrad.judge.stage import Stage
from manual.types import facts_of

PARAMETER = re.compile(r"[WwUuVb]_?\d*|theta\d*|weights?\d*|bias(es)?\d*|gamma|beta")
NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True, eq=False)
class FailedTrial:
    """A stage that failed on some numbers, in float64: its inputs, upstream gradient, and given and right results."""

    stage: Stage
    inputs: Mapping[str, Float]
    dy: Float
    evidence: Mapping[str, Evidence]
    absent: tuple[str, ...] = ()  # the gradients that the code does not give at all
    tiny: float = 0.0  # what underflow can take away in the precision judged
    failed: tuple[str, ...] = ()  # on a fresh draw: the tensors that failed at first

    @cached_property
    def right(self) -> Mapping[str, Float]:
        return {name: e.reference for name, e in self.evidence.items()}

    @cached_property
    def hand(self) -> Mapping[str, Float]:
        return {name: e.hand for name, e in self.evidence.items()}

    @cached_property
    def failing(self) -> tuple[str, ...]:
        return self.failed or tuple(name for name, e in self.evidence.items() if e.outside.any())

    @cached_property
    def same_shape(self) -> tuple[str, ...]:
        """The failing tensors that were given and have the right shape."""
        given = (name for name in self.failing if name not in self.absent)
        return tuple(name for name in given if self.hand[name].shape == self.right[name].shape)

    @cached_property
    def relative(self) -> Mapping[str, float]:
        """Per tensor the usual bound / |right|, and the float64 roundings of computing a mistake's formula here."""
        return {name: FORMULA_ROUNDINGS * EPS + usual_bound(e) for name, e in self.evidence.items()}

    @property
    def x(self) -> Float:
        return next(iter(self.inputs.values())) if "x" not in self.inputs else self.inputs["x"]

    @property
    def x_name(self) -> str:
        return "x" if "x" in self.inputs else next(iter(self.inputs))

    @property
    def y(self) -> Float:
        return self.right["y"]

    @property
    def data(self) -> bool:
        """Whether x is data. Where a function takes parameters alone, its batch is not seen."""
        return not PARAMETER.fullmatch(self.x_name)

    @property
    def N(self) -> int:
        """The batch size: the rows of the input, or of the result where only parameters come in."""
        rows = self.x if self.data else self.y
        return rows.shape[0] if rows.ndim > (not self.data) else 1

    @property
    def outputs(self) -> int:
        """How many numbers a sample has: the columns of the result or, where that is a loss, of its input."""
        seen = self.x if self.y.ndim == 0 and self.data else self.y
        return seen.shape[-1] if seen.ndim else 1

    @property
    def fresh(self) -> bool:
        """Whether the code failed before, on other numbers: it need not fail on these, but a name must hold."""
        return bool(self.failed)

    def rerun(self, dy: Float | None = None, **inputs: Float) -> Mapping[str, Float]:
        """The reference on other inputs or another upstream gradient; empty where it refuses them."""
        upstream = np.array(self.dy if dy is None else dy)
        return attempt(self.stage.reference, {**self.inputs, **inputs}, upstream).value or NOTHING


def usual_bound(e: Evidence) -> float:
    """bound / |right| as it usually is: the median or, where most entries are next to nothing, at the largest entry."""
    if e.bound.shape != e.reference.shape:
        return 0.0
    sure = (e.reference != 0) & np.isfinite(e.bound) & np.isfinite(e.reference)
    if not sure.any():
        return 0.0
    size, bound = np.abs(e.reference[sure]), e.bound[sure]
    largest = int(np.argmax(size))
    return float(min(np.median(bound / size), bound[largest] / size[largest]))


def equation(subject: Any, constants: Any, tensor: str) -> str | None:
    """The tag of the equation in `manual` that gives this tensor, or None for other people's code."""
    facts = facts_of(subject)
    if facts is None:
        return None
    frozen = isinstance(subject, manual.BatchNorm1d) and constants is not None
    letters = {"y": facts.y, "dx": "dx_frozen" if frozen else f"d{facts.x}"}
    return f"{facts.tag}.{letters.get(tensor, tensor)}"
