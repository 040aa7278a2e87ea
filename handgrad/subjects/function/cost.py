"""What a judgement will cost, told before it runs: on a terminal, and only if it is more than a few seconds."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from handgrad.judge.constants import FEWER_NUMBERS
from handgrad.judge.isolation import attempt, duplicate
from handgrad.judge.stage import Arrays
from handgrad.report.console import print_lines, report_console
from handgrad.subjects.function.calling import Code
from handgrad.subjects.function.reference import Float, Reference

FEW_SECONDS = 5
BOTH_PASSES = 3  # a forward and a backward pass, in forward passes


class Runs(NamedTuple):
    """How often both passes of the code and of its reference are run; counted, where none is wrong."""

    code: int
    reference: int


GIVEN, LARGE, SHAPES = Runs(45, 60), Runs(8, 30), Runs(200, 500)


def tell_cost(code: Code, reference: Reference, inputs: Arrays, exact: dict[str, Float], *, drawn: bool) -> None:
    """A line on the terminal that says how long it will take. drawn: whether there will be cases of many sizes."""
    console = report_console(stderr=True)
    if not console.is_terminal:
        return
    args, copied = code.arguments(duplicate(inputs)), code.copy_object()
    words = cost_words(
        clock(lambda: copied.run_forward(args)),
        clock(lambda: reference.value(exact)),
        SHAPES if drawn else LARGE if sum(a.size for a in exact.values()) >= FEWER_NUMBERS else GIVEN,
    )
    if words:
        print_lines(console, words)


def cost_words(code: float, reference: float, runs: Runs) -> str:
    """In words: the expected time, from the seconds of one forward pass of each. Empty for a few seconds.

    >>> cost_words(0.5, 0.01, GIVEN)
    'this will take about a minute: 45 runs of the code, 60 of its reference'
    >>> cost_words(0.01, 0.01, GIVEN)
    ''
    """
    seconds = BOTH_PASSES * (runs.code * code + runs.reference * reference)
    if seconds < FEW_SECONDS:
        return ""
    about = f"{float(f'{seconds:.1g}'):g} seconds" if seconds < 45 else about_minutes(seconds / 60)
    return f"this will take about {about}: {runs.code} runs of the code, {runs.reference} of its reference"


def about_minutes(minutes: float) -> str:
    """
    >>> about_minutes(1.2), about_minutes(12)
    ('a minute', '12 minutes')
    """
    return "a minute" if minutes < 1.5 else f"{minutes:.0f} minutes"


def clock(call: Callable[[], Any]) -> float:
    """The seconds of one call, whatever comes of it."""
    start = time.perf_counter()
    attempt(call)
    return time.perf_counter() - start
