"""A submission graded: each quantity on its own draws, against the right value and its rounding bound, and its points.

The verdict is made here, from numbers alone. What the submission says of itself is shown, and counts for nothing.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from handgrad.grading.exercise import LEVELS, Exercise, base
from handgrad.grading.names import find_forbidden
from handgrad.grading.process import ALL_SECONDS, Answer, Submission
from handgrad.grading.right import Right, draw_right
from handgrad.grading.stage import find_way, name_mistake
from handgrad.judge.compare import Float, TensorReport, compare
from handgrad.judge.verdict import Verdict

DRAWS = 2  # of each exercise; the sizes differ


@dataclass(frozen=True, eq=False)
class Slip:
    """Why a quantity is wrong: its comparison, or the problem that kept it from having a value; of which draw."""

    name: str
    report: TensorReport | None
    problem: str
    line: int | None
    right: Right


@dataclass(frozen=True, eq=False)
class Row:
    """One quantity with its points, and the hint that is shown where it is wrong."""

    name: str
    function: str
    points: float
    slip: Slip | None
    hint: str = ""

    @property
    def earned(self) -> float:
        return 0.0 if self.slip else self.points


@dataclass(frozen=True, eq=False)
class Grade:
    """All rows; problem: why the submission as a whole has no points; tried: what it was refused."""

    name: str
    exercise: Exercise
    level: str
    rows: tuple[Row, ...]
    problem: str
    tried: tuple[str, ...]
    seconds: float

    @property
    def earned(self) -> float:
        return sum(row.earned for row in self.rows)

    @property
    def verdict(self) -> Verdict:
        return Verdict.REFUTED if self.earned < self.exercise.total else Verdict.CERTIFIED


def draw_rights(exercise: Exercise, seed: int) -> list[Right]:
    """The draws that submissions are graded on."""
    return [draw_right(exercise, seed + i) for i in range(DRAWS)]


def grade(
    name: str, source: str, exercise: Exercise, rights: Sequence[Right], level: str, seconds: float = ALL_SECONDS
) -> Grade:
    """The grade of one submission. level: one of LEVELS, of the hints; seconds: that the submission may take."""
    began = time.monotonic()
    rows, problem, tried = list[Row](), describe_forbidden(source, exercise), list[str]()
    if not problem:
        with Submission(source, exercise, seconds) as submission:
            if submission.problem is None:
                rows = [give_hint(row, submission, level) for row in judge_all(submission, rights)]
            else:
                problem = f"the file cannot be run: {at_line(submission.problem)}"
            tried = submission.tried
    rows = rows or [Row(q, f, p, NOT_RUN) for f, points in exercise.points.items() for q, p in points.items()]
    return Grade(name, exercise, level, tuple(rows), problem, tuple(tried), time.monotonic() - began)


NOT_RUN = Slip("", None, "not judged", None, Right({}, {}, {}))


def describe_forbidden(source: str, exercise: Exercise) -> str:
    """What a submission uses that the exercise forbids, in words."""
    found = find_forbidden(source, exercise.forbidden)
    if not found:
        return ""
    words = ", ".join(f"{name} (line {line})" for name, line in found)
    return f"uses {words}: the gradients are to be derived by hand, and this may not be used here"


def at_line(answer: Answer) -> str:
    return f"{answer.problem} (line {answer.line})" if answer.line else answer.problem


def judge_all(submission: Submission, rights: Sequence[Right]) -> Iterator[Row]:
    """Every quantity of every function on all draws, in the order of the points."""
    slips: dict[tuple[str, str], Slip] = {}
    exercise = submission.exercise
    for right in rights:
        for function, points in exercise.points.items():
            names = {name: q for q in points for name in entries(q, right)}
            for name in sorted(names, key=partial(asked_at, exercise)):
                key = (function, names[name])
                if key not in slips and (slip := judge(submission, function, name, right)) is not None:
                    slips[key] = slip
    for function, points in exercise.points.items():
        yield from (Row(q, function, worth, slips.get((function, q))) for q, worth in points.items())


def entries(quantity: str, right: Right) -> list[str]:
    """A quantity, or the entries of a list: dz of dz[1], dz[2]."""
    return [quantity] if quantity in right.values else [n for n in right.bounds if base(n) == quantity]


def asked_at(exercise: Exercise, name: str) -> int:
    """When a quantity is asked for: before it is given for another. Forward values, then gradients from the end."""
    steps = [step.name for step in exercise.forward]
    if name in steps:
        return steps.index(name)
    return 2 * len(steps) - steps.index(name[1:]) if name[1:] in steps else 3 * len(steps)


def given_for(exercise: Exercise, name: str) -> list[str]:
    """The quantities that are given where one is asked for: all with points that it can be computed from."""
    steps = [step.name for step in exercise.forward]
    if name in steps:
        before = steps[: steps.index(name)]
    else:
        after = steps[steps.index(name[1:]) + 1 :] if name[1:] in steps else steps
        before = [f"d{step}" for step in after]
    return [n for n in before if any(n in points or base(n) in points for points in exercise.points.values())]


def ask(submission: Submission, function: str, name: str, values: Mapping[str, Any]) -> Answer:
    """One quantity where these are all right values and gradients; only what it can be computed from is given."""
    given = {n: values[n] for n in given_for(submission.exercise, name) if n in values}
    return submission.ask(function, name, values, given)


def judge(submission: Submission, function: str, name: str, right: Right) -> Slip | None:
    """None where the quantity is right."""
    answer = ask(submission, function, name, right.values)
    if answer.value is None:
        return Slip(name, None, answer.problem, answer.line, right)
    report = compare(name, answer.value, right.values[name], right.bounds[name])
    return None if report.verdict is Verdict.CERTIFIED else Slip(name, report, "", None, right)


def give_hint(row: Row, submission: Submission, level: str) -> Row:
    """The row with all that its level allows to say."""
    if row.slip is None or level == "none":
        return row
    words, report, may_say = stage_words(row.slip, submission), row.slip.report, LEVELS.index(level)
    if report is not None and may_say >= LEVELS.index("shape"):
        named = "" if report.reason.startswith("shape") or level == "shape" else name_words(row, submission)
        words = f"{words} {named or shape_words(report)}"
    return replace(row, hint=words)


def stage_words(slip: Slip, submission: Submission) -> str:
    """That it is wrong by itself, and from which right values."""
    if slip.report is None:
        return at_line(Answer(None, slip.problem, slip.line))
    used = " and ".join(comes_from(submission.exercise, slip.name))
    return f"{slip.name} is wrong, even from the right {used}." if used else f"{slip.name} is wrong."


def comes_from(exercise: Exercise, name: str) -> list[str]:
    """What a quantity is computed from, next to what is given: h1 from z1, dz1 from dh1."""
    steps = {step.name: step for step in exercise.forward}
    if name in steps:
        return [taken for taken in steps[name].takes if taken in steps]
    end = find_way(exercise.forward, name[1:]).end
    return [] if end == exercise.forward[-1].name else [f"d{end}"]


def shape_words(report: TensorReport) -> str:
    if report.reason.startswith("shape"):
        return f"Its {report.reason}."
    return f"{report.outside} of {report.entries} entries are wrong; the shape is right."


def name_words(row: Row, submission: Submission) -> str:
    """What the mistake is; of a value of the forward pass one number."""
    slip = row.slip
    assert slip is not None
    assert slip.report is not None
    if slip.name in {step.name for step in submission.exercise.forward}:
        at = "".join(f"[{i}]" for i in slip.report.index)
        return f"{slip.name}{at} is {slip.report.hand:.6g}, and {slip.report.reference:.6g} is right there."

    def ask_again(values: Mapping[str, Any]) -> Float:
        answer = ask(submission, row.function, slip.name, values)
        if answer.value is None:
            raise ValueError(answer.problem)
        return answer.value

    return name_mistake(submission.exercise.forward, slip.name[1:], slip.right, ask_again)
