"""Which value, if it were another, would make everything right?

What flows back is linear: whatever an expression of the backward pass gives, the gradients depend on it along a
straight line. So each value is moved a little, entry by entry; from how the gradients follow, least squares give the
value that is needed. Where no value of an expression helps, no change of that expression alone can.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from handgrad.arrays.precision import to64
from handgrad.mend.constants import (
    CLOSED,
    LINEAR,
    MOST_CURVED,
    MOST_NUMBERS,
    NEAR,
    NEWTON_STEPS,
    PARTS_OF_A_STEP,
    RESOLVED,
    ROUNDED,
    STEP,
)
from handgrad.mend.draw import Draw, vector
from handgrad.mend.slopes import Slopes, find_slopes, size_of, split
from handgrad.source.clock import clock
from handgrad.source.taps import Tapped, Taps, flat

Float = NDArray[np.float64]
Rows = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Need:
    """place: a number of the taps; values: what it must be, each time; fixes: the tensors that are then right.

    slope, gap  how everything moves with the value, and by how much it must move
    matters     of which entries anything that is asked depends, each time
    settled     whether no other value would do in those
    straight    whether everything moves along a straight line with the values of all times together
    """

    place: int
    given: tuple[Float, ...]
    values: tuple[Float, ...]
    settled: bool
    matters: tuple[NDArray[np.bool_], ...]
    fixes: frozenset[str]
    slope: Float
    gap: Float
    straight: bool = False

    @property
    def unique(self) -> bool:
        """Whether no other value would do."""
        return self.settled and all(m.all() for m in self.matters)

    @cached_property
    def tells(self) -> bool:
        """Whether one value alone shows if it does what is needed: not where those of other times make up for all."""
        return not self.served_by(self.given[self.time])

    @cached_property
    def time(self) -> int:
        """The first time that it is not what it must be: what comes later may be wrong because of it."""
        if not self.settled:
            return 0
        times = zip(self.given, self.values, self.matters, strict=True)
        gaps = [np.max(np.abs(n - g)[m], initial=0.0) for g, n, m in times]
        return next((i for i, gap in enumerate(gaps) if gap > NEAR * max(gaps)), 0)

    def served_by(self, value: Float) -> bool:
        """Whether a value, at that time, does what is needed, as far as that can be told."""
        if not np.isfinite(value).all():
            return False
        given, needed, matters = self.given[self.time], self.values[self.time], self.matters[self.time]
        if self.settled:
            gap, size = (np.max(np.abs(a[matters]), initial=0.0) for a in (needed - given, needed))
            return bool(np.max(np.abs(value - needed)[matters], initial=0.0) <= NEAR * gap + ROUNDED * size)
        if len(self.values) > 1 and not self.straight:
            return True
        left = self.gap - self.slope[:, self.columns] @ (value - given).reshape(-1)
        left = left - self.others @ (self.others.T @ left)
        return bool(np.max(np.abs(left), initial=0.0) <= NEAR * np.max(np.abs(self.gap), initial=0.0))

    @cached_property
    def columns(self) -> slice:
        """The numbers of that time among those of all times."""
        sizes = [v.size for v in self.given]
        return slice(sum(sizes[: self.time]), sum(sizes[: self.time + 1]))

    @cached_property
    def others(self) -> Float:
        """What the values of the other times can make up for, as orthonormal columns."""
        rest = np.delete(self.slope, self.columns, axis=1)
        if not rest.any():
            return np.zeros((len(rest), 0))
        U, sizes, _ = np.linalg.svd(rest, full_matrices=False)
        return U[:, sizes > ROUNDED * sizes[0]]


class Needs(NamedTuple):
    """The noted run; every expression of which another value makes some wrong tensors right, and spoils none.

    complete: whether every one of them was asked.
    """

    noted: Taps
    found: Sequence[Need] = ()
    slopes: Slopes | None = None
    complete: bool = False


def find_needs(tapped: Tapped, draw: Draw, deadline: float, only: Collection[int] | None = None) -> Needs:
    """What is known at the end of the time, of which the forward pass gets half. only: the places that are asked; all
    without it.

    A whole expression comes before its parts, and the backward pass first: there the mistake is, more often than not.
    """
    noted = Taps(tapped.places)
    outputs = draw.outputs(tapped.passes(noted))
    if not draw.in_float64 or outputs is None or not comparable(outputs, draw.right):
        return Needs(noted)
    slopes = find_slopes(tapped, draw, noted, outputs)
    asked = Question(tapped, draw, noted, outputs, slopes)
    found, helpless = list[Need](), set[int]()
    places = noted.values.keys() if only is None else noted.values.keys() & set(only)
    half = (clock() + deadline) / 2
    for place in sorted(places, key=lambda i: (not tapped.places[i].part.backward, -i)):
        if clock() > (deadline if tapped.places[place].part.backward else half):
            return Needs(noted, found, slopes)
        if tapped.around.get(place) in helpless:
            helpless.add(place)  # where no value of the whole helps, none of a part does
        elif (need := asked.need(place)) is not None:
            found.append(need)
        elif known_well(noted, place):
            helpless.add(place)
    return Needs(noted, found, slopes, complete=True)


def known_well(noted: Taps, place: int) -> bool:
    """Whether it was asked what the value should be, so that what is in it need not be."""
    return 0 < len(flat(noted.values[place])) <= MOST_NUMBERS and place not in noted.written


def comparable(outputs: Mapping[str, Float], right: Mapping[str, Float]) -> bool:
    """Whether every result is there, in its shape, and finite."""
    return all(n in outputs and outputs[n].shape == S.shape and np.isfinite(outputs[n]).all() for n, S in right.items())


@dataclass(frozen=True, eq=False)
class Question:
    """A noted run that gave wrong tensors, and how they move with its values (None: that has to be tried)."""

    tapped: Tapped
    draw: Draw
    noted: Taps
    outputs: Mapping[str, Float]
    slopes: Slopes | None

    @cached_property
    def names(self) -> list[str]:
        """Of the tensors, one after the other as in every vector here."""
        return sorted(self.draw.right)

    @cached_property
    def wrong(self) -> frozenset[str]:
        return self.draw.wrong(self.outputs)

    @cached_property
    def base(self) -> Float:
        return vector(self.outputs, self.names)

    @cached_property
    def right(self) -> Float:
        return vector(self.draw.right, self.names)

    @cached_property
    def missed(self) -> NDArray[np.bool_]:
        """Which entries are wrong."""
        return ~(np.abs(self.base - self.right) <= vector(self.draw.bound, self.names))

    @cached_property
    def owner(self) -> NDArray[np.str_]:
        """The name that each entry belongs to."""
        return np.repeat(self.names, [self.draw.right[n].size for n in self.names])

    def need(self, place: int) -> Need | None:
        """The value that this expression should have; None if none helps."""
        values = self.noted.values[place]
        if not 0 < len(flat(values)) <= MOST_NUMBERS or place in self.noted.written:
            return None
        known = self._known_slope(place) if self.slopes and place in self.slopes.of else self._tried_slope(place)
        if known is None:
            return None
        J, rows = known
        moving = np.abs(J).max(axis=1) > ROUNDED * np.abs(J).max()
        reached = set(self.owner[rows[moving]])
        fixes = frozenset(n for n in self.wrong if n in reached)
        if "y" in fixes:  # the gradients depend on it along no straight line; where it is right, they may be
            fixes = frozenset({"y"})
        ours = np.isin(self.owner[rows], [*fixes])
        if not fixes or (ours & self.missed[rows] & ~moving).any():
            return None
        kept = ours | ~np.isin(self.owner[rows], [*self.wrong])
        J, rows = J[kept], rows[kept]
        solved = self._solve(place, J, rows, fixes)
        if solved is None:
            return None
        delta, straight = solved
        needed = tuple(to64(v) + d for v, d in zip(values, split(delta, values), strict=True))
        matters = np.abs(J).max(axis=0) > RESOLVED * np.abs(J).max()
        settled = bool(np.linalg.matrix_rank(J[:, matters]) == matters.sum())
        split_up = tuple(m.astype(bool) for m in split(matters, values))
        given = tuple(map(to64, values))
        return Need(place, given, needed, settled, split_up, fixes, J, (self.right - self.base)[rows], straight)

    def _solve(self, place: int, J: Float, rows: Rows, fixes: Collection[str]) -> tuple[Float, bool] | None:
        """The change of the value that puts everything right, and whether one step was enough.

        One step where everything is linear in the value; a few where it stands in a square, a root or an exponent.
        """
        size = float(np.max(np.abs(self.right), initial=0.0) + np.max(np.abs(self.base), initial=0.0))
        asked = np.isin(self.owner, [*fixes, *(set(self.names) - self.wrong)])

        def left(there: Float) -> float:
            return float(np.max(np.abs(there - self.right)[asked], initial=0.0))

        gap = left(self.base)
        enough = max(CLOSED * gap, ROUNDED * size)
        delta, now = np.zeros(J.shape[1]), self.base
        for count in range(NEWTON_STEPS):
            step = self._step(place, delta, now, J, rows, left, max(enough, LINEAR * gap))
            if step is None:
                return None
            delta, now = step
            if left(now) <= enough:
                return delta, count == 0
            bends = len(delta) > MOST_CURVED and "y" not in self.wrong  # a value of the forward pass, which is right
            slope = None if bends else self._slope_at(place, delta, now)
            if slope is None:
                return None
            J = slope[rows]
        return None

    def _step(
        self, place: int, delta: Float, now: Float, J: Float, rows: Rows, left: Callable[[Float], float], little: float
    ) -> tuple[Float, Float] | None:
        """A change that leaves less, and what comes of it: the whole step that closes the gap, or a part of it.

        None where the step leaves much although everything went along the straight line it was found on: then no
        value helps.
        """
        missing = (self.right - now)[rows]
        step = np.linalg.lstsq(J, missing, rcond=RESOLVED / 10)[0]
        closes = np.max(np.abs(J @ step - missing), initial=0.0) <= little
        if not closes and len(step) > MOST_CURVED:
            return None
        for part in PARTS_OF_A_STEP:
            there = self._moved(place, delta + part * step)
            if there is None:
                continue
            if not closes and part == 1 and np.max(np.abs((there - now)[rows] - J @ step), initial=0.0) <= little:
                return None
            if left(there) < left(now):
                return delta + part * step, there
        return None

    def _known_slope(self, place: int) -> tuple[Float, Rows]:
        assert self.slopes is not None
        return self.slopes.of[place], self.slopes.rows

    def _tried_slope(self, place: int) -> tuple[Float, Rows] | None:
        """By moving the value; None where no wrong tensor moves with it, and so nothing more is tried."""
        numbers = flat(self.noted.values[place])
        move = size_of(numbers) * np.random.default_rng(place).uniform(0.5, 1, len(numbers))
        touched = self._moved(place, move)
        if touched is None or not (self.wrong & set(self.owner[touched != self.base])):
            return None
        J = self._slope_at(place, np.zeros(len(numbers)), self.base)
        return None if J is None else (J, np.arange(len(self.base)))

    def _slope_at(self, place: int, delta: Float, now: Float) -> Float | None:
        """How everything moves with each number of the value, moved one by one."""
        step = STEP * size_of(flat(self.noted.values[place]))
        columns = []
        for unit in np.eye(len(delta)):
            if (there := self._moved(place, delta + step * unit)) is None:
                return None
            columns.append((there - now) / step)
        return np.array(columns).T

    def _moved(self, place: int, delta: Float) -> Float | None:
        """All results where the value is moved by so much; None where they are no longer comparable."""
        moves = {place: split(delta, self.noted.values[place])}
        outputs = self.draw.outputs(self.tapped.passes(Taps(self.tapped.places, keep=False, moves=moves)))
        return vector(outputs, self.names) if outputs is not None and comparable(outputs, self.draw.right) else None
