"""The smallest change of the code with which every gradient is right."""

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from itertools import chain
from typing import Any, NamedTuple

from handgrad.judge.constants import BEYOND
from handgrad.judge.isolation import attempt
from handgrad.mend.axes import moves_of_axes, signs_of_axes
from handgrad.mend.candidates import Candidate, in_part, of_axes, of_indices, of_parts, of_several, of_statements
from handgrad.mend.constants import FORWARD, MOST_STEPS, RETURN
from handgrad.mend.counts import counts_set, edit_count
from handgrad.mend.draw import Draw, vector
from handgrad.mend.expressions import Writing, around, count_idle, own_edits
from handgrad.mend.forgotten import with_readings
from handgrad.mend.local_edits import Edit, is_number, number
from handgrad.mend.lookup import Lookup, can_evaluate, writing_of
from handgrad.mend.material import AtHand, at_hand
from handgrad.mend.raised import places_at_error
from handgrad.mend.required import Need, comparable, find_needs
from handgrad.mend.suspect import find_suspect, right_last
from handgrad.source.clock import clock
from handgrad.source.program import Part, Program
from handgrad.source.safely import safely
from handgrad.source.taps import Tapped, Taps
from handgrad.source.tree import changed, parents_of

HandAt = Callable[[Part, ast.AST, int], AtHand | None]
Confirm = Callable[[Mapping[Part, ast.AST]], bool]


Blind = Callable[[str], Sequence[Candidate]]
OTHER_SIGN = 0.01  # more that an axis costs which is counted otherwise than in the passes: it decides between equals
INSERTED = 1.0  # more that a line costs which is not there at all


