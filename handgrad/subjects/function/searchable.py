"""Among what a change is looked for: the code as it was judged, or without a gradient that it does not give at all."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from handgrad.judge.isolation import attempt
from handgrad.judge.rules import NOT_GIVEN
from handgrad.subjects.function.calling import Code
from handgrad.subjects.function.case import Tried
from handgrad.subjects.function.reference import Reference
from handgrad.subjects.function.tries import any_refuted, any_wrong, try_models


class Searchable(NamedTuple):
    """Code, reference and inputs, arrays of the libraries they may be in, and what came of judging them."""

    code: Code
    reference: Reference
    given: Mapping[str, Any]
    models: Sequence[Any]
    tried: Sequence[Tried]


def without_left_out(searched: Searchable, seed: int, slack: float) -> Searchable:
    """The same with inputs that backward leaves out as data: a loss that gives gradients of its parameters alone.

    Only where another gradient is wrong. No change could be right as long as one is missing on purpose.
    """
    code, tried = searched.code, searched.tried
    rows = [t.row for t in tried if t.row is not None][:1]
    left = [t.name.removeprefix("d") for row in rows for t in row.isolated.tensors if t.reason == NOT_GIVEN]
    left = [name for name in left if name in code.variables]
    if not left or not any_refuted(tried) or len(left) == len(code.variables):
        return searched
    detached = (*code.detached, *left)
    code, reference = replace(code, detached=detached), replace(searched.reference, detached=detached)
    found = attempt(try_models, code, reference, searched.given, searched.models, seed, slack).value
    if found is None or not any_wrong(found.tried):
        return searched
    return Searchable(code, reference.on(found.model), searched.given, searched.models, found.tried)
