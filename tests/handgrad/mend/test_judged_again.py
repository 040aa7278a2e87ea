"""A change is put to the judge on numbers it was not found on; once more where rounding hid the digits of the first."""

from dataclasses import replace

import numpy as np
import pytest

from handgrad import Verdict, verify_function
from handgrad.judge.compare import StageReport
from handgrad.subjects.function import verify

pytestmark = pytest.mark.mends


def forward(x):
    h = np.tanh(x)
    return h, h


def wrong(dy, h):
    return dy * (1 - h)


def say(tried, verdict):
    """A case with this verdict on every tensor."""
    if tried.row is None:
        return tried
    tensors = tuple(replace(t, verdict=verdict) for t in tried.row.isolated.tensors)
    return replace(tried, row=replace(tried.row, isolated=StageReport(tried.row.isolated.name, tensors)))


@pytest.mark.parametrize(
    ("first", "found", "seeds"), [(Verdict.UNRESOLVED, True, {1, 2}), (Verdict.REFUTED, False, {1})]
)
def test_what_rounding_hides_is_asked_once_more_and_what_is_wrong_is_not(monkeypatch, first, found, seeds):
    asked, original = set(), verify.try_models

    def try_models(code, oracle, given, models, seed, slack):
        asked.add(seed)
        tried = original(code, oracle, given, models, seed, slack)
        return tried._replace(tried=[say(t, first) for t in tried.tried]) if seed == 1 else tried

    monkeypatch.setattr(verify, "try_models", try_models)
    report = verify_function(forward, wrong, inputs=[(3, 4)], seed=0, mend=3)
    assert (report.change is not None) is found
    assert asked == seeds
