"""The change that makes a refuted function right: its own source, edited, tried on its own numbers, judged anew."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from handgrad.arrays.arithmetic import Arithmetic
from handgrad.arrays.on_torch.array import OnTorch, following, to_tensor
from handgrad.arrays.on_torch.copies import on_torch
from handgrad.arrays.on_torch.methods import CannotFollow
from handgrad.arrays.precision import dtype_name, like, to64
from handgrad.explain.change import Searched, search_change
from handgrad.judge.isolation import attempt, duplicate
from handgrad.judge.promises import OVERWRITES
from handgrad.mend.change import Change, Place
from handgrad.mend.constants import RIGHT, ROUNDED, ROUNDINGS, SMALL
from handgrad.mend.draw import Draw
from handgrad.mend.search import Objection
from handgrad.report.ledger import Ledger
from handgrad.report.right_value import say_right_value
from handgrad.source.clock import clock
from handgrad.source.program import Passes, Program
from handgrad.subjects.function.calling import Code
from handgrad.subjects.function.case import Tried, draw_upstream
from handgrad.subjects.function.memory import Again, mend_memory, widen_sum
from handgrad.subjects.function.other_numbers import other_numbers, read_written
from handgrad.subjects.function.outputs import find_outputs
from handgrad.subjects.function.reference import Reference, as_tensor
from handgrad.subjects.function.telling_lines import find_telling_line
from handgrad.subjects.function.through_autograd import program_of, with_passes
from handgrad.subjects.function.tries import first_wrong
from handgrad.subjects.function.variants import Variant, other_sizes, resized, smaller


def find_place(
    code: Code,
    reference: Reference,
    tried: Sequence[Tried],
    broken: set[str],
    again: Again,
    keep_ledger: Callable[..., Ledger],
    seconds: float,
    seed: int,
) -> Searched:
    """The change that makes wrong code right and breaks no more; else the line that is wrong, by the search, or by the
    ledger where the search knows none and there is time left. Without either, what is known in words.

    Of another function the gradients are others: where the forward passes differ, the ledger blames no line.
    """
    deadline = clock() + seconds

    def judge(changed: Code) -> Objection | None:
        wrong, now = again(changed)
        return wrong or (Objection(", ".join(sorted(now - broken))) if now - broken else None)

    found, note = find_change(code, reference, tried, judge, seconds, seed)
    known, judged = "", next((t for t in tried if t.judgement is not None), None)
    if not isinstance(found, Change) and judged is not None and broken & set(OVERWRITES) and clock() < deadline:
        found = mend_memory(code, reference, judged, broken, again, deadline - clock()) or found
    if not (isinstance(found, Change) or says_why(found) or forward_differs(tried)) and clock() < deadline:
        ledger = keep_ledger(deadline=deadline)
        found, known = say_value(found or ledger.suspect, ledger), ledger.summary
    found = (
        found
        or find_telling_line(code, tried)
        or widen_sum(code, reference, tried, lambda changed: judge(changed) is None, deadline)
    )
    return Searched(found, "" if isinstance(found, Change) else "; ".join(filter(None, ["" if found else known, note])))


def says_why(place: Place | None) -> bool:
    """Whether it is said of a line what is wrong with it."""
    return place is not None and bool(place.words or place.breaks)


def say_value(place: Place | None, ledger: Ledger) -> Place | None:
    """The line with what its value should be, if it is the wrong one of the ledger."""
    row = ledger.culprit
    if place is None or row is None or (row.file, row.line) != (place.file, place.line):
        return place
    return replace(place, words=say_right_value(row))


def forward_differs(tried: Sequence[Tried]) -> bool:
    """Whether y is wrong where something is wrong first."""
    wrong = first_wrong(tried)
    return wrong is not None and wrong.judgement is None and wrong.error is None


def find_change(
    code: Code,
    reference: Reference,
    tried: Sequence[Tried],
    judge: Callable[[Code], Objection | None],
    seconds: float,
    seed: int,
) -> Searched:
    """The smallest change with which the judge certifies the code; else the line that is wrong, if only one can be.

    Nothing where there is no source, or where it does more than compute.
    """
    deadline = clock() + seconds
    program = program_of(code)
    wrong = first_wrong(tried)
    if program is None or wrong is None:
        return Searched()
    draws = make_draws(code, reference, program, wrong, np.random.default_rng(seed))
    left = deadline - clock()
    return search_change(program, draws, lambda passes: judge(with_passes(code, passes)), left)


def make_draws(
    code: Code, reference: Reference, program: Program, wrong: Tried, rng: np.random.Generator
) -> list[Draw]:
    """The inputs of the wrong case, and others; in float64 if the code is wrong there as well.

    The others are other numbers, other sizes and other constants, as far as the code was made for them: where what is
    right on the first is right as well, and what has its shape there has its shape.
    """
    exact = {n: to64(v) for n, v in wrong.case.inputs.items()}
    own = next(iter(wrong.case.inputs.values()))
    first = Variant(code, reference, exact)
    for model in ([double(own)] if dtype_name(own) != "float64" else []) + [own]:
        draw = make_draw(first, model, rng)
        given = None if draw is None else draw.outputs(program.passes)
        if draw is None or not (known := draw.wrong(given)):
            continue
        draws, shaped, raised = [draw], draw.has_shapes(given), False
        if (small := make_small(first, program, model, known, rng)) is not None:
            draws.insert(0, small)
        for variant in variants(first, program, model, draw, rng):
            other = make_draw(variant, model, rng)
            outputs = None if other is None else other.outputs(program.made({}))
            if other is None or largest_of(other) <= ROUNDED * largest_of(draw):
                continue  # of a norm of one entry rounding is all there is
            others = {n: np.shape(a) for n, a in variant.inputs.items()} != {n: np.shape(a) for n, a in exact.items()}
            if outputs is None:
                draws.append(replace(other, may_raise=given is not None))
                raised |= others
            elif raised and others:
                continue  # forward takes sizes that the code was not made for
            elif other.wrong(outputs) <= known and other.has_shapes(outputs) is shaped:
                draws.append(other)
        return draws
    return []


def largest_of(draw: Draw) -> float:
    """The largest entry of all right gradients."""
    return max(float(np.max(np.abs(v), initial=0.0)) for name, v in draw.right.items() if name != "y")


def make_small(
    first: Variant, program: Program, model: Any, known: frozenset[str], rng: np.random.Generator
) -> Draw | None:
    """The same with so few numbers that they can be asked for one by one, and all that is wrong still wrong."""

    def drawn(variant: Variant) -> Draw | None:
        draw = make_draw(variant, model, rng)
        return None if draw is None or draw.wrong(draw.outputs(program.made({}))) != known else draw

    found = smaller(first, lambda: with_passes(first.code, program.made({})), model, lambda v: drawn(v) is not None)
    return None if found is None else drawn(found)


def variants(first: Variant, program: Program, model: Any, draw: Draw, rng: np.random.Generator) -> Iterator[Variant]:
    """Other entries, other sizes, other numbers beside them."""
    moving = [n for n in first.inputs if f"d{n}" in draw.right and draw.right[f"d{n}"].any()]
    forward = getattr(first.code.forward, "__func__", first.code.forward)
    backward = getattr(first.code.backward, "__func__", first.code.backward)
    trees = {part.source.function: part.source.tree for part in program.parts}
    written = read_written(
        [tree for function, tree in trees.items() if function is not backward],
        [tree for function, tree in trees.items() if function is not forward],
    )

    def fresh() -> Code:
        return with_passes(first.code, program.made({}))

    yield from (resized(first, {}, moving, rng) for _ in range(2))
    yield from other_sizes(first, fresh, model, moving, rng)
    yield from other_numbers(resized(first, {}, moving, rng), fresh, model, written)


def double(array: Any) -> Any:
    """One number of float64 in the library of the array."""
    return array.double().flatten()[:1] if hasattr(array, "double") else np.zeros(1)


def make_draw(variant: Variant, model: Any, rng: np.random.Generator) -> Draw | None:
    """None where the reference refuses these numbers, or its gradients are not finite."""
    code, reference = variant.code, variant.reference
    inputs = {n: like(a, model) for n, a in variant.inputs.items()}
    rounded = {n: to64(a) for n, a in inputs.items()}
    y = attempt(reference.value, rounded).value
    if y is None:
        return None
    dy = like(draw_upstream(rng, y.shape), model)
    right = attempt(reference.gradients, rounded, to64(dy)).value
    if right is None or not all(np.isfinite(v).all() for v in right.values()):
        return None
    right = {n: v for n, v in right.items() if n[1:] not in code.detached}
    room = max(RIGHT, ROUNDINGS * Arithmetic.of(dtype_name(model)).u)
    largest = max(np.max(np.abs(v), initial=0.0) for v in right.values())
    bound = {n: np.full(v.shape, room * max(np.max(np.abs(v), initial=0.0), SMALL * largest)) for n, v in right.items()}

    def run(passes: Passes) -> dict[str, Any]:
        own = variant.with_numbers(with_passes(code, passes))
        args = [duplicate(a) for a in own.arguments(inputs)]
        ran = own.run_forward(args)
        found = {"y": duplicate(ran.y)}
        return completed(found | own.run_backward(args, ran.outputs, ran.cache, duplicate(dy)), right)

    def follow(passes: Passes) -> dict[str, torch.Tensor]:
        with following():
            return completed(run_followed(code, passes, rounded, to64(dy), model), right)

    return Draw(run, follow, to64(dy), right, bound, dtype_name(model) == "float64")


def completed(found: Mapping[str, Any], right: Mapping[str, Any]) -> dict[str, Any]:
    """What is asked for of the results; where right is zero throughout, backward may give None for it."""
    zeros = {n: torch.zeros(S.shape, dtype=torch.float64) for n, S in right.items() if not S.any()}
    return {n: found.get(n, zeros.get(n)) for n in right if n in found or n in zeros}


def run_followed(code: Code, passes: Passes, inputs: Mapping[str, Any], dy: Any, model: Any) -> dict[str, torch.Tensor]:
    """{"y": ..., "dx": ...} of the passes as float64 tensors. Raises where autograd cannot follow them."""
    if code.graph is not None:
        leaves = {n: torch.tensor(a, requires_grad=True) for n, a in inputs.items()}
        y, _outputs = find_outputs(code.call(passes.forward, code.arguments(leaves)))
        grads = torch.autograd.grad(y, list(leaves.values()), torch.as_tensor(dy), create_graph=True, allow_unused=True)
        return {"y": y} | {f"d{n}": g for n, g in zip(leaves, grads, strict=True) if g is not None}
    array_of: Callable[[Any], Any]
    if isinstance(model, torch.Tensor):
        own, array_of = with_passes(code, passes), as_tensor
    elif isinstance(model, np.ndarray | np.generic):
        own, array_of = with_passes(code, on_torch(passes)), lambda a: OnTorch(as_tensor(a))
    else:
        raise CannotFollow(f"{type(model).__name__} is no array of NumPy or torch")
    args = own.arguments({n: array_of(a) for n, a in inputs.items()})
    ran = own.run_forward(args)
    found = own.run_backward(args, ran.outputs, ran.cache, array_of(dy))
    return {n: tensor_of(v) for n, v in {"y": ran.y, **found}.items()}


def tensor_of(value: Any) -> torch.Tensor:
    """A result as a tensor; of one that autograd did not follow, its numbers."""
    found = to_tensor(value)
    return found if isinstance(found, torch.Tensor) else torch.as_tensor(np.asarray(found, float))
