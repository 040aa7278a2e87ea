"""Lines that tell by themselves that they are wrong: None for a gradient that is not zero, the first nan."""

import ast
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from handgrad.judge.isolation import attempt, duplicate
from handgrad.judge.judgement import Judgement
from handgrad.judge.trial import Trial
from handgrad.judge.verdict import Verdict
from handgrad.mend.change import Place, describe_place
from handgrad.source.program import Program
from handgrad.source.safely import only_computes, safely
from handgrad.source.steps import Notes, Step, Steps
from handgrad.subjects.function.calling import Code
from handgrad.subjects.function.case import Tried
from handgrad.subjects.function.through_autograd import program_of, with_passes


def find_telling_line(code: Code, tried: Sequence[Tried]) -> Place | None:
    """None where there is no source, or no such line."""
    program = program_of(code)
    if program is None:
        return None
    return find_none(program, code, tried) or find_nan(program, code, tried)


def find_none(program: Program, code: Code, tried: Sequence[Tried]) -> Place | None:
    """The line that returns None for the one gradient that is wrong; None where it is another line, or several."""
    judged = [t for one in tried if one.row is not None for t in one.row.isolated.tensors]
    wrong = {t.name for t in judged if t.verdict is not Verdict.CERTIFIED}
    order, part = [f"d{name}" for name in code.names], program.parts[0]
    returned = [n.value for n in ast.walk(part.source.tree) if isinstance(n, ast.Return)]
    if len(wrong) != 1 or len(returned) != 1 or not isinstance(returned[0], ast.Tuple):
        return None
    name, items = wrong.pop(), returned[0].elts
    item = items[order.index(name)] if name in order and len(items) == len(order) else None
    if not isinstance(item, ast.Constant) or item.value is not None:
        return None
    return replace(describe_place(part, item.lineno), words=f"{name}: None is returned, and the gradient is not zero")


def find_nan(program: Program, code: Code, tried: Sequence[Tried]) -> Place | None:
    """The line of the backward pass that gives the first nan, where a gradient is not finite and should be."""
    first = next((one for one in tried if one.judgement is not None and loses_numbers(one.judgement)), None)
    if first is None or first.judgement is None or not only_computes(program):
        return None
    step = first_nan(program, code, first.judgement.trial)
    words = f"at {first.case.name} this line gives nan, and no value before it is nan"
    return None if step is None else replace(describe_place(step.part, step.line), breaks=words)


def loses_numbers(found: Judgement) -> bool:
    """Whether it is refuted, and an entry is not finite where the reference's is."""
    pairs = [(e.hand, e.reference) for e in found.evidence.values() if e.hand.shape == e.reference.shape]
    lost = any((~np.isfinite(hand) & np.isfinite(right)).any() for hand, right in pairs)
    return found.verdict is Verdict.REFUTED and lost


def first_nan(program: Program, code: Code, trial: Trial) -> Step | None:
    """The first step with a nan in it, if it is one of the backward pass: forward may hand on nan and mask it."""
    steps, notes = Steps(program), Notes(on=True)

    def run() -> None:
        own = with_passes(code, steps.passes(notes))
        args = own.arguments(duplicate(trial.inputs))
        ran = own.run_forward(args)
        own.run_backward(args, ran.outputs, ran.cache, duplicate(trial.dy))

    with safely():
        attempt(run)
    made = (steps.steps[number] for (number, _), value in notes.values.items() if np.isnan(value).any())
    step = next(made, None)
    return step if step is not None and step.part.backward else None
