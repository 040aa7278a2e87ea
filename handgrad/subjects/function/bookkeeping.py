"""Each value of a backward pass beside what the forward pass says that it should be: right, wrong, or not known."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from handgrad.mend.counted import uses_own_counts
from handgrad.report.ledger import LineVerdict
from handgrad.source.clock import clock
from handgrad.source.steps import Entry, Step, Steps
from handgrad.source.tree import statement_at
from handgrad.subjects.function.ledger_draw import LedgerDraw
from handgrad.subjects.function.ledger_names import Kind, Meaning, is_called, list_meanings, rearranged
from handgrad.subjects.function.ledger_runs import Runs, run_once
from handgrad.subjects.function.reference import Float

SECONDS = 2.0  # after which no more meanings are tried for wrong values


class Finding(NamedTuple):
    """What is known of one value. because: the number of the step that made it another one."""

    verdict: LineVerdict
    meaning: Meaning | None = None
    true: Float | None = None
    because: int | None = None


@dataclass(eq=False)
class Bookkeeping:
    """Every value of the backward pass, from the first to the last, each beside what it may mean.

    changed: by the right value of which step a value became another one
    """

    draw: LedgerDraw
    runs: Runs
    meanings: Sequence[Meaning]
    changed: dict[Entry, int] = field(default_factory=dict)
    found: dict[Entry, Finding] = field(default_factory=dict)

    def explain(self) -> None:
        """What each value means, should have meant, or nothing that is known; and then what follows for those.

        A wrong value gets its right one at once, so that what is computed from it is seen as it should be.
        """
        hard = [m for m in self.meanings if m.kind is not Kind.DERIVATIVE]
        soft = [m for m in self.meanings if m.kind is Kind.DERIVATIVE] + list(rearranged(hard))
        for entry in self.runs.first.values:
            value = self.runs.now.values.get(entry)
            if entry in self.found:
                continue
            if value is None:
                self.found[entry] = Finding(LineVerdict.UNEXPLAINED)
                continue
            step = self.runs.step(entry)
            own = best(step, [m for m in hard if self.draw.same(value, m.value)])
            if self.put_right(entry, own):
                continue
            own = own or best(step, [m for m in soft if self.draw.same(value, m.value)])
            if own is None and entry in self.runs.partial and not value.any():
                own = Meaning("zeros", value, (), Kind.VALUE)
            self.found[entry] = self.explained(entry, own)
        self.settle()
        self.doubt()

    def explained(self, entry: Entry, own: Meaning | None) -> Finding:
        """What a value is that has this meaning now."""
        if own is None:
            return Finding(LineVerdict.UNEXPLAINED)
        if entry in self.changed:
            return Finding(LineVerdict.INHERITED, own, own.value, self.changed[entry])
        return Finding(LineVerdict.RIGHT, own, own.value)

    def put_right(self, entry: Entry, own: Meaning | None) -> bool:
        """Give a wrong value its right one, and see what becomes of the others; whether it was wrong."""
        needed: dict[Entry, Meaning] = {}
        if (meaning := self.runs.needed(entry, self.meanings, own)) is not None:
            needed = {entry: meaning}
        elif own is None and entry[1] == 0:
            needed = self.runs.needed_in_turn(entry[0], self.meanings)
        if not needed:
            return False
        for e, m in needed.items():
            right = self.draw.same(self.runs.now.values[e], m.value)
            self.found[e] = Finding(LineVerdict.RIGHT if right else LineVerdict.WRONG, m, m.value)
            self.runs.instead[e] = m.value
        before, self.runs.now = self.runs.now, self.runs.run({})
        for other, new in self.runs.now.values.items():
            old = before.values.get(other)
            if other not in needed and not (old is not None and (self.draw.same(old, new) or np.array_equal(old, new))):
                self.changed.setdefault(other, entry[0])
        return True

    def settle(self) -> None:
        """What has no name. Where everything is right in the end, so is every value of that run.

        But a value from which the first wrong one may be made: either of them could be the wrong one.
        """
        now, wrong = self.runs.now, self.wrong_steps
        for number, entry in self.runs.lasts.items():
            if self.found[entry].verdict is not LineVerdict.UNEXPLAINED or entry not in now.values:
                continue
            if entry in self.changed and not now.wrong:
                self.found[entry] = Finding(LineVerdict.INHERITED, None, now.values[entry], self.changed[entry])
            elif clock() < self.runs.deadline:
                reached = self.runs.reached(entry)
                early = bool(now.wrong) or bool(wrong and self.runs.order[number] < self.runs.order[wrong[0]])
                if reached and not (early and reached & self.runs.first.wrong):
                    self.found[entry] = Finding(LineVerdict.RIGHT, None, now.values[entry])

    def doubt(self) -> None:
        """Say of a wrong value that something else may be wrong, where an unexplained one goes into it."""
        known = [e for e, found in self.found.items() if found.verdict is not LineVerdict.UNEXPLAINED]
        unknown = [e for e in self.runs.lasts.values() if self.found[e].verdict is LineVerdict.UNEXPLAINED]
        for wrong in [e for e in known if self.found[e].verdict is LineVerdict.WRONG]:
            order = self.runs.order
            for entry in [e for e in unknown if order[e[0]] < order[wrong[0]]]:
                if clock() < self.runs.deadline and self.runs.goes_into(entry, wrong, known):
                    self.found[wrong] = self.found[wrong]._replace(verdict=LineVerdict.DOUBTED)
                    break

    def suspect(self) -> int | None:
        """The first wrong step, if it is the only one and everything before it that matters is surely right.

        Only if it should be a gradient: what a factor should be depends on the lines that use it. And not that of
        another value than its name says, or of one that a later variable is named for: the later line makes that of
        it, and may be wrong. Not where a later value is made for nothing, or a call writes into it. A helper function
        is not what is wrong where it is given something wrong, or is right at another call.
        """
        if len(self.wrong_steps) != 1 or self.runs.now.wrong:
            return None
        (culprit,) = self.wrong_steps
        step = self.runs.steps.steps[culprit]
        own = [m for e, (_, m, _, _) in self.found.items() if e[0] == culprit and m is not None]
        if step.given or {m.kind for m in own} != {Kind.GRADIENT} or self.is_written_by_a_call(step):
            return None
        called = [m for m in self.meanings if m.kind is Kind.GRADIENT and is_called(step.variable, m)]
        order = self.runs.order
        later = {self.runs.step(e).variable for e in self.found if order[e[0]] > order[culprit]}
        claimed = called or any(is_called(name, m) for name in later for m in own)
        if claimed and not any(is_called(step.variable, m) for m in own):
            return None
        if step.part is not self.runs.steps.program.parts[0]:
            whole = [e for e in self.found if e[0] == culprit and e not in self.runs.partial]
            if any(not self.found[e].verdict.is_wrong for e in whole):
                return None
        if any(self.is_left_over(e) for number, e in self.runs.lasts.items() if order[number] > order[culprit]):
            return None
        tree = step.part.source.tree
        if uses_own_counts(step.part, statement_at(tree, step.line) or tree, self.runs.steps.program.parts):
            return None
        before = [e for number, e in self.runs.lasts.items() if order[number] < order[culprit]]
        return culprit if all(self.is_clear(entry, culprit) for entry in before) else None

    def is_left_over(self, entry: Entry) -> bool:
        """Whether nothing is made of a value: then the line that did so may be what is missing."""
        return not self.runs.step(entry).returned and not self.runs.moved(entry)

    def is_written_by_a_call(self, step: Step) -> bool:
        """Whether no line set what is handed out under its name: np.add.at wrote into it, or should have."""
        values, steps = self.runs.first.values, self.runs.step
        same = [e for e in self.runs.lasts.values() if (steps(e).part, steps(e).variable) == (step.part, step.variable)]
        set_by_lines = [values[e] for e in same if not steps(e).returned]
        handed_out = [values[e] for e in same if steps(e).returned]
        return bool(set_by_lines) and any(not any(np.array_equal(v, w) for w in set_by_lines) for v in handed_out)

    def is_clear(self, entry: Entry, culprit: int) -> bool:
        """Whether a value is surely what is meant, or neither the culprit nor another wrong gradient needs it."""
        if self.found[entry].verdict is LineVerdict.UNEXPLAINED:
            return False
        if self.is_sure(entry) or (self.found[entry].meaning and self.runs.moved(entry) - self.runs.first.wrong):
            return True  # what a right gradient is made of is right if it is anything that is known
        if self.runs.reached(entry) & self.runs.first.wrong:
            return False
        sure = [e for e in self.found if e[0] != culprit and self.is_sure(e)]
        begun = entry in self.runs.partial and not self.runs.first.values[entry].any()  # zeros that are added to
        return begun or not self.runs.goes_into(entry, self.runs.lasts[culprit], sure)

    def is_sure(self, entry: Entry) -> bool:
        """Whether its meaning is no accident.

        Its name may say something else; and a helper function, called once, may be given one weight for another.
        """
        found, step = self.found[entry], self.runs.step(entry)
        if found.meaning is None or not found.meaning.sure:
            return False
        if step.given and entry[1] == 0 and found.meaning.kind is Kind.VALUE:
            return False
        named = [m for m in self.meanings if is_called(step.variable, m)]
        return not named or any(m is found.meaning for m in named)

    @property
    def wrong_steps(self) -> list[int]:
        """The steps that are wrong by themselves, the first one first."""
        return list(dict.fromkeys(e[0] for e, found in self.found.items() if found.verdict.is_wrong))


def start(draw: LedgerDraw, steps: Steps, deadline: float) -> Bookkeeping:
    """The books of one draw, with every value that was noted."""
    first = run_once(draw, steps, {})
    end = min(deadline, clock() + SECONDS)
    return Bookkeeping(draw, Runs(draw, steps, first, first, end), list_meanings(draw.knowns))


def best(step: Step, fitting: Sequence[Meaning]) -> Meaning | None:
    """The meaning that the variable's name says, else the first."""
    return next((m for m in fitting if is_called(step.variable, m)), fitting[0] if fitting else None)
