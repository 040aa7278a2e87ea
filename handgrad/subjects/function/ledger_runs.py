"""The backward pass run with some of its values replaced: which gradients are right then, and which move at all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from handgrad.source.clock import clock
from handgrad.source.steps import Entry, Notes, Step, Steps
from handgrad.subjects.function.ledger_draw import LedgerDraw
from handgrad.subjects.function.ledger_names import Kind, Meaning, in_turn, is_called
from handgrad.subjects.function.reference import Float

MOST_TIMES = 8  # of a loop; of later ones only the last value is looked at closely


@dataclass(frozen=True, eq=False)
class Run:
    """The backward pass run once. wrong: the gradients that are not right; items: the steps that set one of a list."""

    values: Mapping[Entry, Float]
    outputs: Mapping[str, Float]
    wrong: frozenset[str]
    items: frozenset[int]


def run_once(draw: LedgerDraw, steps: Steps, instead: Mapping[Entry, Float]) -> Run:
    """The backward pass with some values replaced."""
    notes = Notes(instead)
    outputs = draw.outputs(steps.passes(notes), notes)
    return Run(notes.values, outputs or {}, draw.wrong(outputs), frozenset(notes.items))


@dataclass(eq=False)
class Runs:
    """first: the pass as it is; now: with the right values (instead) in place of the wrong ones found so far."""

    draw: LedgerDraw
    steps: Steps
    first: Run
    now: Run
    deadline: float
    instead: dict[Entry, Float] = field(default_factory=dict)

    def run(self, more: Mapping[Entry, Float]) -> Run:
        """The pass as it is now, with more values replaced."""
        return run_once(self.draw, self.steps, {**self.instead, **more})

    def reached(self, entry: Entry) -> frozenset[str]:
        """The gradients that move with a value."""
        return different(self.now.outputs, self.run({entry: move(self.now.values[entry])}).outputs)

    def moved(self, entry: Entry) -> frozenset[str]:
        """The same of the pass as it is, where no right value stands in the way."""
        moves = {entry: move(self.first.values[entry])}
        return different(self.first.outputs, run_once(self.draw, self.steps, moves).outputs)

    def goes_into(self, entry: Entry, other: Entry, kept: Sequence[Entry]) -> bool:
        """Whether a value moves another one where these are kept as they are."""
        values = self.first.values
        still = {e: values[e] for e in kept if e in values and e not in (entry, other)}
        found = run_once(self.draw, self.steps, {**still, entry: move(values[entry])}).values
        return other in found and not np.array_equal(found[other], values[other])

    def needed(self, entry: Entry, meanings: Sequence[Meaning], own: Meaning | None) -> Meaning | None:
        """Another meaning with which wrong gradients are right and none is spoilt.

        A value that already has a meaning has another only where its name says so, or where it is handed out as that.
        """
        value, step = self.now.values[entry], self.step(entry)
        handed_out = step.returned and step.part is self.steps.program.parts[0]
        tried = []
        for meaning in meanings if self.is_asked(entry) else ():
            called = is_called(step.variable, meaning)
            fits = meaning.value.shape == value.shape or called or (handed_out and meaning.kind is Kind.GRADIENT)
            if fits and not self.draw.same(value, meaning.value) and (own is None or called or handed_out):
                tried.append((not called, meaning))
        if not tried or not self.reached(entry) & self.now.wrong:
            return None
        mending: list[tuple[bool, int, Meaning]] = []
        for strange, meaning in tried:
            if clock() > self.deadline:
                break
            still = self.run({entry: meaning.value}).wrong
            if still < self.now.wrong:
                mending.append((strange, len(still), meaning))
        return min(mending, key=lambda m: m[:2])[2] if mending else None

    def needed_in_turn(self, number: int, meanings: Sequence[Meaning]) -> dict[Entry, Meaning]:
        """The same for all values of a loop at once, which should be gradients of values that one name had in turn."""
        entries = [e for e in self.first.values if e[0] == number and e in self.now.values]
        shapes = {self.now.values[e].shape for e in entries}
        if len(entries) < 2 or not self.is_asked(entries[-1]):
            return {}
        for turns in in_turn(meanings):
            if len(turns) < len(entries) or {m.value.shape for m in turns} != shapes:
                continue
            for first in range(len(turns) - len(entries) + 1):
                chosen = turns[first : first + len(entries)]
                for order in (chosen[::-1], chosen):
                    if clock() > self.deadline:
                        return {}
                    if self.run({e: m.value for e, m in zip(entries, order, strict=True)}).wrong < self.now.wrong:
                        return dict(zip(entries, order, strict=True))
        return {}

    def is_asked(self, entry: Entry) -> bool:
        """Whether it is asked what a value should be: something is wrong, it is complete, and there is time."""
        near = entry[1] < MOST_TIMES or entry == self.lasts[entry[0]]
        return bool(self.now.wrong) and near and entry not in self.partial and clock() < self.deadline

    @cached_property
    def partial(self) -> frozenset[Entry]:
        """The values from which a later statement goes on: of these the last is meant."""
        before: dict[tuple[object, str], Entry] = {}
        found = set()
        for entry in self.first.values:
            step = self.step(entry)
            key = (step.part, step.variable)
            single = entry[0] in self.first.items and not step.variable.endswith("]")
            if step.updates and not single and key in before:
                found.add(before[key])
            if not step.returned:
                before[key] = entry
        return frozenset(found)

    @cached_property
    def order(self) -> dict[int, int]:
        """Of every step, as the how-manieth it was first taken."""
        return {number: i for i, number in enumerate(dict.fromkeys(entry[0] for entry in self.first.values))}

    @cached_property
    def lasts(self) -> dict[int, Entry]:
        """The last value of every step."""
        return {entry[0]: entry for entry in self.first.values}

    def step(self, entry: Entry) -> Step:
        return self.steps.steps[entry[0]]


def different(outputs: Mapping[str, Float], others: Mapping[str, Float]) -> frozenset[str]:
    """The gradients that are not the same numbers."""
    return frozenset(n for n, g in outputs.items() if n not in others or not np.array_equal(g, others[n]))


def move(value: Float) -> Float:
    """Every entry another one, by about the largest."""
    size = float(np.max(np.abs(value), initial=0.0)) or 1.0
    moved: Float = value + size * np.random.default_rng(0).uniform(0.5, 1, value.shape)
    return moved
