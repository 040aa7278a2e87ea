"""Torch code where some inputs need no gradient, as in fine-tuning: the others must stay right."""

from collections.abc import Iterator
from dataclasses import replace

from handgrad.judge.contracts import outside
from handgrad.judge.isolation import attempt, duplicate
from handgrad.judge.judgement import Judgement
from handgrad.judge.promises import Contract, Promise
from handgrad.subjects.function.calling import Code
from handgrad.subjects.function.case import run
from handgrad.subjects.function.reference import Reference, as_tensor
from handgrad.subjects.function.returned import WrongReturn
from handgrad.subjects.function.through_autograd import by_autograd


def right_when_frozen(code: Code, reference: Reference, found: Judgement) -> Contract:
    """Each input alone requiring a gradient, and each alone frozen: nothing else changes beyond its rounding."""
    for frozen in list_frozen(code.variables):
        if words := problem(code, reference, found, frozen):
            return Contract(
                Promise.FROZEN, False, f"where {', '.join(frozen)} need{'s' * (len(frozen) == 1)} no gradient, {words}"
            )
    return Contract(Promise.FROZEN, True)


def list_frozen(names: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Each name alone, and all but each; never all of them."""
    found = [(n,) for n in names] + [tuple(m for m in names if m != n) for n in names]
    yield from (frozen for frozen in dict.fromkeys(found) if 0 < len(frozen) < len(names))


def problem(code: Code, reference: Reference, found: Judgement, frozen: tuple[str, ...]) -> str:
    """In words: what is wrong with these inputs frozen. Empty if nothing is, or if the reference fails there too."""
    assert code.graph is not None
    trial = found.trial
    inputs = {n: v for n, v in trial.inputs.items() if n not in frozen}
    needed = [name for name in found.evidence if name in trial.hand and name[1:] not in frozen]
    constants = {**code.constants, **{n: trial.inputs[n] for n in frozen}}
    got, error, _ = run(by_autograd(replace(code, constants=constants), code.graph), inputs, trial.dy)
    if error is not None:
        if isinstance(error, WrongReturn) and needed == ["y"]:
            return ""  # what is left has no gradient at all
        fixed = {**reference.constants, **{n: as_tensor(trial.exact[n], reference.device) for n in frozen}}
        theirs = replace(reference, constants=fixed)
        refuses = attempt(theirs.gradients, {n: trial.exact[n] for n in inputs}, duplicate(trial.dy64)).error
        return "" if refuses is not None else f"it raises {type(error).__name__}: {error}"
    absent = [name for name in needed if name not in got]
    wrong = [name for name in needed if name in got and outside(got[name], found.evidence[name])]
    words = [f"{', '.join(names)} is {what}" for names, what in ((absent, "absent (None)"), (wrong, "wrong")) if names]
    return " and ".join(words)
