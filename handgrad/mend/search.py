"""The smallest change of the code with which every gradient is right."""

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, NamedTuple

from handgrad.judge.isolation import attempt
from handgrad.mend.axes import signs_of_axes
from handgrad.mend.candidates import Candidate, in_part
from handgrad.mend.constants import FORWARD, MOST_STEPS, RETURN
from handgrad.mend.draw import Draw
from handgrad.mend.expressions import around, count_idle, own_edits
from handgrad.mend.raised import places_at_error
from handgrad.mend.required import Need, Needs, find_needs
from handgrad.mend.suspect import find_suspect, right_last
from handgrad.mend.tiers import Tiers
from handgrad.mend.trial import Trial
from handgrad.source.clock import clock
from handgrad.source.program import Part, Program
from handgrad.source.safely import safely
from handgrad.source.taps import Tapped
from handgrad.source.tree import changed

Judging = Callable[[Mapping[Part, ast.AST]], "Objection | None"]

OTHER_SIGN = 0.01  # more that an axis costs which is counted otherwise than in the passes: it decides between equals
RAISING = 0.5  # more that a candidate costs which raises where another runs: it may fit by chance of the sizes


@dataclass(eq=False)
class Search:
    """judge: what is found wrong with trees; None where they are certified."""

    trial: Trial
    judge: Judging
    suspect: tuple[Part, ast.AST] | None = None  # the statement that is wrong, if it is known which
    certified: bool = False  # whether the judge certifies what the steps so far have made
    seen: dict[tuple[Candidate, Draw], frozenset[str]] = field(default_factory=dict)  # what is wrong with whom, where
    raising: set[Candidate] = field(default_factory=set)  # those that raise somewhere
    refused: "Refused | None" = None  # the first change that is right on the draws, but not for the judge

    def step(self) -> Candidate | None:
        """The cheapest candidate that makes everything right; else one that makes the most tensors right."""
        self.seen.clear()
        trial, deadline = self.trial, self.trial.deadline
        now = trial.trees()
        outputs = [trial.run(draw, now) for draw in trial.draws]
        before = [draw.wrong(found) for draw, found in zip(trial.draws, outputs, strict=True)]
        tapped = Tapped(trial.program, now)
        known = find_needs(tapped, trial.draws[0], deadline)
        needs, tiers = known.found, Tiers(trial, tapped, known)
        if not trial.made:
            self.suspect = find_suspect(tapped, known, before[0])
        raises = outputs[0] is None
        for goal in goals_of(before[0], needs, raises):
            chosen = [n for n in needs if n.fixes == goal]
            half = (deadline - clock()) / 2 if raises else 0.0  # is kept for what comes behind the error
            until = deadline - half if not needs and goal == before[0] else None
            for own, backward, kind in rounds(chosen, tiers, tapped, known, y_is_wrong="y" in before[0]):
                for candidates in kind(goal, own, until):
                    of_pass = (c for c in candidates if backward in (None, c.part.backward))
                    if (found := self.first_right(of_pass, goal, before)) is not None:
                        return found
                    if clock() > deadline:
                        return None
        return self.past_error(tapped) if raises else None

    def past_error(self, tapped: Tapped) -> Candidate | None:
        """Where the code raises: an edit of that line with which it runs, and the most is right, for the next step."""
        draw, found = self.trial.draws[0], list[tuple[int, bool, float, Candidate]]()
        error = attempt(lambda: draw.run(self.trial.program.made(self.trial.trees()))).error
        for part, node, _ in places_at_error(tapped, error):
            if node not in self.trial.parents[part] or not part.backward:
                continue
            names = part.source.function.__code__.co_varnames
            own = own_edits(node, names, self.trial.numbers, tapped.number.__contains__)
            edits = chain(own, around(node, self.trial.writing(part)))
            for candidate in in_part(part, node, edits):
                if clock() > self.trial.deadline:
                    return None
                outputs = self.trial.run(draw, self.trial.trees(candidate))
                if outputs is not None:
                    wrong = draw.wrong(outputs)
                    found.append((len(wrong), not draw.has_shapes(outputs), self.price(candidate, wrong), candidate))
        return min(found, key=lambda f: f[:3])[3] if found else None

    def first_right(
        self, candidates: Iterable[Candidate], goal: frozenset[str], before: Sequence[frozenset[str]]
    ) -> Candidate | None:
        """The cheapest that fits, and is confirmed if nothing is wrong with it. At least one is put to the judge."""
        for candidate in sorted(self.fitting(candidates, goal, before), key=lambda c: self.price(c, goal)):
            if any(self.wrong(candidate, draw) for draw in self.trial.draws):
                return candidate
            if (objection := self.judge(self.trial.trees(candidate))) is None:
                self.certified = True
                return candidate
            if self.refused is None and not self.trial.made:
                statement = self.trial.statement_of(candidate.part, next(iter(candidate.edits)))
                self.refused = Refused((candidate.part, statement), {candidate.part: candidate.edits}, objection)
            if clock() > self.trial.deadline:
                return None
        return None

    def price(self, candidate: Candidate, wrong: frozenset[str]) -> float:
        """What a candidate costs: more in a forward pass whose y is right, and where results are handed over."""
        more = 0 if candidate.part.backward or "y" in wrong else FORWARD
        more += RETURN * any(self.is_returned(candidate.part, n) for n in candidate.edits)
        more += RAISING * (candidate in self.raising)
        return candidate.cost + more + OTHER_SIGN * self.counts_axes_otherwise(candidate)

    def counts_axes_otherwise(self, candidate: Candidate) -> bool:
        """Whether it names an axis from the end where the passes name theirs from the front, or the other way round."""
        root, trial = candidate.part.source.tree, self.trial
        made = changed(root, candidate.edits, trial.parents[candidate.part])
        new = signs_of_axes([made]) - signs_of_axes([root])
        return bool(new - trial.signs) and bool(trial.signs)

    def is_returned(self, part: Part, node: ast.AST) -> bool:
        """Whether it stands in a return statement, where a name may only hand over what another line made."""
        return isinstance(self.trial.statement_of(part, node), ast.Return)

    def fitting(
        self, candidates: Iterable[Candidate], goal: frozenset[str], before: Sequence[frozenset[str]]
    ) -> Iterator[Candidate]:
        """Those that make these tensors right on every draw, and spoil none."""
        for candidate in candidates:
            if clock() > self.trial.deadline:
                return
            if any(count_idle(new) > count_idle(old) for old, new in candidate.edits.items()):
                continue
            wrong = (self.wrong(candidate, draw) for draw in self.trial.draws)
            if all(now <= then - goal for now, then in zip(wrong, before, strict=True)):
                yield candidate
                yield from self.fitting(candidate.alike, goal, before)

    def wrong(self, candidate: Candidate, draw: Draw) -> frozenset[str]:
        """What is wrong with a candidate on a draw."""
        if (candidate, draw) not in self.seen:
            trees = attempt(self.trial.trees, candidate).value
            outputs = None if trees is None else self.trial.run(draw, trees)
            self.seen[candidate, draw] = draw.wrong(outputs)
            if outputs is None:
                self.raising.add(candidate)
        return self.seen[candidate, draw]


