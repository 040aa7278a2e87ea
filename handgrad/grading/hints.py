"""What a student reads of a slip: as much as the level of the hints allows.

stage    that the quantity is wrong by itself, and from which right values
shape    its shape, or how many entries are wrong
name     what the mistake is, where the catalogue has a name for it; a line that overwrites what it is computed from
change   the line, and what belongs there
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from handgrad.grading.change import find_change
from handgrad.grading.exercise import LEVELS, Exercise, base
from handgrad.grading.overwritten import find_overwritten
from handgrad.grading.process import Submission, at_line
from handgrad.grading.questions import ask
from handgrad.grading.right import Right
from handgrad.grading.row import Row, Slip
from handgrad.grading.shapes import name_shape
from handgrad.grading.stage import find_way, name_mistake
from handgrad.judge.compare import Float, TensorReport, compare, index_words
from handgrad.judge.constants import MEND_SECONDS
from handgrad.judge.verdict import Verdict

HINT_SECONDS = 120.0  # that a submission may take for all its hints


def give_hints(rows: Sequence[Row], source: str, exercise: Exercise, rights: Sequence[Right], level: str) -> list[Row]:
    """The rows with their hints. The submission runs once more, so that its grade does not wait for them."""
    if level == "none" or all(row.slip is None for row in rows):
        return [*rows]
    with Submission(source, exercise, HINT_SECONDS) as submission:

        def with_hint(row: Row) -> Row:
            return replace(row, hint=give_hint(row, row.slip, submission, source, rights, level)) if row.slip else row

        return [*map(with_hint, rows)]


def give_hint(row: Row, slip: Slip, submission: Submission, source: str, rights: Sequence[Right], level: str) -> str:
    """All that the level allows to say of one slip."""

    def may_say(what: str) -> bool:
        return LEVELS.index(level) >= LEVELS.index(what)

    words = [stage_words(slip, submission.exercise)]
    if slip.report is not None and may_say("shape"):
        named = name_words(row, slip, slip.report, submission, source, rights) if may_say("name") else ""
        words.append(named or shape_words(slip, slip.report))
    if may_say("change") and not is_blank(slip):
        words.append(change_words(row, slip, submission, source, rights))
    return " ".join(filter(None, words))


def stage_words(slip: Slip, exercise: Exercise) -> str:
    """That it is wrong by itself, and from which right values."""
    if slip.report is None:
        return f"{at_line(slip.problem, slip.line)}."
    sources = comes_from(exercise, slip.name)
    used = " and ".join(sources)
    there = {*slip.put, *next(map(exercise.arguments, functions_of(exercise, slip.name)))}
    if not {*sources, *map(base, sources)} & there and used:
        return f"{slip.name} is wrong, from your own {used}: the function itself does not set {used} by name."
    return f"{slip.name} is wrong, even from the right {used}." if used else f"{slip.name} is wrong."


def functions_of(exercise: Exercise, name: str) -> list[str]:
    """The function that has points for a quantity, or for the list that it is in."""
    return [function for function, points in exercise.points.items() if {name, base(name)} & points.keys()]


def comes_from(exercise: Exercise, name: str) -> list[str]:
    """What a quantity is computed from, next to what is given: h1 from z1, dz1 from dh1."""
    steps = {step.name: step for step in exercise.forward}
    if name in steps:
        return [taken for taken in steps[name].takes if taken in steps]
    end = find_way(exercise.forward, name[1:]).end
    return [] if end == exercise.forward[-1].name else [f"d{end}"]


def has_wrong_shape(slip: Slip) -> bool:
    return slip.value is not None and slip.value.shape != slip.right.values[slip.name].shape


def shape_words(slip: Slip, report: TensorReport) -> str:
    if has_wrong_shape(slip):
        return f"Its {report.reason}."
    return f"{report.outside} of {report.entries} entries are wrong; the shape is right."


def name_words(
    row: Row, slip: Slip, report: TensorReport, submission: Submission, source: str, rights: Sequence[Right]
) -> str:
    """What the mistake is; of a value of the forward pass one number; of a wrong shape what it is."""
    if slip.value is not None and has_wrong_shape(slip):
        named = name_shape(slip.name, slip.value, slip.right.values, submission.exercise.returned(row.function))
        return f"{shape_words(slip, report)} {named}" if named else ""
    is_right = right_in(row, slip, submission, source, rights)
    if overwritten := find_overwritten(source, row.function, slip.name, is_right):
        return overwritten
    if slip.name in {step.name for step in submission.exercise.forward}:
        place = f"{slip.name}{index_words(report.index)}"
        return f"{place} is {report.hand:.6g}, and {report.reference:.6g} is right there."

    def ask_again(values: Mapping[str, Any]) -> Float:
        answer = ask(submission, row.function, slip.name, values, source)
        if answer.value is None:
            raise ValueError(answer.problem)
        return answer.value

    return name_mistake(submission.exercise.forward, slip.name[1:], slip.right, ask_again)


def is_blank(slip: Slip) -> bool:
    """Whether nothing was written, so that there is nothing to change."""
    return slip.report is None and slip.line is None


def right_in(
    row: Row, slip: Slip, submission: Submission, source: str, rights: Sequence[Right]
) -> Callable[[str], bool]:
    """Whether the quantity is right on all draws, as a function of a source with a change.

    A change with which the function raises an exception, and did not before, is none: the value is then from before it.
    """
    before = ask(submission, row.function, slip.name, slip.right.values, source)
    raised = 1 if before.value is None else before.raised

    def is_right(source: str) -> bool:
        for right in (slip.right, *(other for other in rights if other is not slip.right)):
            answer = ask(submission, row.function, slip.name, right.values, source)
            if answer.value is None or answer.raised > raised:
                return False
            report = compare(slip.name, answer.value, right.values[slip.name], right.bounds[slip.name])
            if report.verdict is not Verdict.CERTIFIED:
                return False
        return True

    return is_right


def change_words(row: Row, slip: Slip, submission: Submission, source: str, rights: Sequence[Right]) -> str:
    """The line and what belongs there, if a small change makes the quantity right."""
    others = [quantity for quantity in submission.exercise.points[row.function] if quantity != row.name]
    is_right = right_in(row, slip, submission, source, rights)
    return find_change(source, row.function, slip.name, others, is_right, MEND_SECONDS)
