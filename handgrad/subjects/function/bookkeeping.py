"""Each value of a backward pass beside what the forward pass says that it should be: right, wrong, or not known."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

from handgrad.report.ledger import LineVerdict
from handgrad.source.steps import Entry, Notes, Step, Steps
from handgrad.subjects.function.ledger_draw import LedgerDraw
from handgrad.subjects.function.ledger_names import Kind, Meaning, is_called, list_meanings, rearranged
from handgrad.subjects.function.reference import Float

SECONDS = 4.0  # after which no more meanings are tried for wrong values
MOST_TIMES = 8  # of a loop; of later ones only the last value is looked at closely


class Found(NamedTuple):
    """What is known of one value. because: the number of the step that made it another one."""

    verdict: LineVerdict
    meaning: Meaning | None = None
    true: Float | None = None
    because: int | None = None


@dataclass(frozen=True, eq=False)
class Run:
    """The backward pass run once, with some values replaced. wrong: the gradients that are not right then."""

    values: Mapping[Entry, Float]
    outputs: Mapping[str, Float]
    wrong: frozenset[str]


@dataclass(eq=False)
class Bookkeeping:
    """Every value of the backward pass, from the first to the last, each beside what it may mean.

    first    the pass as it is; now: with the right values in place of the wrong ones that were found so far
    changed  by the right value of which step a value became another one
    """

    draw: LedgerDraw
    steps: Steps
    meanings: Sequence[Meaning]
    first: Run
    now: Run
    deadline: float
    instead: dict[Entry, Float] = field(default_factory=dict)
    changed: dict[Entry, int] = field(default_factory=dict)
    found: dict[Entry, Found] = field(default_factory=dict)

    def explain(self) -> None:
        """What each value means, should have meant, or nothing that is known; and then what follows for those.

        A wrong value gets its right one at once, so that what is computed from it is seen as it should be.
        """
        hard = [m for m in self.meanings if m.kind is not Kind.DERIVATIVE]
        soft = [m for m in self.meanings if m.kind is Kind.DERIVATIVE] + list(rearranged(hard))
        for entry in self.first.values:
            step, value = self.steps.steps[entry[0]], self.now.values.get(entry)
            if value is None:
                self.found[entry] = Found(LineVerdict.UNEXPLAINED)
                continue
            own = best(step, [m for m in hard if self.same(value, m.value)])
            if (other := self.needed(entry, value, own)) is not None:
                self.found[entry] = Found(LineVerdict.WRONG, other, other.value)
                self.put_right(entry, other.value)
                continue
            own = own or best(step, [m for m in soft if self.same(value, m.value)])
            if own is None:
                self.found[entry] = Found(LineVerdict.UNEXPLAINED)
            elif entry in self.changed:
                self.found[entry] = Found(LineVerdict.INHERITED, own, own.value, self.changed[entry])
            else:
                self.found[entry] = Found(LineVerdict.RIGHT, own, own.value)
        self.settle()

    def same(self, value: Float, other: Float) -> bool:
        """Whether two arrays are the same up to rounding, and not both zero."""
        if value.shape != other.shape:
            return False
        size = np.max(np.abs(other), initial=0.0)
        return bool(size > 0 and np.max(np.abs(value - other), initial=0.0) <= self.draw.room * size)

    def needed(self, entry: Entry, value: Float, own: Meaning | None) -> Meaning | None:
        """Another meaning with which wrong gradients are right and none is spoilt.

        A value that already has a meaning has another only where its name says so, or where it is handed out as that.
        """
        step = self.steps.steps[entry[0]]
        handed_out = step.returned and step.part is self.steps.program.parts[0]
        tried = []
        for meaning in self.meanings:
            called = is_called(step.variable, meaning)
            fits = meaning.value.shape == value.shape or called or (handed_out and meaning.kind is Kind.GRADIENT)
            if fits and not self.same(value, meaning.value) and (own is None or called or handed_out):
                tried.append((not called, meaning))
        if not tried or not self.is_open(entry) or not self.reached(entry) & self.now.wrong:
            return None
        mending: list[tuple[bool, int, Meaning]] = []
        for strange, meaning in tried:
            if time.monotonic() > self.deadline:
                break
            still = self.run({entry: meaning.value}).wrong
            if still < self.now.wrong:
                mending.append((strange, len(still), meaning))
        return min(mending, key=lambda m: m[:2])[2] if mending else None

    def is_open(self, entry: Entry) -> bool:
        """Whether it is still asked what a value should be: something is wrong, and there is time."""
        near = entry[1] < MOST_TIMES or entry == self.last(entry[0])
        return bool(self.now.wrong) and near and time.monotonic() < self.deadline

    def run(self, more: Mapping[Entry, Float]) -> Run:
        """The backward pass with the right values found so far, and more values replaced."""
        return run_once(self.draw, self.steps, {**self.instead, **more})

    def put_right(self, entry: Entry, value: Float) -> None:
        """Give a wrong value its right one, and see what becomes of the others."""
        before = self.now
        self.instead[entry] = value
        self.now = self.run({})
        for other in self.first.values:
            new = self.now.values.get(other)
            if other != entry and new is not None and not self.equal(before.values.get(other), new):
                self.changed.setdefault(other, entry[0])

    def equal(self, before: Float | None, after: Float) -> bool:
        return before is not None and (self.same(before, after) or np.array_equal(before, after))

    def settle(self) -> None:
        """What has no name. Where everything is right in the end, so is every value of that run.

        But a value from which the first wrong one may be made: either of them could be the wrong one.
        """
        wrong = [entry[0] for entry, found in self.found.items() if found.verdict is LineVerdict.WRONG]
        for entry in [e for e, found in self.found.items() if found.verdict is LineVerdict.UNEXPLAINED]:
            true = self.now.values.get(entry)
            if true is None or entry != self.last(entry[0]):
                continue
            early = bool(self.now.wrong) or bool(wrong and self.comes_before(entry[0], wrong[0]))
            if entry in self.changed and not self.now.wrong:
                self.found[entry] = Found(LineVerdict.INHERITED, None, true, self.changed[entry])
            elif time.monotonic() < self.deadline:
                reached = self.reached(entry)
                if reached and not (early and reached & self.first.wrong):
                    self.found[entry] = Found(LineVerdict.RIGHT, None, true)

    def reached(self, entry: Entry) -> frozenset[str]:
        """The gradients that move with a value."""
        value = self.now.values[entry]
        away = np.random.default_rng(0).uniform(0.5, 1, value.shape) * (np.max(np.abs(value), initial=0.0) or 1.0)
        new = self.run({entry: value + away}).outputs
        return frozenset(n for n, g in self.now.outputs.items() if n not in new or not np.array_equal(g, new[n]))

    def suspect(self) -> int | None:
        """The first wrong step, if it is the only one and everything before it that matters is known."""
        wrong = {entry[0] for entry, found in self.found.items() if found.verdict is LineVerdict.WRONG}
        if len(wrong) != 1 or self.now.wrong:
            return None
        (culprit,) = wrong
        unclear = {
            e[0] for e, found in self.found.items() if found.verdict is LineVerdict.UNEXPLAINED and e == self.last(e[0])
        }
        return None if any(self.comes_before(number, culprit) for number in unclear) else culprit

    def comes_before(self, number: int, other: int) -> bool:
        """Whether a step was first taken before another one."""
        return self.order.index(number) < self.order.index(other)

    @cached_property
    def order(self) -> list[int]:
        """The steps, each when it was first taken."""
        return list(dict.fromkeys(entry[0] for entry in self.first.values))

    def last(self, number: int) -> Entry:
        """The last value of a step."""
        return self.lasts[number]

    @cached_property
    def lasts(self) -> dict[int, Entry]:
        return {entry[0]: entry for entry in self.first.values}


def run_once(draw: LedgerDraw, steps: Steps, instead: Mapping[Entry, Float]) -> Run:
    """The backward pass with some values replaced."""
    notes = Notes(instead)
    outputs = draw.outputs(steps.passes(notes), notes)
    return Run(notes.values, outputs or {}, draw.wrong(outputs))


def start(draw: LedgerDraw, steps: Steps) -> Bookkeeping:
    """The books of one draw, with every value that was noted."""
    first = run_once(draw, steps, {})
    return Bookkeeping(draw, steps, list_meanings(draw.knowns), first, first, time.monotonic() + SECONDS)


def best(step: Step, fitting: Sequence[Meaning]) -> Meaning | None:
    """The meaning that the variable's name says, else the first."""
    return next((m for m in fitting if is_called(step.variable, m)), fitting[0] if fitting else None)
