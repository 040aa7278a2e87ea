"""The change that makes a refuted function right: its own source, edited, tried on its own numbers, judged anew."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from handgrad.arrays.arithmetic import Arithmetic
from handgrad.arrays.precision import dtype_name, like, to64
from handgrad.judge.isolation import attempt, duplicate
from handgrad.judge.verdict import Verdict
from handgrad.mend.change import Change, Place
from handgrad.mend.draw import Draw
from handgrad.mend.find import search_change
from handgrad.source.program import Passes, Program, read_program
from handgrad.subjects.function.calling import Code, by_autograd
from handgrad.subjects.function.case import Tried, draw_upstream
from handgrad.subjects.function.reference import Reference

RIGHT = 1e-8  # of a tensor's largest entry: near enough to be judged


def find_change(
    code: Code,
    reference: Reference,
    tried: Sequence[Tried],
    certifies: Callable[[Code], bool],
    seconds: float,
    seed: int,
) -> Change | Place | None:
    """The smallest change with which the judge certifies the code; else the line that is wrong, if only one can be.

    None where there is no source, where it does more than compute, or where nothing is found in time.
    """
    program = read_program(code.graph or code.forward, None if code.graph else code.backward)
    wrong = next((t for t in tried if t.row is not None and t.row.isolated.verdict is not Verdict.CERTIFIED), None)
    if program is None or wrong is None or is_own(program):
        return None
    draws = make_draws(code, reference, program, wrong, np.random.default_rng(seed))
    return search_change(program, draws, lambda passes: certifies(with_passes(code, passes)), seconds)


def is_own(program: Program) -> bool:
    """Whether it is the judge's own code that stands around somebody's (a module's call)."""
    return any(part.source.function.__module__.startswith("handgrad.") for part in program.parts)


def with_passes(code: Code, passes: Passes) -> Code:
    """The same call of other passes."""
    if code.graph is None:
        return replace(code, forward=passes.forward, backward=passes.backward)
    made = by_autograd(passes.forward, code.names, code.constants)
    return replace(code, forward=made.forward, backward=made.backward, graph=made.graph)


def make_draws(
    code: Code, reference: Reference, program: Program, wrong: Tried, rng: np.random.Generator
) -> list[Draw]:
    """The inputs of the wrong case, and two more like them; in float64 if the code is wrong there as well."""
    exact = {n: to64(v) for n, v in wrong.case.inputs.items()}
    moved = [{n: a * rng.uniform(0.5, 1.2, a.shape) for n, a in exact.items()} for _ in range(2)]
    own = next(iter(wrong.case.inputs.values()))
    for model in ([double(own)] if dtype_name(own) != "float64" else []) + [own]:
        draws = [d for e in (exact, *moved) if (d := make_draw(code, reference, e, model, rng)) is not None]
        if draws and draws[0].wrong(draws[0].outputs(program.passes)):
            return draws
    return []


def double(array: Any) -> Any:
    """One number of float64 in the library of the array."""
    return array.double().flatten()[:1] if hasattr(array, "double") else np.zeros(1)


def make_draw(
    code: Code, reference: Reference, exact: Mapping[str, Any], model: Any, rng: np.random.Generator
) -> Draw | None:
    """None where the reference refuses these numbers, or its gradients are not finite."""
    inputs = {n: like(a, model) for n, a in exact.items()}
    rounded = {n: to64(a) for n, a in inputs.items()}
    y = attempt(reference.value, rounded).value
    if y is None:
        return None
    dy = like(draw_upstream(rng, y.shape), model)
    right = attempt(reference.gradients, rounded, to64(dy)).value
    if right is None or not all(np.isfinite(v).all() for v in right.values()):
        return None
    room = max(RIGHT, 64 * Arithmetic.of(dtype_name(model)).u)
    bound = {n: np.full(v.shape, room * np.max(np.abs(v), initial=0.0)) for n, v in right.items()}

    def run(passes: Passes) -> dict[str, Any]:
        own = with_passes(code, passes)
        args = [duplicate(a) for a in own.arguments(inputs)]
        y, cache = own.run_forward(args)
        found = {"y": duplicate(y)}
        return found | own.run_backward(args, np.shape(y), cache, duplicate(dy))

    return Draw(run, right, bound, dtype_name(model) == "float64")
