"""What the catalogue of mistakes works on: a stage that failed, and one mistake with what it would have given."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

import manual
from handgrad.judge.compare import Evidence, Float
from handgrad.judge.stage import Stage
from manual.types import facts_of

EPS = 2.0**-53
PARAMETER = re.compile(r"[WwUuVb]_?\d*|theta\d*|weights?\d*|bias(es)?\d*|gamma|beta")
ABSENT = "the gradient is absent"  # the one mistake that a tensor which was not given can have
NOTHING: Mapping[str, Float] = {}


@dataclass(frozen=True, eq=False)
class Mistake:
    """One mistake: what it makes of each tensor, and, where nothing is lost, the given result with it undone."""

    name: str
    explanation: str
    tensors: Mapping[str, Float]
    undone: Mapping[str, Float] = field(default_factory=dict)
    undoing: str = ""  # "dividing by 64"
    specific: bool = True  # False for a description that any more telling name beats
    rows: tuple[int, ...] = ()  # all that the name tells the first of
    freedom: int = 0  # how many numbers were fitted to the given result
    gain: float = 1.0  # how many times larger than the right result's the rounding is
    undone_gain: Any = 1.0  # the same for the undone result; a number or an array
    bound: Mapping[str, Float] = field(
        default_factory=dict
    )  # of the undone result, where the given one is of another shape

    @property
    def key(self) -> tuple[str, tuple[int, ...]]:
        """What must be the same on a fresh draw."""
        return self.name, self.rows


@dataclass(frozen=True, eq=False)
class Case:
    """A stage that failed, everything in float64: its inputs, upstream gradient, and given and right results."""

    stage: Stage
    inputs: Mapping[str, Float]
    dy: Float
    evidence: Mapping[str, Evidence]
    absent: tuple[str, ...] = ()  # the gradients that were not given at all
    tiny: float = 0.0  # what the precision judged may lose to underflow
    failed: tuple[str, ...] = ()  # on a fresh draw, the tensors that failed on the first

    @cached_property
    def right(self) -> Mapping[str, Float]:
        return {name: e.reference for name, e in self.evidence.items()}

    @cached_property
    def hand(self) -> Mapping[str, Float]:
        return {name: e.hand for name, e in self.evidence.items()}

    @cached_property
    def failing(self) -> tuple[str, ...]:
        return self.failed or tuple(name for name, e in self.evidence.items() if outside(e).any())

    @cached_property
    def same_shape(self) -> tuple[str, ...]:
        """The failing tensors that were given and have the right shape."""
        given = (name for name in self.failing if name not in self.absent)
        return tuple(name for name in given if self.hand[name].shape == self.right[name].shape)

    @cached_property
    def relative(self) -> Mapping[str, float]:
        """Per tensor the usual bound / |right|, and the few float64 roundings of computing a mistake here."""
        return {name: 16 * EPS + usual(e) for name, e in self.evidence.items()}

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
        """Whether x is data: a function of parameters alone has a batch that nobody sees."""
        return not PARAMETER.fullmatch(self.x_name)

    @property
    def N(self) -> int:
        """The batch size: the rows of the input, or of the result where only parameters come in."""
        rows = self.x if self.data else self.y
        return rows.shape[0] if rows.ndim > (not self.data) else 1

    @property
    def outputs(self) -> int:
        """How many numbers a sample has: the columns of the result, or of what a loss is taken of."""
        seen = self.x if self.y.ndim == 0 and self.data else self.y
        return seen.shape[-1] if seen.ndim else 1

    @cached_property
    def derivative(self) -> Float | None:
        """f'(x) where the stage is elementwise: one input, and one upstream entry reaches one gradient entry only.

        Zeros in the upstream gradient must come out as zeros, which no rounding can change.
        """
        k = f"d{self.x_name}"
        if len(self.inputs) != 1 or self.y.shape != self.x.shape:
            return None
        D = self.rerun(dy=np.ones_like(self.y)).get(k)
        if D is None:
            return None
        half = np.random.default_rng(0).random(self.y.shape) < 0.5
        for zero in (half, ~half):
            masked = self.rerun(dy=np.where(zero, 0.0, self.dy)).get(k)
            if masked is None or np.any(masked[zero]):
                return None
        return D if np.allclose(self.right[k], self.dy * D, rtol=2.0**-26, atol=0, equal_nan=True) else None

    @property
    def fresh(self) -> bool:
        """Whether this is another draw of a case that failed: it need not fail here, but what it is must hold."""
        return bool(self.failed)

    def rerun(self, dy: Float | None = None, **inputs: Float) -> Mapping[str, Float]:
        """The reference on other inputs or another upstream gradient; empty where it takes none such."""
        try:
            return self.stage.reference({**self.inputs, **inputs}, np.array(self.dy if dy is None else dy))
        except Exception:  # somebody's own reference may refuse such numbers: then this mistake cannot be tried
            return NOTHING


def outside(e: Evidence) -> Any:
    """Where the given result is not inside its bound; everywhere if its shape is wrong."""
    if e.hand.shape != e.reference.shape:
        return np.ones(1, bool)
    with np.errstate(all="ignore"):
        unknown = np.isfinite(e.hand) & ~(np.isfinite(e.reference) & np.isfinite(e.bound))
        return ~(np.abs(e.hand - e.reference) <= e.bound) & ~unknown


def usual(e: Evidence) -> float:
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
