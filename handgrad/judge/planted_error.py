"""The negative control: before a verdict is believed, one planted error must be caught."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from handgrad.judge.compare import Evidence, compare
from handgrad.judge.judgement import Judgement
from handgrad.judge.verdict import Verdict


@dataclass(frozen=True)
class Control:
    """An error of twice the smallest detectable one, planted in one entry, and whether it was caught exactly there."""

    stage: str
    tensor: str
    index: tuple[int, ...]
    relative: float
    caught: bool


def widest_entry(e: Evidence) -> Any:
    """Where the bound is largest beside the value: a control must reach there as well."""
    with np.errstate(all="ignore"):
        share = np.where(e.reference != 0, e.bound / np.abs(e.reference), -1.0)
    return np.unravel_index(int(np.argmax(share)), share.shape)


def plant_error(
    judgements: Sequence[Judgement], names: Sequence[Mapping[str, str]], rng: np.random.Generator
) -> Control | None:
    """An error in a randomly drawn tensor: in a random entry, or where the bound is widest.

    None where no tensor has a bound and a value.
    names: per judgement, other names for its tensors.
    """
    choices = [
        (found.report.name, names[i].get(key, key), e)
        for i, found in enumerate(judgements)
        for key, e in found.evidence.items()
        if e.bound.shape == e.reference.shape
        and np.isfinite(e.bound).all()
        and np.isfinite(e.reference).all()
        and e.bound.any()
        and e.reference.any()
    ]
    if not choices:
        return None
    stage, tensor, e = choices[rng.integers(len(choices))]
    entry = widest_entry(e) if rng.random() < 0.5 else rng.choice(np.argwhere(e.reference))
    at = tuple(int(k) for k in entry)
    planted = e.reference.copy()
    error = 4 * float(e.bound[at]) + 4 * float(np.spacing(abs(e.reference[at])))
    planted[at] += rng.choice((-1, 1)) * error
    seen = compare(tensor, planted, e.reference, e.bound)
    caught = seen.verdict is Verdict.REFUTED and seen.outside == 1 and seen.index == at
    return Control(stage, tensor, at, abs(error / float(e.reference[at])), caught)
