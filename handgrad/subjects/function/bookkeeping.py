"""Each value of a backward pass beside what the forward pass says that it should be: right, wrong, or not known."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from handgrad.report.ledger import LineVerdict
from handgrad.source.steps import Entry, Notes, Step, Steps
from handgrad.subjects.function.ledger_draw import LedgerDraw
from handgrad.subjects.function.ledger_names import Kind, Meaning, is_called, rearranged
from handgrad.subjects.function.reference import Float

SECONDS = 5.0  # after which no more meanings are tried for wrong values
MOST_CULPRITS = 5
MOST_TIMES = 8  # of a loop; of later ones only the last value is looked at closely


class Found(NamedTuple):
    """What is known of one value. because: the number of the step that made it another one."""

    verdict: LineVerdict
    meaning: Meaning | None = None
    true: Float | None = None
    because: int | None = None


@dataclass(eq=False)
class Bookkeeping:
    """One run of the backward pass, and what is found of each of its values.

    outputs, wrong  the gradients that came, and the names of those that are not right
    """

    draw: LedgerDraw
    steps: Steps
    meanings: Sequence[Meaning]
    notes: Notes
    outputs: Mapping[str, Float]
    wrong: frozenset[str]
    found: dict[Entry, Found] = field(default_factory=dict)

    def explain(self) -> None:
        """Every value by itself: what it means, what it should have meant, or nothing that is known."""
        deadline = time.monotonic() + SECONDS
        hard = [m for m in self.meanings if m.kind is not Kind.DERIVATIVE]
        soft = [m for m in self.meanings if m.kind is Kind.DERIVATIVE] + list(rearranged(hard))
        for entry, value in self.notes.values.items():
            step = self.steps.steps[entry[0]]
            own = best(step, [m for m in hard if self.same(value, m.value)])
            close = entry[1] < MOST_TIMES or entry == self.last(entry[0])
            look = self.wrong and close and time.monotonic() < deadline
            other = self.needed(entry, value, own) if look else None
            own = own or best(step, [m for m in soft if self.same(value, m.value)])
            if other is not None:
                self.found[entry] = Found(LineVerdict.WRONG, other, other.value)
            elif own is not None:
                self.found[entry] = Found(LineVerdict.RIGHT, own, own.value)
            else:
                self.found[entry] = Found(LineVerdict.UNEXPLAINED)

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
        mending: list[tuple[bool, int, Meaning]] = []
        for meaning in self.meanings:
            called = is_called(step.variable, meaning)
            fits = meaning.value.shape == value.shape or called or (handed_out and meaning.kind is Kind.GRADIENT)
            if not fits or self.same(value, meaning.value) or not (own is None or called or handed_out):
                continue
            still = self.wrong_with({entry: meaning.value})
            if still < self.wrong:
                mending.append((not called, len(still), meaning))
        return min(mending, key=lambda m: m[:2])[2] if mending else None

    def run(self, instead: Mapping[Entry, Float]) -> tuple[Notes, dict[str, Float] | None]:
        """The backward pass with some values replaced."""
        notes = Notes(instead)
        return notes, self.draw.outputs(self.steps.passes(notes), notes)

    def wrong_with(self, instead: Mapping[Entry, Float]) -> frozenset[str]:
        """The gradients that are wrong then."""
        return self.draw.wrong(self.run(instead)[1])

    def trace(self) -> bool:
        """Tell wrong values from those that only follow from them; whether in the end everything was right.

        The first wrong step gets its right values; what is right then was wrong because of it.
        """
        instead: dict[Entry, Float] = {}
        before, wrong = self.notes, self.wrong
        for _ in range(MOST_CULPRITS):
            culprit = next((e[0] for e in self.entries(LineVerdict.WRONG) if e not in instead), None)
            if culprit is None:
                break
            instead |= {e: self.true(e) for e in self.entries(LineVerdict.WRONG) if e[0] == culprit}
            after, outputs = self.run(instead)
            wrong = self.draw.wrong(outputs)
            for entry in set(self.found) & set(after.values) - set(instead):
                self.follow(entry, before.values[entry], after.values[entry], culprit)
            before = after
        self.settle(None if wrong else before)
        return not wrong

    def follow(self, entry: Entry, before: Float, after: Float, culprit: int) -> None:
        """What becomes of a value when a culprit gets its right one."""
        found = self.found[entry]
        if found.verdict is LineVerdict.WRONG and found.true is not None and self.same(after, found.true):
            self.found[entry] = found._replace(verdict=LineVerdict.INHERITED, because=culprit)
        elif found.verdict is LineVerdict.UNEXPLAINED and found.because is None and not self.same(before, after):
            self.found[entry] = found._replace(because=culprit)

    def settle(self, right: Notes | None) -> None:
        """What has no name. right: a run in which everything was right, None where there was none.

        A value that is the same there is right, unless the first culprit may be made from it: then either may be wrong.
        """
        first = next(self.entries(LineVerdict.WRONG), None)
        for entry in list(self.entries(LineVerdict.UNEXPLAINED)):
            found, true = self.found[entry], self.notes.values[entry]
            if right is not None and entry in right.values and found.because is not None:
                self.found[entry] = Found(LineVerdict.INHERITED, None, right.values[entry], found.because)
                continue
            early = right is None or (first is not None and self.comes_before(entry[0], first[0]))
            if entry == self.last(entry[0]) and self.leads_to(entry, self.wrong if early else frozenset()):
                self.found[entry] = Found(LineVerdict.RIGHT, None, true)

    def leads_to(self, entry: Entry, none_of: frozenset[str]) -> bool:
        """Whether any gradient moves with a value, and none of these."""
        value = self.notes.values[entry]
        away = np.random.default_rng(0).uniform(0.5, 1, value.shape) * (np.max(np.abs(value), initial=0.0) or 1.0)
        new = self.run({entry: value + away})[1]
        if new is None:
            return False
        reached = {n for n, g in self.outputs.items() if n not in new or not np.array_equal(g, new[n])}
        return bool(reached) and not reached & none_of

    def suspect(self) -> int | None:
        """The first wrong step, if it is the only one and everything before it that matters is known."""
        wrong = {entry[0] for entry in self.entries(LineVerdict.WRONG)}
        if len(wrong) != 1:
            return None
        (culprit,) = wrong
        unclear = {e[0] for e in self.entries(LineVerdict.UNEXPLAINED) if e == self.last(e[0])}
        return None if any(self.comes_before(number, culprit) for number in unclear) else culprit

    def comes_before(self, number: int, other: int) -> bool:
        """Whether a step was first taken before another one."""
        order = list(dict.fromkeys(entry[0] for entry in self.notes.values))
        return order.index(number) < order.index(other)

    def last(self, number: int) -> Entry:
        """The last value of a step."""
        return (number, self.notes.times[number] - 1)

    def entries(self, verdict: LineVerdict) -> Iterator[Entry]:
        return (entry for entry, found in self.found.items() if found.verdict is verdict)

    def true(self, entry: Entry) -> Float:
        """What a wrong value should be."""
        value = self.found[entry].true
        assert value is not None
        return value


def best(step: Step, fitting: Sequence[Meaning]) -> Meaning | None:
    """The meaning that the variable's name says, else the first."""
    return next((m for m in fitting if is_called(step.variable, m)), fitting[0] if fitting else None)
