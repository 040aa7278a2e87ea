"""The grade of a submission in words: for a terminal, and as data for JSON."""

from collections.abc import Iterator
from typing import Any

from rich.text import Text

from handgrad.grading.grade import Grade, Row

STYLES = {True: "bold green", False: "bold red"}


def show(grade: Grade) -> Text:
    """Points, then a line for each quantity, its hint below it where it is wrong."""
    text = Text(f"{summary(grade)}\n", "bold")
    for line in remarks(grade):
        text.append(f"  {line}\n")
    for row in () if grade.problem else grade.rows:
        mark = "right" if row.slip is None else "wrong"
        text.append(f"  {mark}", STYLES[row.slip is None])
        text.append(f"  {row.name:<8}{number(row.earned):>5} of {number(row.points)}\n")
        text.append(f"         {row.hint}\n" if row.hint else "")
    text.rstrip()
    return text


def summary(grade: Grade) -> str:
    """One line."""
    return f"{grade.name}: {number(grade.earned)} of {number(grade.exercise.total)} points, {grade.exercise.title}"


def remarks(grade: Grade) -> Iterator[str]:
    """What is said of the submission as a whole."""
    if grade.problem:
        yield f"No points: {grade.problem}."
    if grade.tried:
        yield f"Refused, and without any influence on the points: {', '.join(grade.tried)}."


def number(points: float) -> str:
    """
    >>> number(2.0), number(0.5)
    ('2', '0.5')
    """
    return f"{points:g}"


def as_dict(grade: Grade) -> dict[str, Any]:
    """Everything, for JSON."""
    return {
        "submission": grade.name,
        "exercise": grade.exercise.name,
        "points": grade.earned,
        "of": grade.exercise.total,
        "problem": grade.problem,
        "refused": list(grade.tried),
        "quantities": [row_dict(row) for row in grade.rows],
    }


def row_dict(row: Row) -> dict[str, Any]:
    points = {"points": row.earned, "of": row.points}
    return {"name": row.name, "function": row.function, "right": row.slip is None, **points, "hint": row.hint}
