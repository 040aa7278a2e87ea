"""What somebody's backward pass does besides being right: it must spoil nothing that other code still needs."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from handgrad.arrays.arithmetic import Arithmetic
from handgrad.arrays.base import refusal
from handgrad.arrays.precision import dtype_name, like, to64
from handgrad.judge.ball_bound import Evidence
from handgrad.judge.contracts import (
    Contract,
    cache_unchanged,
    contents,
    dtype_and_device,
    finite_when_saturated,
    gradients,
    inputs_unchanged,
    no_aliases,
    no_stale_cache,
    repeatable,
    zero_to_zero,
)
from handgrad.judge.isolation import duplicate, quiet
from handgrad.judge.noise_bound import ROUNDINGS
from handgrad.judge.stage import Arrays, Stage
from handgrad.judge.verdict import Verdict
from handgrad.subjects.function.calling import Code, Outputs, call_word
from handgrad.subjects.function.case import Case, Judged, as_stage, judge
from handgrad.subjects.function.reference import Reference

SAME, ELSEWHERE = "the same every time", "right at other inputs of the same shapes"
KEEPS = "keeps state between calls"
MET = f"{KEEPS}: not every contract could be checked, for arrays of the judge's came back"
FACTORS = {"-1": -1.0, "2^20": 2.0**20, "2^-20": 2.0**-20}  # beyond any clipping, and yet far from overflow


def offences(
    code: Code, reference: Reference, case: Case, judged: Judged, rng: np.random.Generator, slack: float
) -> tuple[tuple[Contract, ...], list[str]]:
    """The contracts whose breach refutes code, its values right or not, and what is only worth knowing in words.

    Never raises: a check that the code stops counts as not made. Gradients that share memory with dy, last bits that
    vary from run to run, and another precision than the inputs' are no mistakes by themselves. Code whose state is all
    in the object it belongs to has no cache of its own to be stale.
    """
    inputs, dy, evidence, again = case.inputs, judged.dy, judged.evidence, judged.again
    stage = as_stage(case.name, code, reference, tuple(evidence))
    varying = [n for n, e in evidence.items() if n not in again or outside(again[n], e)]
    if varying:
        return (Contract(SAME, False, f"{KEEPS}, or is random: another run gives a wrong {', '.join(varying)}"),), []

    def forward(inputs: Arrays) -> tuple[Any, Any]:
        return code.run_forward(code.arguments(inputs))

    def backward(cache: Any, inputs: Arrays, dy: Any) -> Outputs:
        return code.run_backward(code.arguments(inputs), evidence["y"].reference, cache, dy)

    def once() -> dict[str, Any]:
        return {n: v for n, v in stage.hand(duplicate(inputs), duplicate(dy)).items() if hasattr(v, "dtype")}

    strict = [
        Contract(SAME, True),
        made(lambda: all_unchanged(code, stage, inputs, dy)),
        made(lambda: zero_to_zero(stage, inputs, dy)),
        made(lambda: linear(stage, inputs, dy, evidence)),
    ]
    steady = made(lambda: repeatable(stage, inputs, dy, stage.hand(duplicate(inputs), duplicate(dy))))
    loose = [
        steady,
        made(lambda: no_aliases(stage, inputs, dy)),
        made(lambda: dtype_and_device(once(), inputs, dy)),
        made(lambda: finite_when_saturated(stage, inputs, dy, rng)),
    ]
    if steady.held and made(lambda: own_cache(code, inputs)).held:
        split = (forward, backward)
        strict.append(made(lambda: cache_unchanged(split, inputs, dy)))
        strict.append(made(lambda: stale(lambda: no_stale_cache(split, inputs, dy, rng))))
    wrong = judged.row is None or judged.row.isolated.verdict is Verdict.REFUTED
    if not wrong and all(c.held is not False for c in strict):
        strict.append(made(lambda: right_elsewhere(code, reference, case, rng, slack)))
    notes = [f"{c.name}: no, {c.detail}" for c in loose if c.held is False]
    notes += [MET for c in (*strict, *loose) if c.detail == MET]
    return tuple(c for c in strict if c.held is not None), notes


def made(check: Callable[[], Contract]) -> Contract:
    """The check, or that it could not be made."""
    try:
        with quiet():
            return check()
    except Exception as error:  # the code may refuse the numbers of a check, or meet what an earlier run has left
        return Contract("", None, MET if refusal(error) else f"{type(error).__name__}: {error}")


def own_cache(code: Code, inputs: Arrays) -> Contract:
    """Whether backward is given a cache or the inputs, and does not rely on what its object keeps."""
    _y, cache = code.run_forward(code.arguments(duplicate(inputs)))
    return Contract("", call_word(code, bool(cache)) != "state")


def all_unchanged(code: Code, stage: Stage, inputs: Arrays, dy: Any) -> Contract:
    """Inputs and dy by the stage; the constants, of which every run has its own, by one run here."""
    found = inputs_unchanged(stage, inputs, dy)
    args = code.arguments(duplicate(inputs))
    before = [contents(arg) for arg in args]
    y, cache = code.run_forward(args)
    code.run_backward(args, y, cache, duplicate(dy))
    changed = [n for n, a, b in zip(code.names, args, before, strict=True) if n in code.constants and contents(a) != b]
    if not changed:
        return found
    return replace(found, held=False, detail=f"{found.detail or 'overwritten:'} {', '.join(changed)}")


def linear(stage: Stage, inputs: Arrays, dy: Any, evidence: Mapping[str, Evidence]) -> Contract:
    """-dy, 2^20 dy and 2^-20 dy give that many times the gradient, within its bound: nothing masks or clips by dy."""
    name, dtype = "linear in the upstream gradient", dtype_name(dy)
    for word, factor in FACTORS.items():
        if dtype == "float16" and factor > 0:
            continue  # which ends at 65504 and at 6e-5
        tiny = ROUNDINGS * Arithmetic.of(dtype).tiny / abs(factor)
        for key, value in gradients(stage.hand(duplicate(inputs), like(factor * to64(dy), dy))).items():
            e = replace(evidence[key], bound=evidence[key].bound + tiny)
            if np.isfinite(value).all() and outside(value / factor, e):
                return Contract(name, False, f"{key} for {word} dy is not {word} times {key}")
    return Contract(name, True)


def outside(value: Any, e: Evidence) -> bool:
    """Whether a result is not what the judged run gave, within the bound of that run; that run may be wrong itself."""
    again = to64(value)
    if again.shape != e.hand.shape:
        return True
    if again.shape != e.reference.shape:
        return False  # wrong in itself, and no bound is its own
    good = (np.abs(e.hand - e.reference) <= e.bound) | ~np.isfinite(e.bound)
    apart = np.abs(again - np.where(good, e.reference, e.hand))
    return bool((~(apart <= np.where(good, 1, 2) * e.bound) & (again != e.hand) & ~np.isnan(e.hand)).any())


def stale(check: Any) -> Contract:
    """The check of the cache; code that keeps something outside it may raise as well as be wrong."""
    try:
        result: Contract = check()
    except Exception as error:
        detail = f"after another forward pass it raises {type(error).__name__}: something is kept outside the cache"
        return Contract("the backward pass uses its own cache", False, detail)
    return result


def right_elsewhere(code: Code, reference: Reference, case: Case, rng: np.random.Generator, slack: float) -> Contract:
    """Forward and backward at other inputs after these: what was kept from these would be wrong there.

    Broken only where all the other inputs fail: code may be right on a part of the numbers alone, of which a
    shrunken or shifted array can leave one, but hardly both.
    """
    wrong = []
    for other in others(case.inputs, rng):
        row = judge(code, reference, Case("other", other, optional=True), rng, slack).row
        if row is not None and row.isolated.verdict is not Verdict.REFUTED:
            return Contract(ELSEWHERE, True)
        wrong += [] if row is None else [t.name for t in row.isolated.tensors if t.verdict is Verdict.REFUTED]
    names = ", ".join(dict.fromkeys(wrong))
    detail = f"{KEEPS}: {names} wrong there, so something is kept from these inputs, or made for them alone"
    return Contract(ELSEWHERE, False if wrong else None, detail if wrong else "")


def others(inputs: Arrays, rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    """The inputs nearer to zero, and with their rows in another order."""
    yield {n: like(to64(v) * rng.uniform(0.5, 1), v) for n, v in inputs.items()}
    turned = {n: np.roll(to64(v), 1, axis=0) if np.ndim(v) else to64(v) for n, v in inputs.items()}
    if any(not np.array_equal(turned[n], to64(v)) for n, v in inputs.items()):
        yield {n: like(a, inputs[n]) for n, a in turned.items()}
