"""What is tried in one step of the search, and in which order."""

import ast
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import chain
from typing import Any

from handgrad.mend.candidates import (
    Candidate,
    in_part,
    of_axes,
    of_indices,
    of_parts,
    of_several,
    of_slices,
    of_statements,
)
from handgrad.mend.counts import counts_set, edit_count
from handgrad.mend.cuts import of_windows
from handgrad.mend.draw import vector
from handgrad.mend.edit import Edit, number
from handgrad.mend.entries import change_entries
from handgrad.mend.expressions import around, own_edits
from handgrad.mend.forgotten import with_readings
from handgrad.mend.lookup import Lookup, can_evaluate
from handgrad.mend.material import AtHand, at_hand
from handgrad.mend.required import Need, Needs, comparable, find_needs
from handgrad.mend.suspect import target_of
from handgrad.mend.trial import Trial
from handgrad.source.clock import clock
from handgrad.source.program import Part
from handgrad.source.taps import Tapped, Taps

Looks = Sequence[tuple[Part, Lookup]]
INSERTED = 1.0  # more that a line costs which is not there at all


def joined(look: Lookup) -> Iterator[Edit]:
    """Put together with what has a name."""
    return look.joined(pieces=False)


@dataclass(eq=False)
class Tiers:
    """tapped: the passes as the steps before have left them; known: the values that their expressions should have."""

    trial: Trial
    tapped: Tapped
    known: Needs

    def likely(self, goal: frozenset[str], needs: Sequence[Need], until: float | None) -> Iterator[Iterable[Candidate]]:
        """Candidates that make these tensors right, those first that are likely and cheap to try."""
        by_value, looks, _ = self.looks_at(needs)

        yield by_value(Lookup.small, looks)
        yield by_value(Lookup.reordered, looks)
        yield by_value(Lookup.windows, looks)
        yield self.blind("statements")
        yield by_value(Lookup.wrapped)
        yield by_value(lambda look: look.renumbered(names=False))
        spread = (Lookup.along_other_axes, Lookup.spread_parts)
        yield chain(*map(by_value, (joined, *spread, Lookup.handed_over, Lookup.less_shared, Lookup.sized)))
        yield self.blind("parts")
        yield self.of_counts(goal)
        yield by_value(lambda look: look.renumbered(names=True))
        yield by_value(lambda look: look.joined(pieces=True))

    def costly(self, goal: frozenset[str], needs: Sequence[Need], until: float | None) -> Iterator[Iterable[Candidate]]:
        """Further ones, which are many, or seldom meant.

        until: when nothing is known of what is needed, for how long small edits are tried everywhere.
        """
        by_value, looks, silent = self.looks_at(needs)

        yield self.of_entries(needs)
        yield self.blind("windows")
        yield self.blind("several")
        yield self.blind("indices")  # many, and each is a run: what is tried by its value comes first
        yield by_value(Lookup.wrapped, silent)
        yield chain(by_value(joined, silent), by_value(Lookup.sized, silent))
        yield self.blind("forgotten")
        yield by_value(lambda look: look.joined(pieces=True), silent)
        yield by_value(Lookup.scaled, looks)
        yield by_value(Lookup.joined_twice)
        if until is not None:
            yield self.everywhere(until)

    def looks_at(self, needs: Sequence[Need]) -> tuple[Callable[..., Iterator[Candidate]], Looks, Looks]:
        """What makes candidates of edits by value; all that is looked at, and what no value alone tells of it."""
        # Of what bends several values may do: the one that is known there is not asked for alone.
        needed = {self.tapped.places[need.place].node for need in needs if need.straight}
        looks = [look for need in needs if (look := self.look(need, needed)) is not None]
        telling, silent = (([look for look in looks if look[1].need.tells is t]) for t in (True, False))

        def by_value(edits: Callable[[Lookup], Iterator[Edit]], looks: Looks = telling) -> Iterator[Candidate]:
            return chain.from_iterable(in_part(part, look.node, edits(look)) for part, look in looks)

        return by_value, looks, silent

    @property
    def noted(self) -> Taps:
        """The values that they had."""
        return self.known.noted

    @cached_property
    def blind(self) -> Callable[[str], Sequence[Candidate]]:
        """Candidates that are the same whatever is to be put right: each is made, and run on a draw, once."""

        def has_numbers(node: ast.AST) -> bool:
            return self.tapped.number.get(node) in self.noted.values  # type: ignore[call-overload]

        parts, numbers = self.trial.program.parts, self.trial.numbers
        made: dict[str, Callable[[], Iterator[Candidate]]] = {
            "statements": lambda: of_statements(parts),
            "parts": lambda: chain(of_axes(self.tapped, parts), of_parts(parts, numbers, has_numbers)),
            "indices": lambda: of_indices(parts),
            "windows": lambda: chain(of_slices(parts), of_windows(self.trial, self.tapped, self.known, self.hand_at)),
            "several": lambda: of_several(parts, self.tapped, numbers),
            "forgotten": lambda: of_forgotten(self.trial),
        }

        def stand(candidate: Candidate) -> bool:
            """Whether nothing of it stands in what an earlier step has put there."""
            return all(node in self.trial.parents[candidate.part] for node in candidate.edits)

        return cache(lambda name: [c for c in made[name]() if name == "forgotten" or stand(c)])

    @cached_property
    def hand_at(self) -> Callable[[Part, ast.AST, int], AtHand | None]:
        """What is at hand in a statement the how-manieth time it is run: the same for all its expressions."""

        def find(part: Part, statement: ast.AST, time: int) -> AtHand | None:
            times = self.noted.here.get(self.tapped.statement_number.get(statement, -1), [])
            if time >= len(times):
                return None
            return at_hand(self.trial.program, part, statement, times[time], self.tapped, self.noted)

        return cache(find)

    def look(self, need: Need, needed: set[ast.expr]) -> tuple[Part, Lookup] | None:
        """The expression that should have another value; None if it stands in what an earlier step has put there."""
        part, node, statement = self.tapped.places[need.place]
        if node not in self.trial.parents[part]:
            return None
        hand = self.hand_at(part, statement, need.time)
        value = self.noted.values[need.place][need.time]
        names = part.source.function.__code__.co_varnames if hand is None else hand.names
        if hand is not None and not can_evaluate(hand, node, value):
            hand = None
        writing = self.trial.writing(part)
        return part, Lookup(node, value, need, hand, names, self.trial.numbers, writing, needed.__contains__)

    def of_counts(self, goal: frozenset[str]) -> Iterator[Candidate]:
        """A count with another number, with which these tensors are right and none is spoilt (counts.py)."""
        trial, draw = self.trial, self.trial.draws[0]
        wrong = draw.wrong(trial.run(draw, trial.trees()))
        names = sorted(n for n in draw.right if n in goal or n not in wrong)
        right = vector(draw.right, names)
        for part in trial.program.parts:
            for line, value in counts_set(part.source.tree) if part.backward else ():
                hand = self.hand_at(part, line, 0) if value in trial.parents[part] else None
                if hand is None:
                    continue

                def run(new: float, part: Part = part, value: ast.expr = value) -> Any:
                    outputs = trial.run(draw, trial.trees(Candidate(part, {value: number(new)}, 0)))
                    return vector(outputs, names) if outputs and comparable(outputs, draw.right) else None

                edits = edit_count(value, hand, run, right, trial.numbers, trial.writing(part))
                yield from in_part(part, value, edits)

    def of_entries(self, needs: Sequence[Need]) -> Iterator[Candidate]:
        """A line put in that changes a few entries of what the line before it has set (entries.py)."""
        trees = [part.source.tree for part in self.trial.program.parts]
        indices = [node.slice for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Subscript)]
        for need in needs:
            part, node, statement = self.tapped.places[need.place]
            name, hand = target_of(statement), self.hand_at(part, statement, need.time)
            is_set = (
                isinstance(statement, ast.Assign) and statement.value is node and statement in self.trial.parents[part]
            )
            if not name or not is_set or not part.backward or hand is None or not need.settled:
                continue
            value = self.noted.values[need.place][need.time]
            for line, cost in change_entries(name, value, need, hand, iter(indices)):
                yield Candidate(part, {statement: (statement, line)}, cost)

    def everywhere(self, until: float) -> Iterator[Candidate]:
        """Small edits at every expression, where it is not known which value is needed."""
        places = [place for place in self.tapped.places if place.node in self.trial.parents[place.part]]
        for part, node, _ in places:
            names = part.source.function.__code__.co_varnames
            yield from in_part(part, node, own_edits(node, names, self.trial.numbers, self.tapped.number.__contains__))
            if clock() > until:
                return
        for part, node, _ in places:
            yield from in_part(part, node, around(node, self.trial.writing(part)))
            if clock() > until:
                return


