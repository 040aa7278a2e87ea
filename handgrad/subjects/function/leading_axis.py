"""Code that takes an axis more than it was given, or more than one row: whether it holds there is worth a word."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from handgrad.arrays.precision import like
from handgrad.judge.judgement import Judgement
from handgrad.judge.verdict import Verdict
from handgrad.subjects.function.calling import Code
from handgrad.subjects.function.case import Case, Kind, try_case
from handgrad.subjects.function.reference import Reference
from handgrad.subjects.function.sizes import shape_words


def try_leading_axis(code: Code, reference: Reference, found: Judgement, rng: np.random.Generator) -> list[str]:
    """A note where forward and its reference agree with an axis more in front, and backward does not.

    The axis is put before the first input, and before all of them; if the first input has a single row, it also gets
    more of them. Code for the ranks and the single row that were given is right.
    """
    more = [("one row", i) for i in with_rows(found)] + [("these ranks", i) for i in with_axis(found)]
    for judged_for, inputs in more:
        case = Case("leading axis", inputs, Kind.SPECIAL)
        tried = try_case(code, reference, case, rng, found.trial.slack, name_it=False)
        if tried.row is None or tried.row.isolated.tensors[0].verdict is Verdict.REFUTED:
            continue  # forward refuses, or is another function there
        wrong = [t.name for t in tried.row.isolated.tensors if t.verdict is Verdict.REFUTED]
        raises = tried.error is not None
        if wrong or raises:
            shapes = shape_words({n: tuple(np.shape(v)) for n, v in inputs.items()})
            what = "backward raises" if raises else f"{', '.join(wrong)} would be wrong"
            return [f"judged for {judged_for} only: forward takes {shapes} as well, where {what}"]
    return []


def with_axis(found: Judgement) -> Iterator[Mapping[str, Any]]:
    """The inputs of the first case with an axis more before the first of them, and before all."""
    inputs, exact = found.trial.inputs, found.trial.exact
    first = next(iter(inputs))
    longer = {n: like(np.stack([a, a[..., ::-1] if a.ndim else a]), inputs[n]) for n, a in exact.items()}
    yield {**inputs, first: longer[first]}
    if len(inputs) > 1:
        yield longer


def with_rows(found: Judgement) -> Iterator[Mapping[str, Any]]:
    """The inputs of the first case with three rows in the first of them, where it has one."""
    inputs, exact = found.trial.inputs, found.trial.exact
    first = next(iter(inputs))
    if exact[first].shape[:1] == (1,):
        yield {
            **inputs,
            first: like(np.concatenate([exact[first], -exact[first] / 2, 2 * exact[first]]), inputs[first]),
        }
