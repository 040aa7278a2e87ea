"""What is wrong with the value of one line, beside the value that would make every gradient right."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

import numpy as np

from handgrad.explain.axes import name_axes_by_place
from handgrad.explain.catalogue.general import GENERAL
from handgrad.explain.describe import confirm as confirm_claims
from handgrad.explain.diagnosis import confirm, find_fits
from handgrad.explain.recognise.failed_trial import FailedTrial
from handgrad.judge.compare import Evidence, Float
from handgrad.judge.constants import COINCIDENCE_BITS, NEEDED_WITHIN
from handgrad.judge.stage import Stage

VALUE = "value"


def describe_value(given: Sequence[Float], needed: Sequence[Float]) -> str:
    """What holds of the value on every draw: a mistake of the catalogue, or a description; empty where nothing does.

    given, needed: what the line gives, and what it should give, one array for each draw.
    """
    first, *fresh = (as_trial(a, b, first=not i) for i, (a, b) in enumerate(zip(given, needed, strict=True)))
    if not fresh:
        return ""
    with np.errstate(all="ignore"):
        fits = confirm(find_fits(first, GENERAL), iter(fresh))
        clear = [f for f in fits if not f.mistake.fitted.vague] or fits
        names = list(dict.fromkeys(f.mistake.name for f in clear))
        claims = confirm_claims(first.evidence[VALUE], [trial.evidence[VALUE] for trial in fresh])
    return name_axes_by_place(" or ".join(names) or "; ".join(claims))


def describe_once(given: Float, right: Float) -> str:
    """The name of what is wrong with a value that is known for one set of numbers; empty where no name is sure.

    Nothing can be tried on fresh numbers, so the entries must agree with the name in as many bits as else draws do.
    """
    trial = replace(as_trial(given, right, first=True), inputs={"x": np.ones(())})  # which axis is the batch: unknown
    with np.errstate(all="ignore"):
        found = chain.from_iterable(find_fits(trial, GENERAL).values())
        sure = [f for f in found if f.bits[VALUE] >= COINCIDENCE_BITS]
    names = dict.fromkeys(f.mistake.name for f in [f for f in sure if not f.mistake.fitted.vague] or sure)
    return name_axes_by_place(" or ".join(names))


def as_trial(given: Float, needed: Float, *, first: bool) -> FailedTrial:
    """The line as a stage that gave one thing where another belongs; nothing of it can be run again."""
    bound = np.full(needed.shape, NEEDED_WITHIN * np.max(np.abs(given - needed), initial=0.0))
    evidence = {"y": Evidence(needed, needed, 0 * bound), VALUE: Evidence(given, needed, bound)}
    stage = Stage("line", hand=lambda inputs, dy: {}, reference=lambda inputs, dy: {})
    return FailedTrial(stage, {"x": needed}, needed, evidence, failed=() if first else (VALUE,))
