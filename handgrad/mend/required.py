"""Which value, if it were another, would make everything right?

What flows back is linear: whatever an expression of the backward pass gives, the gradients depend on it along a
straight line. So each value is moved a little, entry by entry; from how the gradients follow, least squares give the
value that is needed. Where no value of an expression helps, no change of that expression alone can.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handgrad.arrays.precision import to64
from handgrad.mend.draw import Draw, vector
from handgrad.source.taps import Tapped, Taps, flat

Float = NDArray[np.float64]
MOST_NUMBERS = 150  # of one expression, over all times it is computed
STEP = 1e-6  # of a value's size, by which its entries are moved
CLOSED = 1e-6  # of what is missing: so little may be left
ROUNDED = 1e-11  # of the size of everything: what rounding leaves
LINEAR = 1e-2  # of what is missing: what one step may leave where the value stands under a root
NEWTON_STEPS = 8
NEAR = 1e-3  # of what is missing: a value that is tried in earnest


@dataclass(frozen=True, eq=False)
class Need:
    """place: a number of the taps; values: what it must be, each time; fixes: the tensors that are then right.

    slope, gap  how everything moves with the value, and by how much it must move
    unique      whether no other value would do
    """

    place: int
    given: tuple[Float, ...]
    values: tuple[Float, ...]
    unique: bool
    fixes: frozenset[str]
    slope: Float
    gap: Float

    def served_by(self, value: Float) -> bool:
        """Whether a value, the first time it is computed, does what is needed, as far as that can be told."""
        if not np.isfinite(value).all():
            return False
        first, gap = self.values[0], self.values[0] - self.given[0]
        if self.unique:
            return bool(np.max(np.abs(value - first)) <= NEAR * np.max(np.abs(gap)) + ROUNDED * np.max(np.abs(first)))
        if len(self.values) > 1:
            return True
        moved = self.slope @ (value - self.given[0]).reshape(-1)
        return bool(np.max(np.abs(moved - self.gap), initial=0.0) <= NEAR * np.max(np.abs(self.gap), initial=0.0))


def find_needs(tapped: Tapped, draw: Draw, deadline: float) -> tuple[Taps, list[Need]]:
    """Every expression of which another value makes some wrong tensors right, and spoils none; and the noted run."""
    noted = Taps(tapped.places)
    outputs = draw.outputs(tapped.passes(noted))
    wrong = draw.wrong(outputs)
    names = sorted(draw.right)
    if (
        not draw.in_float64
        or outputs is None
        or any(n not in outputs or outputs[n].shape != draw.right[n].shape for n in names)
    ):
        return noted, []
    if not all(np.isfinite(outputs[n]).all() for n in names):
        return noted, []
    asked, found, helpless = Question(tapped, draw, outputs, wrong), list[Need](), set[int]()
    for place, values in sorted(noted.values.items(), reverse=True):  # a whole expression comes before its parts
        if time.monotonic() > deadline:
            break
        if tapped.around.get(place) in helpless:
            helpless.add(place)  # where no value of the whole helps, none of a part does
        elif 0 < len(flat(values)) <= MOST_NUMBERS:
            if (need := asked.need(place, values)) is not None:
                found.append(need)
            else:
                helpless.add(place)
    return noted, found


@dataclass(frozen=True, eq=False)
class Question:
    """A noted run that gave wrong tensors."""

    tapped: Tapped
    draw: Draw
    outputs: Mapping[str, Float]
    wrong: frozenset[str]

    def need(self, place: int, values: Sequence[Any]) -> Need | None:
        """The value that this expression should have; None if none helps."""
        numbers = flat(values)
        scale = float(np.sqrt(np.mean(numbers**2))) or 1.0
        rng = np.random.default_rng(place)
        touched = self._moved(place, values, scale * rng.uniform(0.5, 1, len(numbers)))
        if touched is None:
            return None
        fixes = frozenset(n for n in self.wrong if not np.array_equal(touched[n], self.outputs[n]))
        if "y" in fixes:  # the gradients depend on it along no straight line; where it is right, they may be
            fixes = frozenset({"y"})
        if not fixes or any(not self._reached(n, touched) for n in fixes):
            return None
        rows = sorted((set(self.draw.right) - self.wrong) | fixes)
        base, right = vector(self.outputs, rows), vector(self.draw.right, rows)
        found = self._solve(place, values, base, right, rows)
        if found is None:
            return None
        delta, J = found
        unique = bool(np.linalg.matrix_rank(J) == J.shape[1])
        given = tuple(map(to64, values))
        needed = tuple(v + d for v, d in self._each(given, delta))
        return Need(place, given, needed, unique, fixes, J, right - base)

    def _solve(
        self, place: int, values: Sequence[Any], base: Float, right: Float, rows: Sequence[str]
    ) -> tuple[Float, Float] | None:
        """The change of the value that puts everything right, and how everything moves with the value.

        One step where everything is linear in the value; a few where it stands in a square or under a root.
        """
        size = float(np.max(np.abs(right), initial=0.0) + np.max(np.abs(base), initial=0.0))
        gap = float(np.max(np.abs(right - base), initial=0.0))
        enough = max(CLOSED * gap, ROUNDED * size)
        delta, now, first = np.zeros(len(flat(values))), base, None
        for _ in range(NEWTON_STEPS):
            J = self._slope(place, values, delta, now, rows)
            if J is None:
                return None
            first = J if first is None else first
            more = np.linalg.lstsq(J, right - now, rcond=1e-9)[0]
            if not np.max(np.abs(J @ more + now - right), initial=0.0) <= max(enough, LINEAR * gap):
                return None
            delta = delta + more
            there = self._moved(place, values, delta)
            if there is None:
                return None
            now = vector(there, rows)
            if np.max(np.abs(now - right), initial=0.0) <= enough:
                return delta, first
        return None

    def _slope(self, place: int, values: Sequence[Any], delta: Float, now: Float, rows: Sequence[str]) -> Float | None:
        """How everything moves with each number of the value."""
        step = STEP * (float(np.sqrt(np.mean(flat(values) ** 2))) or 1.0)
        columns = []
        for unit in np.eye(len(delta)):
            moved = self._moved(place, values, delta + step * unit)
            if moved is None:
                return None
            columns.append((vector(moved, rows) - now) / step)
        return np.array(columns).T

    def _reached(self, name: str, touched: Mapping[str, Float]) -> bool:
        """Whether every wrong entry of a tensor moves with the value."""
        gap = np.abs(self.outputs[name] - self.draw.right[name])
        wrong = ~(gap <= self.draw.bound[name])
        return bool((touched[name] != self.outputs[name])[wrong].all())

    def _moved(self, place: int, values: Sequence[Any], delta: Float) -> Mapping[str, Float] | None:
        taps = Taps(self.tapped.places, keep=False, target=place, delta=[d for _, d in self._each(values, delta)])
        outputs = self.draw.outputs(self.tapped.passes(taps))
        shapes = outputs is not None and all(
            n in outputs and outputs[n].shape == self.outputs[n].shape and np.isfinite(outputs[n]).all()
            for n in self.draw.right
        )
        return outputs if shapes else None

    def _each(self, values: Sequence[Any], delta: Float) -> list[tuple[Any, Float]]:
        """Each value with its own part of the change."""
        ends = np.cumsum([int(np.size(v)) for v in map(to64, values)])
        return [(v, d.reshape(np.shape(to64(v)))) for v, d in zip(values, np.split(delta, ends[:-1]), strict=True)]