@dataclass(eq=False)
class Search:
    """draws: numbers to try on; confirm: whether the judge certifies trees; deadline: when the search ends."""

    program: Program
    draws: Sequence[Draw]
    confirm: Confirm
    deadline: float
    parents: Mapping[Part, Mapping[ast.AST, ast.AST]]
    made: dict[Part, dict[ast.AST, Any]] = field(default_factory=dict)  # by the steps so far
    suspect: tuple[Part, ast.AST] | None = None  # the statement that is wrong, if it is known which
    certified: bool = False  # whether the judge certifies what the steps so far have made
    seen: dict[tuple[Candidate, Draw], frozenset[str]] = field(default_factory=dict)  # what is wrong with whom, where
    refused: tuple[Part, ast.AST] | None = None  # the first statement of which a change is right, but not for the judge

    def step(self) -> Candidate | None:
        """The cheapest candidate that makes everything right; else one that makes the most tensors right."""
        self.seen.clear()
        before = [draw.wrong(self.run(draw, self.trees(None))) for draw in self.draws]
        tapped = Tapped(self.program, self.trees(None))
        known = find_needs(tapped, self.draws[0], self.deadline)
        noted, needs = known.noted, known.found

        @cache
        def hand_at(part: Part, statement: ast.AST, time: int) -> AtHand | None:
            """What is at hand there, the how-manieth time it is run: the same for all expressions of a statement."""
            times = noted.here.get(tapped.statement_number.get(statement, -1), [])
            return at_hand(self.program, part, times[time], tapped, noted) if time < len(times) else None

        blind = self.blind(tapped, noted)
        if not self.made:
            self.suspect = find_suspect(tapped, known, before[0])
        goals = dict.fromkeys([before[0], *sorted((n.fixes for n in needs), key=len, reverse=True)])
        raises = (
            self.run(self.draws[0], self.trees(None)) is None
        )  # then to leave out the line that does would be no progress
        if "y" in before[0] and not raises:  # what follows from a wrong y is not looked at before y is right
            goals = dict.fromkeys([frozenset({"y"}), before[0]])
        for goal in goals:
            chosen = [n for n in needs if n.fixes == goal]
            half = (self.deadline - clock()) / 2 if raises else 0.0  # is kept for what comes behind the error
            until = self.deadline - half if not needs and goal == before[0] else None
            for own in right_last(chosen, tapped, known):
                for candidates in self.tiers(tapped, noted, hand_at, goal, own, blind, until):
                    if (found := self.first_right(candidates, goal, before)) is not None:
                        return found
                    if clock() > self.deadline:
                        return None
        return self.past_error(tapped) if raises else None

    def past_error(self, tapped: Tapped) -> Candidate | None:
        """Where the code raises: an edit of that line with which it runs, and the most is right, for the next step."""
        draw, found = self.draws[0], list[tuple[int, bool, float, Candidate]]()
        error = attempt(lambda: draw.run(self.program.made(self.trees(None)))).error
        for part, node, _ in places_at_error(tapped, error):
            if node not in self.parents[part] or not part.backward:
                continue
            names = part.source.function.__code__.co_varnames
            edits = chain(
                own_edits(node, names, self.numbers, tapped.number.__contains__), around(node, self.writing(part))
            )
            for candidate in in_part(part, node, edits):
                if clock() > self.deadline:
                    return None
                outputs = self.run(draw, self.trees(candidate))
                if outputs is not None:
                    wrong = draw.wrong(outputs)
                    found.append((len(wrong), not draw.has_shapes(outputs), self.price(candidate, wrong), candidate))
        return min(found, key=lambda f: f[:3])[3] if found else None

    def first_right(
        self, candidates: Iterable[Candidate], goal: frozenset[str], before: Sequence[frozenset[str]]
    ) -> Candidate | None:
        """The cheapest that fits, and is confirmed if nothing is wrong with it. At least one is put to the judge."""
        for candidate in sorted(self.fitting(candidates, goal, before), key=lambda c: self.price(c, goal)):
            if any(self.wrong(candidate, draw) for draw in self.draws):
                return candidate
            if self.confirm(self.trees(candidate)):
                self.certified = True
                return candidate
            if self.refused is None and not self.made:
                self.refused = candidate.part, self.statement_of(candidate.part, next(iter(candidate.edits)))
            if clock() > self.deadline:
                return None
        return None

    def price(self, candidate: Candidate, wrong: frozenset[str]) -> float:
        """What a candidate costs: more in a forward pass whose y is right, and where results are handed over."""
        more = 0 if candidate.part.backward or "y" in wrong else FORWARD
        more += RETURN * any(self.is_returned(candidate.part, n) for n in candidate.edits)
        return candidate.cost + more + OTHER_SIGN * self.counts_axes_otherwise(candidate)

    def counts_axes_otherwise(self, candidate: Candidate) -> bool:
        """Whether it names an axis from the end where the passes name theirs from the front, or the other way round."""
        root = candidate.part.source.tree
        new = signs_of_axes([changed(root, candidate.edits, self.parents[candidate.part])]) - signs_of_axes([root])
        return bool(new - self.signs) and bool(self.signs)

    def is_returned(self, part: Part, node: ast.AST) -> bool:
        """Whether it stands in a return statement, where a name may only hand over what another line made."""
        return isinstance(self.statement_of(part, node), ast.Return)

    def statement_of(self, part: Part, node: ast.AST) -> ast.AST:
        """The statement that it is or stands in."""
        while not isinstance(node, ast.stmt) and node in self.parents[part]:
            node = self.parents[part][node]
        return node

    def tiers(
        self,
        tapped: Tapped,
        noted: Taps,
        hand_at: HandAt,
        goal: frozenset[str],
        needs: Sequence[Need],
        blind: Blind,
        until: float | None,
    ) -> Iterator[Iterable[Candidate]]:
        """Candidates in the order in which they are tried.

        until: when nothing is known of what is needed, for how long small edits are tried everywhere.
        """
        needed = {tapped.places[need.place].node for need in needs}
        looks = [look for need in needs if (look := self.look(tapped, noted, hand_at, need, needed)) is not None]

        def by_value(edits: Callable[[Lookup], Iterator[Edit]]) -> Iterator[Candidate]:
            return chain.from_iterable(in_part(part, look.node, edits(look)) for part, look in looks)

        yield by_value(Lookup.small)
        yield by_value(Lookup.reordered)
        yield blind("statements")
        yield by_value(Lookup.wrapped)
        yield by_value(lambda look: look.renumbered(names=False))
        yield chain(by_value(lambda look: look.joined(pieces=False)), by_value(Lookup.sized))
        yield blind("parts")
        yield self.of_counts(tapped, hand_at, goal)
        yield by_value(lambda look: look.renumbered(names=True))
        yield by_value(lambda look: look.joined(pieces=True))
        yield blind("several")
        yield blind("indices")  # many, and each is a run: what is tried by its value comes first
        yield blind("forgotten")
        yield by_value(Lookup.scaled)
        yield by_value(Lookup.joined_twice)
        if until is not None:
            yield self.everywhere(tapped, until)

    def blind(self, tapped: Tapped, noted: Taps) -> Blind:
        """Candidates that are the same whatever is to be put right: each is made, and run on a draw, once."""

        def has_numbers(node: ast.AST) -> bool:
            return tapped.number.get(node) in noted.values  # type: ignore[call-overload]

        parts, numbers = self.program.parts, self.numbers
        made: dict[str, Callable[[], Iterator[Candidate]]] = {
            "statements": lambda: of_statements(parts),
            "parts": lambda: chain(of_axes(tapped), of_parts(parts, numbers, has_numbers)),
            "indices": lambda: of_indices(parts),
            "several": lambda: of_several(parts, tapped, numbers),
            "forgotten": self.of_forgotten,
        }

        def stand(candidate: Candidate) -> bool:
            """Whether nothing of it stands in what an earlier step has put there."""
            return all(node in self.parents[candidate.part] for node in candidate.edits)

        return cache(lambda name: [c for c in made[name]() if name == "forgotten" or stand(c)])

    def look(
        self, tapped: Tapped, noted: Taps, hand_at: HandAt, need: Need, needed: set[ast.expr]
    ) -> tuple[Part, Lookup] | None:
        """The expression that should have another value; None if it stands in what an earlier step has put there."""
        part, node, statement = tapped.places[need.place]
        if node not in self.parents[part]:
            return None
        hand = hand_at(part, statement, need.time)
        value = noted.values[need.place][need.time]
        names = part.source.function.__code__.co_varnames if hand is None else hand.names
        if hand is not None and not can_evaluate(hand, node, value):
            hand = None
        writing = self.writing(part)
        return part, Lookup(node, value, need, hand, names, self.numbers, writing, needed.__contains__)

    def of_counts(self, tapped: Tapped, hand_at: HandAt, goal: frozenset[str]) -> Iterator[Candidate]:
        """A count with another number, with which these tensors are right and none is spoilt (counts.py)."""
        draw = self.draws[0]
        wrong = draw.wrong(self.run(draw, self.trees(None)))
        names = sorted(n for n in draw.right if n in goal or n not in wrong)
        right = vector(draw.right, names)
        for part in self.program.parts:
            for line, value in counts_set(part.source.tree) if part.backward else ():
                hand = hand_at(part, line, 0) if value in self.parents[part] else None
                if hand is None:
                    continue

                def run(new: float, part: Part = part, value: ast.expr = value) -> Any:
                    outputs = self.run(draw, self.trees(Candidate(part, {value: number(new)}, 0)))
                    return vector(outputs, names) if outputs and comparable(outputs, draw.right) else None

                edits = edit_count(value, hand, run, right, self.numbers, self.writing(part))
                yield from in_part(part, value, edits)

    def of_forgotten(self) -> Iterator[Candidate]:
        """A line put in where one may be missing (forgotten.py); only where nothing is changed yet."""
        made = {p: with_readings(p.source.tree) for p in self.program.parts if p.backward} if not self.made else {}
        readings = {node: (p, reading) for p, (_, read) in made.items() for node, reading in read.items()}
        if not readings:
            return
        tapped = Tapped(self.program, {p: tree for p, (tree, _) in made.items()})
        read = [i for i, place in enumerate(tapped.places) if place.node in readings]
        known = find_needs(tapped, self.draws[0], self.deadline, only=read)
        for need in known.found:
            part, node, statement = tapped.places[need.place]
            here = known.noted.here.get(tapped.statement_number.get(statement, -1), [])
            if need.time >= len(here):
                continue
            hand = at_hand(self.program, part, here[need.time], tapped, known.noted)
            value = known.noted.values[need.place][need.time]
            writing = self.writing(part)
            look = Lookup(node, value, need, hand, hand.names, self.numbers, writing, lambda _: False)
            told = chain(look.wrapped(), look.joined(pieces=False), look.joined_twice())
            for new, cost in told if need.settled or len(need.values) == 1 else look.added():
                yield Candidate(part, readings[node][1].with_line(new), cost + INSERTED)

    def everywhere(self, tapped: Tapped, until: float) -> Iterator[Candidate]:
        """Small edits at every expression, where it is not known which value is needed."""
        places = [place for place in tapped.places if place.node in self.parents[place.part]]
        for part, node, _ in places:
            names = part.source.function.__code__.co_varnames
            yield from in_part(part, node, own_edits(node, names, self.numbers, tapped.number.__contains__))
            if clock() > until:
                return
        for part, node, _ in places:
            yield from in_part(part, node, around(node, self.writing(part)))
            if clock() > until:
                return

    def fitting(
        self, candidates: Iterable[Candidate], goal: frozenset[str], before: Sequence[frozenset[str]]
    ) -> Iterator[Candidate]:
        """Those that make these tensors right on every draw, and spoil none."""
        for candidate in candidates:
            if clock() > self.deadline:
                return
            if any(count_idle(new) > count_idle(old) for old, new in candidate.edits.items()):
                continue
            wrong = (self.wrong(candidate, draw) for draw in self.draws)
            if all(now <= then - goal for now, then in zip(wrong, before, strict=True)):
                yield candidate

    def wrong(self, candidate: Candidate, draw: Draw) -> frozenset[str]:
        """What is wrong with a candidate on a draw."""
        if (candidate, draw) not in self.seen:
            trees = attempt(self.trees, candidate).value
            self.seen[candidate, draw] = draw.wrong(None if trees is None else self.run(draw, trees))
        return self.seen[candidate, draw]

    def run(self, draw: Draw, trees: Mapping[Part, ast.AST]) -> Any:
        """The results on a draw; None where the trees are no Python, or raise."""
        made = attempt(self.program.made, trees).value
        return None if made is None else draw.outputs(made)

    def trees(self, candidate: Candidate | None) -> dict[Part, ast.AST]:
        """The trees of the parts that are changed, by the steps so far or by the candidate."""
        edits = dict(self.made)
        if candidate is not None:
            edits[candidate.part] = {**edits.get(candidate.part, {}), **candidate.edits}
        return {p: changed(p.source.tree, e, self.parents[p]) for p, e in edits.items()}

    def writing(self, part: Part) -> Writing:
        """How a part writes its arrays."""
        return writing_of(part.source.function.__globals__, part.source.tree, self.moves)

    @cached_property
    def moves(self) -> tuple[str, ...]:
        """How both passes move axes."""
        return moves_of_axes(p.source.tree for p in self.program.parts)

    @cached_property
    def signs(self) -> frozenset[bool]:
        """How axes are counted in the passes: in the forward pass, if any are named there."""
        forward, backward = (
            signs_of_axes(p.source.tree for p in self.program.parts if p.backward is own) for own in (False, True)
        )
        return forward or backward

    @property
    def numbers(self) -> tuple[float, ...]:
        """The constants that stand in the passes, without fillers: an array of 1e9 entries takes seconds to make."""
        trees = [part.source.tree for part in self.program.parts]
        found = (
            n.value for tree in trees for n in ast.walk(tree) if isinstance(n, ast.Constant) and is_number(n.value)
        )
        return tuple(dict.fromkeys(n for n in found if abs(n) < BEYOND))


