"""In low precision: how far the code is off, beside torch's own eager code in the same precision."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from handgrad.arrays.imitated_torch import facts_of, is_float, leaves
from handgrad.arrays.precision import like
from handgrad.judge.compare import Float
from handgrad.judge.constants import RUNG_SIGMAS
from handgrad.judge.isolation import attempt
from handgrad.judge.judgement import Judgement
from handgrad.subjects.function.reference import Reference


def beside_eager(found: Judgement, reference: Reference) -> list[str]:
    """One line with every tensor's typical error, relative to its typical entry; nothing where torch cannot run it."""
    trial = found.trial
    if not trial.arithmetic.coarse or (eager := attempt(reference.eager, trial.inputs, trial.dy).value) is None:
        return []
    parts = [
        f"{name} {typical(trial.results[name], S):.1e} (torch {typical(eager[name], S):.1e})"
        for name, S in trial.reference.items()
        if name in eager and S.any() and trial.results[name].shape == S.shape == eager[name].shape
    ]
    return [f"typical error beside torch's own {trial.dtype} code: {', '.join(parts)}"] if parts else []


def overflows_as_torch(found: Judgement, reference: Reference) -> bool:
    """Whether the code overflows below float64, and torch's own code of the reference as well.

    In float16 an overflow inside may leave finite numbers, which are then wrong. Where squares of the inputs overflow
    and its own forward pass goes wrong, where their sum does and y is not finite, or torch's code overflows on its way,
    the code is not meant for them; a backward pass that alone goes wrong is wrong, unless even the rounding of its
    result is that of numbers near overflow.
    """
    trial, y = found.trial, found.trial.results["y"]
    with np.errstate(over="ignore"):
        squares = np.concatenate([a.reshape(-1) ** 2 for a in trial.exact.values()])
        squares_overflow = bool(np.sum(squares) > trial.arithmetic.huge)
    wrong = is_lost(y, found, "y") if np.max(squares, initial=0.0) > trial.arithmetic.huge else not np.isfinite(y).all()
    if squares_overflow and wrong:
        return True
    given = {n: v for n, v in trial.results.items() if n not in trial.missing}
    lost = [n for n, v in given.items() if is_lost(v, found, n)]
    if trial.dtype == "float64" or not lost:
        return False
    if all(is_near_overflow(found, n) for n in lost):
        return True
    model = torch.zeros((), dtype=getattr(torch, trial.dtype))
    inputs = {n: like(a, model) for n, a in trial.exact.items()}
    with Overflow() as overflow:  # type: ignore[no-untyped-call]
        eager = attempt(reference.eager, inputs, like(trial.dy64, model)).value
    if eager is None:
        return False
    return (squares_overflow and overflow.seen) or any(is_lost(v, found, n) for n, v in eager.items())


def is_near_overflow(found: Judgement, name: str) -> bool:
    """Whether it has entries that are not finite, where what is added up on the way to the right ones may overflow.

    Its noise is a rounding of the largest of these numbers: for dx = r (w dy - ...) of w dy, where dx is small as well.
    """
    trial, a = found.trial, found.trial.arithmetic
    added = float(np.max(trial.noise(a)[name] / a.u, initial=0.0))
    return not np.isfinite(trial.results[name]).all() and RUNG_SIGMAS * added > a.huge


class Overflow(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sees whether an operation inside made something infinite of finite numbers, though no result may show it."""

    seen = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        rounds = facts_of(func)[1] != "exact"  # a mask of -inf is meant
        self.seen |= rounds and all(map(is_finite, leaves(args))) and not all(map(is_finite, leaves(out)))
        return out


def is_finite(value: Any) -> bool:
    return not is_float(value) or bool(torch.isfinite(value).all())


def is_lost(value: Float, found: Judgement, name: str) -> bool:
    """Whether it has entries that are not finite; in float16, any outside the bound."""
    e = found.evidence.get(name)
    outside = e is not None and found.trial.dtype == "float16" and replace(e, hand=value).outside.any()
    return bool(outside) or not np.isfinite(value).all()


def typical(given: Float, right: Float) -> float:
    """Root mean squares: of the difference over that of the right values."""
    with np.errstate(all="ignore"):
        return float(np.sqrt(np.mean((given - right) ** 2) / np.mean(right**2)))
