"""The grade of a submission in words: for a terminal, and as data for JSON."""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from handgrad.grading.grade import Grade
from handgrad.grading.row import Row


def show(grade: Grade) -> Group:
    """Points, what is right in one line, and what is wrong with the hint below it."""
    parts: list[RenderableType] = [Text(summary(grade), "bold")]
    parts += [indented(Text(line)) for line in remarks(grade)]
    right = [row.name for row in grade.rows if row.slip is None]
    parts += [indented(Text.assemble(("right", "bold green"), f"  {', '.join(right)}"))] if right else []
    wrong = [] if grade.problem else [row for row in grade.rows if row.slip is not None]
    for (hint, function), alike in groupby(wrong, key=lambda row: (row.hint, row.function)):
        rows = [*alike]
        names, points = ", ".join(row.name for row in rows), sum(row.points for row in rows)
        worth = f"  {names} in {function}, {number(points)} {'point' if points == 1 else 'points'}"
        parts.append(indented(Text.assemble(("wrong", "bold red"), worth)))
        parts += [indented(Text(hint), 9)] if hint else []
    return Group(*parts)


def indented(text: Text, columns: int = 2) -> Padding:
    return Padding(text, (0, 0, 0, columns))


def summary(grade: Grade) -> str:
    """One line."""
    return f"{grade.name}: {number(grade.earned)} of {number(grade.exercise.total)} points, {grade.exercise.title}"


def remarks(grade: Grade) -> Iterator[str]:
    """What is said of the submission as a whole."""
    if grade.problem:
        yield f"No points: {grade.problem}."
    if grade.left_out:
        yield f"Left out, because it raised an exception: {'; '.join(grade.left_out)}."
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
        "left out": list(grade.left_out),
        "quantities": [row_dict(row) for row in grade.rows],
    }


def row_dict(row: Row) -> dict[str, Any]:
    points = {"points": row.earned, "of": row.points}
    return {"name": row.name, "function": row.function, "right": row.slip is None, **points, "hint": row.hint}
