"""One quantity judged in a notebook, for tests of otter and nbgrader: the source of a function is graded as a file."""

import inspect
import textwrap
from collections.abc import Callable, Iterator
from functools import cache
from types import FunctionType, ModuleType
from typing import Any

from handgrad.arrays.on_torch.copies import names_in
from handgrad.grading.exercise import Exercise, find_exercise
from handgrad.grading.grade import Grade, draw_rights, grade
from handgrad.grading.right import Right
from handgrad.judge.settings import choose_seed


class Found(str):
    """What was found, printed by a notebook as it is, without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def check(exercise: str, quantity: str, function: Callable[..., Any]) -> Found:
    """right, or what is wrong with a quantity that the function gives, as much as the hints of the exercise say.

    The function, and what it uses of the notebook, runs in a process of its own, as for `handgrad grade`.
    Raises ValueError for a quantity without points, TypeError for what is no function of the notebook.
    """
    asked = find(exercise)[0]
    if quantity not in asked.points.get(function.__name__, {}):
        known = ", ".join(asked.points.get(function.__name__, ())) or "none"
        raise ValueError(f"got {quantity}, expected a quantity of {function.__name__}: {known}")
    found = grade_source(exercise, write_source(function))
    row = next(row for row in found.rows if (row.function, row.name) == (function.__name__, quantity))
    return Found("right" if row.slip is None else found.problem or row.hint or "wrong")


@cache
def find(exercise: str) -> tuple[Exercise, list[Right]]:
    """The exercise with its draws, which all tests of a notebook share."""
    found = find_exercise(exercise)
    return found, draw_rights(found, choose_seed(None))


@cache
def grade_source(exercise: str, source: str) -> Grade:
    """The grade of a source, once for all its quantities."""
    found, rights = find(exercise)
    return grade("notebook", source, found, rights, found.hints)


def write_source(function: Callable[..., Any]) -> str:
    """A function with the imports, the numbers and the functions of its notebook that it uses, as one file."""
    if not isinstance(function, FunctionType):
        raise TypeError(f"function is {type(function).__name__}, expected a function that is defined in the notebook")
    return "\n\n".join(reversed([*parts(function, set())]))


def parts(function: FunctionType, known: set[str]) -> Iterator[str]:
    """Its own source, then that of what it uses."""
    yield textwrap.dedent(inspect.getsource(function))
    for name in names_in(function.__code__):
        value = function.__globals__.get(name)
        if value is None or name in known or value is function:
            continue
        known.add(name)
        if isinstance(value, ModuleType):
            yield f"import {value.__name__} as {name}"
        elif isinstance(value, FunctionType) and value.__module__ == function.__module__:
            yield from parts(value, known)
        elif isinstance(value, FunctionType):
            yield f"from {value.__module__} import {value.__name__} as {name}"
        elif isinstance(value, bool | int | float | str | tuple):
            yield f"{name} = {value!r}"
