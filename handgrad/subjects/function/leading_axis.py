"""Code that takes an axis more than it was given, or more than one row: whether it holds there is worth a word."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from handgrad.arrays.precision import like
from handgrad.judge.compare import StageReport
from handgrad.judge.isolation import attempt
from handgrad.judge.judgement import Judgement
from handgrad.judge.note import Grave
from handgrad.judge.verdict import Verdict
from handgrad.subjects.function.calling import Code
from handgrad.subjects.function.case import Case, Kind, Tried, try_case
from handgrad.subjects.function.reference import Reference
from handgrad.subjects.function.signatures import axes_named, signature
from handgrad.subjects.function.sizes import shape_words

Inputs = Mapping[str, Any]
AXIS = re.compile(r"[a-z_]\w*|\d+")  # "n" or "3"; "Array" is a class
ONE_ROW = "right for the single row given, wrong for more, which forward takes; give more rows if they are meant"


def try_leading_axis(code: Code, reference: Reference, found: Judgement, rng: np.random.Generator) -> list[str]:
    """A note where forward and its reference agree with an axis more in front, and backward does not.

    The axis is put before the first input, and before all of them. Code for the ranks that were given is right. Where a
    type hint names the axes of the first input, no more of them are meant.
    """
    if says_its_axes(code, found):
        return []
    for inputs in with_axis(found):
        tried = try_case(
            code, reference, Case("leading axis", inputs, Kind.SPECIAL), rng, found.trial.slack, name_it=False
        )
        if not agrees_forward(tried):
            continue
        wrong = list_wrong(tried)
        if wrong or tried.error is not None:
            shapes = shape_words({n: tuple(np.shape(v)) for n, v in inputs.items()})
            words = f"judged for these ranks only: forward takes {shapes} as well, where "
            raises = tried.error is not None
            return [f"{words}backward raises" if raises else Grave(f"{words}{', '.join(wrong)} would be wrong")]
    return []


def says_its_axes(code: Code, found: Judgement) -> bool:
    """Whether the first input's type hint is a shape with as many axes as it has: "n d", and not "... d"."""
    name, array = next(iter(found.trial.exact.items()))
    taken = attempt(signature, code.forward).value
    words = axes_named(taken.parameters[name]) if taken is not None and name in taken.parameters else []
    return len(words) == array.ndim and all(AXIS.fullmatch(word) for word in words)


def try_more_rows(code: Code, reference: Reference, found: Judgement, rng: np.random.Generator) -> Tried | None:
    """Where the first input has a single row: the code at three rows, UNRESOLVED if it is wrong there.

    From one row it cannot be told whether more are meant, so neither CERTIFIED nor REFUTED would be true. Other inputs
    of a single row may belong to it, or be the same for every row: code that is right either way is right.
    """
    tried = []
    for inputs in with_rows(found):
        name = f"three rows: {shape_words({n: tuple(np.shape(v)) for n, v in inputs.items()})}"
        case = Case(name, inputs, Kind.SIZES)
        tried.append(try_case(code, reference, case, rng, found.trial.slack, name_it=False))
    taken = [t for t in tried if agrees_forward(t)]
    if not taken or not all(list_wrong(t) or t.error for t in taken):
        return None
    return leave_open(taken[0])


def leave_open(tried: Tried) -> Tried:
    """What is wrong there as UNRESOLVED."""
    assert tried.row is not None
    tensors = tuple(
        t if t.verdict is Verdict.CERTIFIED else replace(t, verdict=Verdict.UNRESOLVED, reason=ONE_ROW)
        for t in tried.row.isolated.tensors
    )
    row = replace(tried.row, isolated=StageReport(tried.case.name, tensors))
    return replace(tried, row=row, judgement=None, error=None)


def agrees_forward(tried: Tried) -> bool:
    """Whether forward took the inputs and is the same function as its reference there."""
    return tried.row is not None and not (
        tried.row.isolated.tensors[0].name == "y" and tried.row.isolated.tensors[0].verdict is Verdict.REFUTED
    )


def list_wrong(tried: Tried) -> list[str]:
    """The names of the wrong tensors."""
    return [t.name for t in tried.row.isolated.tensors if t.verdict is Verdict.REFUTED] if tried.row else []


def with_axis(found: Judgement) -> Iterator[Inputs]:
    """The inputs of the first case with an axis more before the first of them, and before all."""
    inputs, exact = found.trial.inputs, found.trial.exact
    first = next(iter(inputs))
    longer = {n: like(np.stack([a, a[..., ::-1] if a.ndim else a]), inputs[n]) for n, a in exact.items()}
    yield {**inputs, first: longer[first]}
    if len(inputs) > 1:
        yield longer


def with_rows(found: Judgement) -> Iterator[Inputs]:
    """The inputs of the first case with three rows in the first of them, if it has one, and in all that have one."""
    inputs, exact = found.trial.inputs, found.trial.exact
    single = [n for n, a in exact.items() if a.shape[:1] == (1,)]
    rows = {n: like(np.concatenate([exact[n], -exact[n] / 2, 2 * exact[n]]), inputs[n]) for n in single}
    if (first := next(iter(inputs))) in rows:
        yield {**inputs, first: rows[first]}
        if len(rows) > 1:
            yield {**inputs, **rows}