class FoundEdits(NamedTuple):
    """edits: of each part, with which everything is right; suspect: the statement that is wrong, if it is known.

    refused: whether a change of it makes everything right on the draws alone, and the judge finds more that is wrong.
    """

    edits: dict[Part, dict[ast.AST, Any]] | None
    suspect: tuple[Part, ast.AST] | None = None
    refused: bool = False


def find_edits(program: Program, draws: Sequence[Draw], confirm: Confirm, deadline: float) -> FoundEdits:
    """What was found before the deadline, by `clock`; a candidate that is with the judge is waited for."""
    parents = {part: parents_of(part.source.tree) for part in program.parts}
    search = Search(program, draws, confirm, deadline, parents)
    with safely():
        for _ in range(MOST_STEPS):
            if (step := search.step()) is None:
                break
            search.made[step.part] = {**search.made.get(step.part, {}), **step.edits}
            if search.certified:
                return FoundEdits(search.made)
            trees = search.trees(None)
            if not any(draw.wrong(search.run(draw, trees)) for draw in draws) and confirm(trees):
                return FoundEdits(search.made)
            if not draws[0].wrong(search.run(draws[0], trees)):
                break  # what is wrong elsewhere alone has no values to be compared
    suspect = search.suspect or search.refused
    return FoundEdits(None, suspect, suspect is not None and suspect == search.refused)
