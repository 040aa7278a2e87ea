"""A submission graded: each quantity on its own draws, against the right value and its rounding bound, and its points.

The verdict is made here, from numbers alone. What the submission says of itself is shown, and counts for nothing.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from handgrad.grading.exercise import Exercise
from handgrad.grading.hints import give_hints
from handgrad.grading.names import find_forbidden
from handgrad.grading.process import ALL_SECONDS, Submission, at_line
from handgrad.grading.questions import ask, asked_at, entries
from handgrad.grading.right import Right, draw_right
from handgrad.grading.row import Row, Slip
from handgrad.judge.compare import compare
from handgrad.judge.verdict import Verdict

DRAWS = 2  # of each exercise; the sizes differ


@dataclass(frozen=True, eq=False)
class Grade:
    """All rows; problem: why the submission as a whole has no points; tried: what it was refused.

    left_out: what statements outside the functions raised.
    """

    name: str
    exercise: Exercise
    rows: tuple[Row, ...]
    problem: str
    tried: tuple[str, ...]
    left_out: tuple[str, ...]
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
    left_out = list[str]()
    if not problem:
        with Submission(source, exercise, seconds) as submission:
            if submission.problem is None:
                rows = [*judge_all(submission, rights)]
            else:
                problem = f"the file cannot be run: {at_line(submission.problem.problem, submission.problem.line)}"
            tried, left_out = submission.tried, submission.left_out
        rows = give_hints(rows, source, exercise, rights, level)
    rows = rows or [*without_points(exercise, rights[0])]
    return Grade(name, exercise, tuple(rows), problem, tuple(tried), tuple(left_out), time.monotonic() - began)


def describe_forbidden(source: str, exercise: Exercise) -> str:
    """What a submission uses that the exercise forbids, in words."""
    found = find_forbidden(source, exercise.forbidden)
    if not found:
        return ""
    words = ", ".join(f"{name} (line {line})" for name, line in found)
    return f"uses {words}: the gradients are to be derived by hand, and this may not be used here"


def without_points(exercise: Exercise, right: Right) -> Iterator[Row]:
    """The rows of a submission that was not run."""
    for function, points in exercise.points.items():
        for quantity, worth in points.items():
            yield Row(quantity, function, worth, Slip(quantity, right), "not judged")


def judge_all(submission: Submission, rights: Sequence[Right]) -> Iterator[Row]:
    """Every quantity of every function on all draws, in the order of the points."""
    slips: dict[tuple[str, str], Slip] = {}
    exercise = submission.exercise
    for right in rights:
        questions = [
            (name, f, q) for f, points in exercise.points.items() for q in points for name in entries(q, right)
        ]
        for name, function, quantity in sorted(questions, key=lambda question: asked_at(exercise, question[0])):
            key = (function, quantity)
            if key not in slips and (slip := judge(submission, function, name, right)) is not None:
                slips[key] = slip
    for function, points in exercise.points.items():
        yield from (Row(q, function, worth, slips.get((function, q))) for q, worth in points.items())


def judge(submission: Submission, function: str, name: str, right: Right) -> Slip | None:
    """None where the quantity is right."""
    answer = ask(submission, function, name, right.values)
    if answer.value is None:
        return Slip(name, right, None, answer.problem, answer.line)
    report = compare(name, answer.value, right.values[name], right.bounds[name])
    return (
        None if report.verdict is Verdict.CERTIFIED else Slip(name, right, report, put=answer.put, value=answer.value)
    )