def of_forgotten(trial: Trial) -> Iterator[Candidate]:
    """A line put in where one may be missing (forgotten.py); only where nothing is changed yet."""
    made = {p: with_readings(p.source.tree) for p in trial.program.parts if p.backward} if not trial.made else {}
    readings = {node: (p, reading) for p, (_, read) in made.items() for node, reading in read.items()}
    if not readings:
        return
    tapped = Tapped(trial.program, {p: tree for p, (tree, _) in made.items()})
    read = [i for i, place in enumerate(tapped.places) if place.node in readings]
    known = find_needs(tapped, trial.draws[0], trial.deadline, only=read)
    for need in known.found:
        part, node, statement = tapped.places[need.place]
        here = known.noted.here.get(tapped.statement_number.get(statement, -1), [])
        if need.time >= len(here):
            continue
        hand = at_hand(trial.program, part, statement, here[need.time], tapped, known.noted)
        value = known.noted.values[need.place][need.time]
        writing = trial.writing(part)
        look = Lookup(node, value, need, hand, hand.names, trial.numbers, writing, lambda _: False)
        told = chain(look.wrapped(), look.joined(pieces=False), look.joined_twice())
        for new, cost in told if need.settled or len(need.values) == 1 else look.added():
            yield Candidate(part, readings[node][1].with_line(new), cost + INSERTED)