Round = tuple[Sequence[Need], bool | None, Callable[..., Iterator[Iterable[Candidate]]]]


def rounds(needs: Sequence[Need], tiers: Tiers, tapped: Tapped, known: Needs, *, y_is_wrong: bool) -> Iterator[Round]:
    """In which order the needs are looked at: which, of which pass (None: of both), and which candidates for them.

    Where y is right, a slip is seldom in what the forward pass hands on: of it only what is likely comes before what
    is costly in the backward pass.
    """
    both = (tiers.likely, tiers.costly)
    own, other = ([n for n in needs if tapped.places[n.place].part.backward is b] for b in (True, False))
    if y_is_wrong:
        yield from ((some, None, kind) for some in right_last(needs, tapped, known) for kind in both)
        return
    first, *right = right_last(own, tapped, known)
    yield from ((some, backward, kind) for kind in both for some, backward in ((first, True), (other, False)))
    yield from ((some, True, kind) for some in right for kind in both)


def goals_of(wrong: frozenset[str], needs: Sequence[Need], raises: bool) -> list[frozenset[str]]:
    """What to put right, in this order: everything that is wrong at once, then as much as one value does.

    What follows from a wrong y is not looked at before y is right; where the code raises, to leave out the line that
    does would be no progress.
    """
    if "y" in wrong and not raises:
        return list(dict.fromkeys([frozenset({"y"}), wrong]))
    return list(dict.fromkeys([wrong, *sorted((need.fixes for need in needs), key=len, reverse=True)]))


class Objection(NamedTuple):
    """What the judge finds wrong with a change, in words. special: only at special inputs, and right at usual ones."""

    words: str
    special: bool = False


class Refused(NamedTuple):
    """A change that makes everything right on the draws, its statement, and what the judge finds wrong all the same."""

    statement: tuple[Part, ast.AST]
    edits: Mapping[Part, Mapping[ast.AST, Any]]
    objection: Objection


class FoundEdits(NamedTuple):
    """edits: of each part, with which everything is right; suspect: the statement that is wrong, if it is known.

    refused: a change of it that makes everything right on the draws alone.
    """

    edits: dict[Part, dict[ast.AST, Any]] | None
    suspect: tuple[Part, ast.AST] | None = None
    refused: Refused | None = None


def find_edits(program: Program, draws: Sequence[Draw], judge: Judging, deadline: float) -> FoundEdits:
    """What was found before the deadline, by `clock`; a candidate that is with the judge is waited for."""
    trial = Trial(program, draws, deadline)
    search = Search(trial, judge)
    with safely():
        for _ in range(MOST_STEPS):
            if (step := search.step()) is None:
                break
            trial.made[step.part] = {**trial.made.get(step.part, {}), **step.edits}
            if search.certified:
                return FoundEdits(trial.made)
            trees = trial.trees()
            if not any(draw.wrong(trial.run(draw, trees)) for draw in draws) and judge(trees) is None:
                return FoundEdits(trial.made)
            if not draws[0].wrong(trial.run(draws[0], trees)):
                break  # what is wrong elsewhere alone has no values to be compared
    refused = search.refused
    suspect = search.suspect or (refused.statement if refused else None)
    return FoundEdits(None, suspect, refused if refused and refused.statement == suspect else None)
