"""The promises of a backward pass besides right numbers, each a check with a name.

All run the stage's own code in its own precision. Most need no tolerance: zeros, powers of two and repetitions are
exact in floating point. Where a sum is compared there is the bound of the judge, and what may underflow is left out.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from handgrad.arrays.precision import dtype_name, like, to64
from handgrad.judge.ball_bound import radii
from handgrad.judge.bound import bound
from handgrad.judge.compare import Evidence
from handgrad.judge.constants import (
    CONTRACT_NUMBERS,
    ORDINARY_VALUES,
    SATURATED,
    SUM_ROUNDING,
    UNDERFLOWS,
    UPSTREAM_FACTOR,
)
from handgrad.judge.isolation import attempt, contents, duplicate, shares_memory
from handgrad.judge.judgement import Judgement
from handgrad.judge.promises import Contract, Promise
from handgrad.judge.stage import Arrays, Outputs
from handgrad.judge.trial import Trial

FACTORS = {"-1": -1.0, "2^20": UPSTREAM_FACTOR, "2^-20": 1 / UPSTREAM_FACTOR}
ONE_FUNCTION = "forward and backward were not given as two functions"


def check_contracts(trial: Trial, rng: np.random.Generator) -> tuple[Contract, ...]:
    """Every contract of the stage on the trial's inputs and upstream gradient.

    The cache is checked only if the stage has its two passes apart. Raises what the code raises on these numbers.
    """
    shapes = same_shapes(trial)
    if not shapes.held:
        return (shapes,)
    return (
        shapes,
        dtype_and_device(trial),
        inputs_unchanged(trial),
        cache_unchanged(trial),
        no_aliases(trial),
        results_stay(trial),
        repeatable(trial),
        no_stale_cache(trial, {key: like(to64(v) * rng.uniform(0.5, 2), v) for key, v in trial.inputs.items()}),
        zero_to_zero(trial),
        linear(trial, rng),
        finite_when_saturated(trial, rng),
    )


def same_shapes(trial: Trial) -> Contract:
    """The gradient of every input is there and has its shape. This is checked before any value."""
    for key, value in trial.inputs.items():
        grad, shape = trial.hand.get(f"d{key}"), tuple(np.shape(value))
        if grad is None:
            return Contract(Promise.SHAPES, False, f"d{key} is absent, expected shape {shape}")
        if tuple(np.shape(grad)) != shape:
            return Contract(Promise.SHAPES, False, f"d{key} has shape {tuple(np.shape(grad))}, {key} has {shape}")
    return Contract(Promise.SHAPES, True)


def dtype_and_device(trial: Trial) -> Contract:
    """Nothing is computed in another precision, or moved to another device, unasked."""
    for key, value in trial.hand.items():
        given = trial.inputs.get(key[1:], trial.dy) if key != "y" else trial.dy
        for what, a, b in (
            ("dtype", dtype_name(value), dtype_name(given)),
            ("device", str(getattr(value, "device", "cpu")), str(getattr(given, "device", "cpu"))),
            ("library", isinstance(value, torch.Tensor), isinstance(given, torch.Tensor)),
        ):
            if a != b:
                return Contract(Promise.PRECISION, False, f"{key} has {what} {a}, expected {b}")
    return Contract(Promise.PRECISION, True)


def inputs_unchanged(trial: Trial) -> Contract:
    """Inputs, constants and upstream gradient hold the same bytes after each of the two passes as before."""
    return unchanged(list_overwritten(trial))


def unchanged(overwritten: Sequence[str]) -> Contract:
    """The contract, kept if nothing was overwritten."""
    into = "its upstream gradient" if (names := ", ".join(overwritten)) == "dy" else names
    return Contract(
        Promise.INPUTS_UNCHANGED, not names, names and f"overwritten: {names}", names and f"writes into {into}"
    )


def list_overwritten(trial: Trial) -> list[str]:
    """What holds other bytes after forward, or after backward, than it was given with."""
    inputs, dy = duplicate(trial.inputs), duplicate(trial.dy)
    given = {**inputs, "dy": dy, "the constants": trial.stage.constants}
    before, changed = {key: contents(value) for key, value in given.items()}, list[str]()
    for run_pass in runs(trial, inputs, dy):
        run_pass()
        changed += [key for key, value in given.items() if contents(value) != before[key]]
    return list(dict.fromkeys(changed))


def runs(trial: Trial, inputs: Arrays, dy: Any) -> Iterator[Callable[[], Any]]:
    """The forward and then the backward pass on these very arrays; both in one where they cannot be run apart."""
    kept: list[Any] = []
    if (halves := trial.stage.halves) is None:
        yield lambda: trial.stage.hand(inputs, dy)
    else:
        yield lambda: kept.append(halves.forward(inputs)[1])
        yield lambda: halves.backward(kept[0], inputs, dy)


def cache_unchanged(trial: Trial) -> Contract:
    """The cache holds the same bytes after the backward pass, so that a second one is right as well."""
    if trial.stage.halves is None:
        return Contract(Promise.CACHE_UNCHANGED, None, ONE_FUNCTION)
    forward, backward = trial.stage.halves
    inputs = duplicate(trial.inputs)
    before = contents(cache := forward(inputs)[1])
    backward(cache, inputs, duplicate(trial.dy))
    detail = "" if contents(cache) == before else "backward writes into it"
    return Contract(Promise.CACHE_UNCHANGED, not detail, detail)


def no_aliases(trial: Trial) -> Contract:
    """No output is an input or a view of one: a later write to the one would change the other."""
    inputs, dy = duplicate(trial.inputs), duplicate(trial.dy)
    shared = [
        f"{key} shares memory with {given}"
        for key, out in trial.stage.hand(inputs, dy).items()
        for given, value in {**inputs, "dy": dy}.items()
        if shares_memory(out, value)
    ]
    return Contract(Promise.NO_ALIASES, not shared, "; ".join(shared))


def results_stay(trial: Trial) -> Contract:
    """A second run writes into memory of its own, not into what the first one returned (a buffer kept for it)."""
    first = dict(trial.stage.hand(duplicate(trial.inputs), duplicate(trial.dy)))
    before = {key: contents(value) for key, value in first.items()}
    trial.stage.hand(duplicate(trial.inputs), like(-2 * trial.dy64, trial.dy))
    written = ", ".join(key for key, value in first.items() if contents(value) != before[key])
    return Contract(Promise.RESULTS_STAY, not written, written and f"the next run writes into the {written} it gave")


def repeatable(trial: Trial) -> Contract:
    """The same numbers in, the same bits out."""
    differ = ", ".join(key for key, value in trial.hand.items() if contents(trial.again[key]) != contents(value))
    return Contract(Promise.REPEATABLE, not differ, differ and f"a second run differs in {differ}")


def no_stale_cache(trial: Trial, other: Arrays) -> Contract:
    """Forward A, forward B, backward A must give A's gradient: nothing may be kept outside the cache.

    Raises what forward raises at the other inputs, which are the judge's and need not be in its domain.
    """
    if trial.stage.halves is None:
        return Contract(Promise.OWN_CACHE, None, ONE_FUNCTION)
    forward, backward = trial.stage.halves
    first, inputs = duplicate(trial.inputs), duplicate(trial.inputs)  # what is written into is said elsewhere
    alone = {key: contents(a) for key, a in backward(forward(first)[1], first, duplicate(trial.dy)).items()}
    _, cache = forward(inputs)
    forward(duplicate(other))
    after = backward(cache, inputs, duplicate(trial.dy))
    stale = ", ".join(key for key in alone if contents(after[key]) != alone[key])
    words = f"after another forward pass {stale} changed: something is kept outside the cache"
    return Contract(Promise.OWN_CACHE, not stale, stale and words)


def zero_to_zero(trial: Trial) -> Contract:
    """A zero upstream gradient gives zero gradients."""
    wrong = ", ".join(key for key, value in scale_upstream(trial, 0.0).items() if not np.all(value == 0))
    return Contract(Promise.ZERO, not wrong, wrong and f"{wrong} is not zero")


def linear(trial: Trial, rng: np.random.Generator) -> Contract:
    """4 dy and -dy give 4 and -1 times the gradient bit for bit; dy + 2 dy' the sum, within the balls' bound."""
    right = gradients(trial.hand)
    for factor in (4.0, -1.0):
        for key, value in scale_upstream(trial, factor).items():
            expected = factor * right[key]
            same = (value == expected) | ~np.isfinite(expected) | (np.abs(right[key]) < UNDERFLOWS)
            if not (np.all(same) or subnormal_in_between(trial, factor, key, value - expected)):
                return Contract(Promise.LINEAR, False, f"{key} for {factor:g} dy is not {factor:g} times {key}")
    if sum(a.size for a in right.values()) > CONTRACT_NUMBERS:
        return Contract(Promise.LINEAR, True, "for 4 dy and -dy; sums not checked at this size")
    part = rng.choice((0.5, -1.0), size=np.shape(trial.dy))  # dy + 2 part dy is 2 dy or -dy: no rounding in the sum
    other, added = (like(factor * trial.dy64, trial.dy) for factor in (part, 1 + 2 * part))
    trials = [trial, trial.at(dy=other), trial.at(dy=added)]
    found = attempt(lambda: [radii(t, trial.arithmetic) for t in trials])
    if (bounds := found.value) is None:
        detail = f"for 4 dy and -dy; sums not checked ({type(found.error).__name__} on ball arrays)"
        return Contract(Promise.LINEAR, True, detail)
    b, c = (gradients(t.hand) for t in trials[1:])
    for key, a in right.items():
        total = bounds[0][key] + 2 * bounds[1][key] + bounds[2][key]
        difference = np.abs(c[key] - (a + 2 * b[key]))
        if not np.all((difference <= total + SUM_ROUNDING * np.abs(c[key])) | ~np.isfinite(total)):
            return Contract(Promise.LINEAR, False, f"{key} for dy + 2 dy' is not the sum of those for dy and 2 dy'")
    return Contract(Promise.LINEAR, True)


def subnormal_in_between(trial: Trial, factor: float, key: str, difference: Any) -> bool:
    """Whether float16 rounding explains it: its subnormal numbers begin at 6e-5, and 4 times one rounds otherwise."""
    if trial.dtype != "float16":
        return False
    there = trial.at(dy=like(factor * trial.dy64, trial.dy))
    found = attempt(lambda: [radii(t, trial.arithmetic)[key] for t in (trial, there)])
    return found.value is None or bool(np.all(np.abs(difference) <= abs(factor) * found.value[0] + found.value[1]))


def linear_within(trial: Trial, judged: Judgement) -> Contract:
    """-dy, 2^20 dy and 2^-20 dy give the gradient times that factor within its bound: dy is not masked or clipped.

    For foreign code, which may add up its terms in any order, so its results need not be equal bit for bit. What
    rounds without dy, as in (dy + x) - x, rounds for a small dy as much: the bound is that of dy and that of its own.
    """
    for word, factor in FACTORS.items():
        if trial.dtype == "float16" and factor > 0:
            continue  # which ends at 65504 and at 6e-5
        for key, value in scale_upstream(trial, factor).items():
            e = judged.evidence[key]
            if not np.isfinite(value).all() or not outside(value / factor, e):
                continue
            there = attempt(bound, judged.trial.at(dy=like(factor * trial.dy64, trial.dy))).value
            own = there.evidence[key].bound / abs(factor) if there else 0.0
            if outside(value / factor, replace(e, bound=e.bound + own)):
                return Contract(Promise.LINEAR, False, f"{key} for {word} dy is not {word} times {key}")
    return Contract(Promise.LINEAR, True)


def finite_when_saturated(trial: Trial, rng: np.random.Generator) -> Contract:
    """Inputs up to 1e4 give finite numbers wherever the exact result is a number of this precision."""
    if trial.dtype == "float16":
        return Contract(Promise.FINITE, None, "float16 ends at 65504")
    inputs = trial.inputs
    key = "x" if "x" in inputs else next(iter(inputs))
    large = {**duplicate(inputs), key: like(rng.choice(SATURATED, size=np.shape(inputs[key])), inputs[key])}
    there = trial.at(inputs=large)
    lost = [
        k
        for k, v in there.reference.items()
        if np.any(np.isfinite(v) & (np.abs(v) < ORDINARY_VALUES) & ~np.isfinite(to64(there.hand[k])))
    ]
    return Contract(Promise.FINITE, not lost, f"{', '.join(lost)} has nan or infinite entries" if lost else "")


def scale_upstream(trial: Trial, factor: float) -> dict[str, Any]:
    """The gradients for factor times the trial's upstream gradient, in float64."""
    return gradients(trial.stage.hand(duplicate(trial.inputs), like(factor * trial.dy64, trial.dy)))


def gradients(out: Outputs) -> dict[str, Any]:
    """All outputs but y, in float64."""
    return {key: to64(value) for key, value in out.items() if key != "y"}


def outside(value: Any, e: Evidence) -> bool:
    """Whether a result differs from the judged run's by more than rounding. The judged run may itself be wrong."""
    again = to64(value)
    if again.shape != e.hand.shape:
        return True
    if again.shape != e.reference.shape:
        return False  # wrong in itself, and no bound is its own
    with np.errstate(all="ignore"):
        good = (np.abs(e.hand - e.reference) <= e.bound) | ~np.isfinite(e.bound)
        gap = np.abs(again - np.where(good, e.reference, e.hand))
    return bool((~(gap <= np.where(good, 1, 2) * e.bound) & (again != e.hand) & ~np.isnan(e.hand)).any())
