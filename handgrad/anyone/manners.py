"""What somebody's backward pass does besides being right: it must spoil nothing that other code still needs."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from handgrad.anyone.calling import Code, Outputs, call_word
from handgrad.anyone.quiet import duplicate, quiet
from handgrad.certificate import Evidence
from handgrad.contracts import (
    Contract,
    cache_unchanged,
    contents,
    inputs_unchanged,
    no_aliases,
    no_stale_cache,
    repeatable,
)
from handgrad.precision import to64
from handgrad.stage import Arrays, Stage


def offences(
    code: Code, stage: Stage, inputs: Arrays, dy: Any, evidence: Mapping[str, Evidence], rng: np.random.Generator
) -> tuple[tuple[Contract, ...], list[str]]:
    """The contracts whose breach refutes code, its values right or not, and what is only worth knowing in words.

    Gradients that share memory with dy, and last bits that vary from run to run, are no mistakes by themselves.

    Code whose state is all in the object it belongs to has no cache of its own to be stale.
    """

    def forward(inputs: Arrays) -> tuple[Any, Any]:
        return code.run_forward(code.arguments(inputs))

    def backward(cache: Any, inputs: Arrays, dy: Any) -> Outputs:
        return code.run_backward(code.arguments(inputs), evidence["y"].reference, cache, dy)

    with quiet():
        once, again = [stage.hand(duplicate(inputs), duplicate(dy)) for _ in range(2)]
        strict, loose = [all_unchanged(code, stage, inputs, dy)], [no_aliases(stage, inputs, dy)]
        wrong = [n for n, e in evidence.items() if any(outside(run[n], e) for run in (once, again))]
        if wrong:
            strict.append(Contract("the same every time", False, f"another run gives a wrong {', '.join(wrong)}"))
        steady = repeatable(stage, inputs, dy, once)
        loose.append(steady)
        _y, cache = forward(duplicate(inputs))
        if steady.held and call_word(code, bool(cache)) != "state":
            split = (forward, backward)
            strict += [cache_unchanged(split, inputs, dy), stale(lambda: no_stale_cache(split, inputs, dy, rng))]
    return tuple(strict), [f"{c.name}: no, {c.detail}" for c in loose if c.held is False]


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
