"""Each of several results alone: an upstream gradient for it, and none for the others."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from handgrad.judge.verdict import Verdict
from handgrad.subjects.function.calling import Code
from handgrad.subjects.function.case import Tried, alone, draw_upstream, try_case
from handgrad.subjects.function.failures import row_without_numbers
from handgrad.subjects.function.outputs import Output
from handgrad.subjects.function.reference import Reference


def try_results_alone(
    code: Code, reference: Reference, first: Tried, rng: np.random.Generator, slack: float
) -> Iterator[Tried]:
    """The first case once more for each result, where there are several.

    What is wrong with the gradient of one must not hide behind another's, and where nobody uses a result, torch code
    gets zeros or None for it.
    """
    if first.outputs is None or not first.outputs.several:
        return
    for part in first.outputs.parts:
        if part.fixed:
            yield try_fixed(reference, first, part, rng)
        else:
            case = replace(first.case, name=f"{first.case.name}, {part.name} alone", only=part)
            yield try_case(code, reference, case, rng, slack)


def try_fixed(reference: Reference, first: Tried, part: Output, rng: np.random.Generator) -> Tried:
    """A result that requires no gradient: right where the reference's has none either, else nobody knows."""
    assert first.judgement is not None
    trial = first.judgement.trial
    right = reference.gradients(trial.exact, alone(draw_upstream(rng, trial.dy64.shape), part))
    depends = [name[1:] for name, g in right.items() if name != "y" and g.any()]
    if not depends:
        return Tried(first.case, None, (f"{part.name} requires no gradient, and the reference's has none",))
    words = (
        f"requires no gradient (marked, or detached), and the reference's depends on {', '.join(depends)}; "
        "detach it in the reference if that is meant"
    )
    name = f"{first.case.name}, {part.name} alone"
    return Tried(first.case, row_without_numbers(name, part.name, Verdict.UNRESOLVED, words, part.shape))
