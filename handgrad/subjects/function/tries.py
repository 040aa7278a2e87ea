"""Every case of a verification tried in turn: the readings of backward, the kinds of arrays, the inputs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from handgrad.arrays.precision import to64
from handgrad.judge.isolation import attempt, duplicate
from handgrad.judge.verdict import Verdict
from handgrad.report.report import StageContracts
from handgrad.subjects.function.calling import Code
from handgrad.subjects.function.case import Case, Kind, Tried, try_case
from handgrad.subjects.function.eager import beside_eager
from handgrad.subjects.function.fewer_numbers import on_fewer_numbers
from handgrad.subjects.function.inputs import cases
from handgrad.subjects.function.leading_axis import try_leading_axis, try_more_rows
from handgrad.subjects.function.probes import try_probes
from handgrad.subjects.function.reference import Reference
from handgrad.subjects.function.remainders import without_remainders
from handgrad.subjects.function.results_alone import try_results_alone
from handgrad.subjects.function.rows import admit
from handgrad.subjects.function.side_effects import KEEPS_STATE, check_side_effects
from handgrad.subjects.function.ways import names_tell
from handgrad.subjects.torch_function.engine_errors import refused_by_engine


class TriedCases(NamedTuple):
    """Every case tried: the code as it was called, an array of the kind it got, the cases, and its contracts."""

    code: Code
    model: Any
    rng: np.random.Generator
    tried: list[Tried]
    side: tuple[StageContracts, ...]


def names_broken(side: Sequence[StageContracts]) -> set[str]:
    """The contracts that are not kept."""
    return {c.name for stage in side for c in stage.contracts if c.held is False}


def try_readings(
    code: Code, reference: Reference, given: Mapping[str, Any], models: Sequence[Any], seed: int, slack: float
) -> TriedCases:
    """Every way to call backward, until its values are right; else the one that its names tell, or the likeliest."""
    found = [try_models(code, reference, given, models, seed, slack)]
    first = found[0].tried[0]
    if code.graph is not None or not any_wrong(found[0].tried):
        return found[0]
    ran = attempt(lambda: code.run_forward(code.arguments(duplicate(first.case.inputs)))).value
    ways = [] if ran is None else code.ways(ran)
    for reading in range(1, len(ways)):
        found.append(try_models(replace(code, reading=reading), reference, given, models, seed, slack))
        if not any_wrong(found[-1].tried):
            return found[-1]
    if code.backward is not None and names_tell(code.backward, code.names):
        return found[0]
    best = next((f for f in found if f.tried[0].error is None), found[0])  # one that runs, before one that raises
    if len(ways) > 1:
        each = ", and ".join(f"({i}) {way.value}" for i, way in enumerate(ways, 1))
        words = f"backward may be meant to be called in several ways, and is wrong in each: {each}"
        best.tried[0] = replace(best.tried[0], notes=(*best.tried[0].notes, words))
    return best


def any_wrong(tried: Sequence[Tried]) -> bool:
    """Whether any case is not certified."""
    return first_wrong(tried) is not None


def first_wrong(tried: Sequence[Tried]) -> Tried | None:
    """The first case that is not certified."""
    return next((t for t in tried if t.row is not None and t.row.isolated.verdict is not Verdict.CERTIFIED), None)


def any_refuted(tried: Sequence[Tried]) -> bool:
    """Whether any case is surely wrong."""
    return any(t.row is not None and t.row.isolated.verdict is Verdict.REFUTED for t in tried)


def try_models(
    code: Code, reference: Reference, given: Mapping[str, Any], models: Sequence[Any], seed: int, slack: float
) -> TriedCases:
    """Every case on arrays like the first model that the code does not refuse; like the first if it refuses all."""

    def on(model: Any) -> TriedCases:
        rng, oracle = np.random.default_rng(seed), reference.on(model)
        return TriedCases(
            code, model, rng, *try_cases(code, oracle, cases(given, code, model, oracle, rng), rng, slack)
        )

    first = on(models[0])
    for found in chain([first], (attempt(on, model).value for model in models[1:])):
        if found is not None and not isinstance(found.tried[0].error, TypeError | AttributeError):
            return found
    return first


def try_cases(
    code: Code, reference: Reference, todo: Iterator[Case], rng: np.random.Generator, slack: float
) -> tuple[list[Tried], tuple[StageContracts, ...]]:
    """Every case in turn. Stops after the first row if it is not certified or kept what would spoil the next case.

    The contracts are checked on the first case that has a row.
    """
    tried: list[Tried] = []
    probes: list[Case] = []
    side: tuple[StageContracts, ...] = ()
    for case in todo:
        if case.probe:
            probes.append(case)
            continue
        if not tried:
            trust(reference, case)
        found = try_case(code, reference, case, rng, slack)
        found = without_remainders(code, tried[0].case, found) if tried else found
        first = all(t.row is None for t in tried)
        tried.append(found)
        if found.row is None or not first:
            continue
        if code.graph is not None and (refused := refused_by_engine(found.error, code.names)):
            return tried, (StageContracts(case.name, (refused,)),)
        if found.judgement is not None:
            fewer = on_fewer_numbers(code, reference, found, rng, slack) or (code, reference, found)
            kept = check_side_effects(*fewer, rng)
            side = (StageContracts(case.name, kept.contracts),)
            eager = beside_eager(found.judgement, reference)
            tried[-1] = replace(found, notes=(*found.notes, *admit(code, found), *eager, *kept.notes))
            if kept.wrong is not None:
                return [*tried, kept.wrong], side
        if found.row.isolated.verdict is not Verdict.CERTIFIED or keeps_state(side):
            return tried, side
        tried += try_results_alone(code, reference, found, rng, slack)
    return tried + look_further(code, reference, probes, tried, rng), side


def trust(reference: Reference, case: Case) -> None:
    """Raise ValueError where the reference is the forward pass itself, and autograd does not see all of it."""
    error = attempt(reference.check, {n: to64(a) for n, a in case.inputs.items()}).error
    if error is not None:
        raise ValueError(f"forward: {error}; {reference.advice}") from error


def look_further(
    code: Code, reference: Reference, probes: Sequence[Case], tried: Sequence[Tried], rng: np.random.Generator
) -> list[Tried]:
    """Where nothing is wrong so far: many more sizes and magnitudes, and an axis more."""
    first = next((t for t in tried if t.judgement is not None), None)
    if not probes or first is None or first.judgement is None:
        return []
    if any_wrong(tried):
        return []
    probes = [case for case in probes if first.opaque or case.kind is not Kind.BLOCK_EDGES]
    found, notes = try_probes(code, reference, probes, first.judgement, rng)
    if first.opaque:  # a kernel that is given shapes which do not belong together writes past its memory
        return [*found, Tried(first.case, None, tuple(notes))]
    notes += try_leading_axis(code, reference, first.judgement, rng)
    rows = try_more_rows(code, reference, first.judgement, rng)
    return [*found, *([rows] if rows else []), Tried(first.case, None, tuple(notes))]


def keeps_state(side: Sequence[StageContracts]) -> bool:
    """Whether something is kept from one case that would be found wrong in the next."""
    return any(c.held is False and c.name in KEEPS_STATE for stage in side for c in stage.contracts)
