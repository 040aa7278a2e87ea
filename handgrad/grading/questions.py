"""What a submission is asked, in which order, and what it is given for it.

A quantity is given only after it was asked for itself, so that its right value is never there to be copied.
"""

from collections.abc import Mapping
from typing import Any

from handgrad.grading.exercise import Exercise, base
from handgrad.grading.process import Answer, Submission
from handgrad.grading.right import Right


def entries(quantity: str, right: Right) -> list[str]:
    """A quantity, or the entries of a list: dz of dz[1], dz[2]."""
    return [quantity] if quantity in right.values else [n for n in right.bounds if base(n) == quantity]


def asked_at(exercise: Exercise, name: str) -> int:
    """The place of a quantity among the questions: forward values, then gradients from the end of the forward pass."""
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


def ask(
    submission: Submission, function: str, name: str, values: Mapping[str, Any], source: str | None = None
) -> Answer:
    """One quantity where these are all values and gradients; only what it can be computed from is given.

    source: the submission with a change.
    """
    given = {n: values[n] for n in given_for(submission.exercise, name) if n in values}
    return submission.ask(function, name, values, given, source)
