"""Side effects: inputs, caches and state must survive a backward pass, and it must be one function of its inputs."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from handgrad.arrays.base import refusal
from handgrad.judge.contracts import (
    cache_unchanged,
    dtype_and_device,
    finite_when_saturated,
    linear_within,
    list_overwritten,
    no_aliases,
    repeatable,
    results_stay,
    unchanged,
    zero_to_zero,
)
from handgrad.judge.isolation import attempt, contents, duplicate, leaves
from handgrad.judge.promises import Contract, Promise
from handgrad.judge.stage import Arrays
from handgrad.judge.trial import Trial
from handgrad.judge.verdict import Verdict
from handgrad.subjects.function.calling import Code
from handgrad.subjects.function.case import Tried, function_stage
from handgrad.subjects.function.elsewhere import KEEPS, keeps_own_cache, other_inputs, try_elsewhere
from handgrad.subjects.function.layouts import takes_any_layout
from handgrad.subjects.function.reference import Reference
from handgrad.subjects.function.spread import describe_spread, list_varying, repeat
from handgrad.subjects.function.torch_promises import list_torch_checks
from handgrad.subjects.function.ways import Way
from handgrad.subjects.torch_function.in_place import name_the_mark
from handgrad.subjects.torch_function.registration import is_operator

MET = f"{KEEPS}: not every contract could be checked, for arrays of the judge's came back"
KEEPS_STATE = (Promise.SAME, Promise.ELSEWHERE)  # if one is broken, what this case left behind would spoil the next


@dataclass(frozen=True)
class Side:
    """The contracts that refute code if broken, even if its values are right, and notes that are only worth knowing.

    wrong: other inputs at which the values are wrong.
    """

    contracts: tuple[Contract, ...]
    notes: tuple[str, ...] = ()
    wrong: Tried | None = None


def check_side_effects(code: Code, reference: Reference, tried: Tried, rng: np.random.Generator) -> Side:
    """Never raises: if the code stops a check with an error, the check counts as not made.

    Gradients that share memory with dy, last bits that vary from run to run, and another precision than the inputs' are
    no mistakes by themselves. Code that keeps all its state in its object has no cache that could be stale.
    """
    case, found = tried.case, tried.judgement
    assert found is not None
    judged = found.trial
    runs = repeat(code, found)
    if varying := list_varying(runs, found):
        detail = f"{KEEPS}, or is random: another run gives a wrong {', '.join(varying)}"
        return Side((Contract(Promise.SAME, False, detail),))
    stage = function_stage(case.name, code, reference, isolated=False)
    trial = Trial(stage, case.inputs, judged.dy, judged.slack)
    changed = attempt(list_changed, code, trial).value
    strict = [
        Check(Contract(Promise.SAME, True)),
        check(lambda: inputs_survive(code, trial)),
        check(lambda: results_stay(trial)),
        check(lambda: zero_to_zero(trial)),
        check(lambda: takes_any_layout(code, trial, found, reference, changed or ())),
    ]
    if not code.not_linear:
        strict.append(check(lambda: linear_within(trial, found)))
    steady = check(lambda: repeatable(trial))
    loose = [
        steady,
        check(lambda: no_aliases(trial)),
        check(lambda: dtype_and_device(trial)),
        check(lambda: finite_when_saturated(trial, rng)),
    ]
    if code.graph is not None:
        strict += [check(make) for make in list_torch_checks(code, reference, trial, found)]
    if steady.contract.held and attempt(has_own_cache, code, trial.inputs).value:
        if "cache" not in code.may_overwrite and code.graph is None:
            strict.append(check(lambda: cache_unchanged(trial)))
        strict.append(check(lambda: keeps_own_cache(trial, other_inputs(judged))))
    wrong = None
    if found.verdict is not Verdict.REFUTED and all(c.contract.held is not False for c in strict):
        elsewhere, wrong = try_elsewhere(code, reference, found, rng)
        strict.append(Check(elsewhere))
    notes = [f"{c.contract.name}: no, {c.contract.detail}" for c in loose if c.contract.held is False]
    notes += [describe_spread(runs, found)] if not judged.repeats else []
    notes += [c.contract.note for c in strict if c.contract.note]
    notes += [MET] if any(c.met for c in (*strict, *loose)) else []
    return Side(tuple(c.contract for c in strict if c.contract.held is not None), tuple(notes), wrong)


@dataclass(frozen=True)
class Check:
    """A contract; met: whether it could not be checked because the code gave back arrays of the judge's."""

    contract: Contract
    met: bool = False


def check(make: Callable[[], Contract]) -> Check:
    """The check, or that it could not be made: the code may refuse its numbers, or meet what an earlier run left."""
    found = attempt(make)
    if found.value is not None:
        return Check(found.value)
    detail = f"{type(found.error).__name__}: {found.error}"
    return Check(Contract(Promise.NOT_MADE, None, detail), met=refusal(found.error) is not None)


def has_own_cache(code: Code, inputs: Arrays) -> bool:
    """Whether backward is given a cache or the inputs, and does not rely on what its object keeps."""
    ran = code.run_forward(code.arguments(duplicate(inputs)))
    return code.way(ran) not in (Way.STATE, Way.ALONE)


def inputs_survive(code: Code, trial: Trial) -> Contract:
    """Nothing passed in is changed but what the author declares; torch code may declare it by ctx.mark_dirty."""
    kept = unchanged([n for n in list_changed(code, trial) if n not in code.may_overwrite])
    return kept if code.graph is None or is_operator(code.graph) else name_the_mark(kept)


def list_changed(code: Code, trial: Trial) -> list[str]:
    """Inputs and dy by two runs of the stage; the constants, of which every run gets a copy, by one run here.

    What is put into a dict that was given (config["running_mean"] = ...) overwrites nobody's numbers.
    """
    args = code.arguments(duplicate(trial.inputs))
    held = [tuple(leaves(arg)) for arg in args]
    before = [contents(arrays) for arrays in held]
    ran = code.run_forward(args)
    code.run_backward(args, ran.outputs, ran.cache, duplicate(trial.dy))
    each = zip(code.names, held, before, strict=True)
    changed = [name for name, arrays, old in each if name in code.constants and contents(arrays) != old]
    return list_overwritten(trial) + changed
