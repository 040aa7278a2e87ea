"""A third opinion where the code and its reference part: the derivative of the code's own forward pass.

torch's own backward passes are hand-derived as well and some are inexact at extreme inputs. A difference quotient of
fourth order of the code's forward pass, in the widest precision it runs in, says which of the two is off. It knows how
exact it is (two step widths), and it abstains at a kink, where no quotient means anything.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handgrad.arrays.precision import to64
from handgrad.judge.ball_bound import Evidence, StageReport, compare
from handgrad.judge.isolation import duplicate
from handgrad.judge.noise_bound import long, wider
from handgrad.judge.stage import Arrays
from handgrad.judge.verdict import Verdict
from handgrad.subjects.function.calling import Code

Float = NDArray[np.float64]
ENTRIES = 64  # more failing entries than that are no rounding of the reference


@dataclass(frozen=True)
class Opinion:
    """A derivative and how far it may be off."""

    value: float
    error: float


def adjudicate(
    code: Code, inputs: Arrays, dy: Any, report: StageReport, evidence: Mapping[str, Evidence]
) -> tuple[StageReport, dict[str, Evidence], tuple[str, ...]]:
    """The report with the third opinion in place of the reference where the reference is the one that is off.

    A tensor changes only if all its failing entries are cleared.
    """
    tensors, changed, notes = [], dict(evidence), []
    for t in report.tensors:
        e = evidence[t.name]
        right = cleared(code, inputs, dy, t.name, e) if t.verdict is Verdict.REFUTED and t.name != "y" else None
        if right is not None:
            changed[t.name] = right
            tensors.append(compare(t.name, right.hand, right.reference, right.bound))
            notes.append(
                f"{report.name}: the reference is inexact here: {t.outside} entries of {t.name} differ from it and "
                "agree with the derivative of the code's own forward pass (a difference quotient in higher precision)"
            )
        else:
            tensors.append(t)
    return StageReport(report.name, tuple(tensors)), changed, tuple(notes)


def cleared(code: Code, inputs: Arrays, dy: Any, name: str, e: Evidence) -> Evidence | None:
    """The evidence with the third opinion at the failing entries; None unless it clears every one of them."""
    if e.hand.shape != e.reference.shape or not np.isfinite(e.hand).all():
        return None
    failing = np.argwhere(~(np.abs(e.hand - e.reference) <= e.bound))
    if len(failing) > ENTRIES:
        return None
    reference, bound = e.reference.copy(), e.bound.copy()
    for at in map(tuple, failing):
        found = opinion(code, inputs, dy, name.removeprefix("d"), at)
        apart = abs(float(e.hand[at] - e.reference[at]))
        if found is None or found.error > apart / 8 or abs(float(e.hand[at]) - found.value) > apart / 4:
            return None
        reference[at], bound[at] = found.value, bound[at] + found.error
    return replace(e, reference=reference, bound=bound)


def opinion(code: Code, inputs: Arrays, dy: Any, name: str, at: tuple[int, ...]) -> Opinion | None:
    """d(dy . y) / d(inputs[name][at]) by central differences; None at a kink or where forward does not run."""
    base = {n: value if (wide := wider(value)) is None else wide for n, value in inputs.items()}
    precise = long(base[name]).dtype if str(base[name].dtype) == "longdouble" else np.dtype(np.float64)
    eps = float(np.finfo(base[name].dtype).eps) if isinstance(base[name], np.ndarray) else float(np.finfo(precise).eps)
    h, weights = float(eps**0.2), long(to64(dy))

    def forward(step: float) -> Any:
        moved = base[name].clone() if hasattr(base[name], "clone") else np.array(base[name])
        moved[at] += step
        y, _cache = code.run_forward(code.arguments({**duplicate(base), name: moved}))
        return long(y)

    try:
        y = {k: forward(k * h) for k in (-2, -1, -0.5, 0, 0.5, 1, 2)} | {k: forward(k * h) for k in (-0.25, 0.25)}
    except Exception:
        return None

    def total(terms: Any) -> float:
        return float(np.sum(terms))

    def slope(k: float) -> float:
        """Fourth order, from steps of k h and 2 k h."""
        return total(weights * (8 * (y[k] - y[-k]) - (y[2 * k] - y[-2 * k]))) / (12 * k * h)

    def bend(k: float) -> float:
        """The derivative from the right less the one from the left; halves with the step where there is no kink."""
        return abs(total(weights * (y[k] - 2 * y[0] + y[-k]))) / (k * h)

    noise = 8 * eps * total(np.abs(weights * y[0])) / h
    coarse, fine = slope(1), slope(0.5)
    if bend(0.5) > 0.75 * bend(1) + noise:
        return None
    return Opinion(fine, abs(fine - coarse) + noise)
