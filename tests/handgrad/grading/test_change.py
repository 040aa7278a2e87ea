"""The change of a slip: found by running the submission, told as a line; never of a blank, and only in time."""

import time
from collections.abc import Callable

import pytest

from handgrad.grading import hints
from handgrad.grading.change import find_change
from handgrad.source.clock import clock
from tests.handgrad.grading.test_grade import graded, lost, right_source

CHANGES = {
    ("two_layer", "1 - h1**2", "1 - h1"): "Line 17: `dz1 = dh1 * (1 - h1)` should be `dz1 = dh1 * (1 - h1 ** 2)`.",
    ("layers", "dz[i] @ W[i]", "dh[i] @ W[i]"): "should be `dh[i - 1] = dz[i] @ W[i]`.",
    ("batch_norm", "** -1.5", "** -0.5"): "Line 19: `dvar =",
}


@pytest.mark.mends
@pytest.mark.parametrize("slip", CHANGES)
def test_the_change_is_told_where_the_level_allows(slip: tuple[str, str, str]) -> None:
    name, old, new = slip
    hints = lost(graded(name, right_source(name, (old, new)), "change"))
    assert len(hints) == 1
    assert CHANGES[slip] in next(iter(hints.values()))


@pytest.mark.mends
def test_a_change_is_told_where_another_slip_raises_an_exception(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hints, "MEND_SECONDS", 2.0)  # there is none for the other
    slips = ("dz1 = dh1 * (1 - h1**2)", "dz1 = dh1 @ (1 - h1**2)"), ("dz1.T @ x", "np.nothing(dz1)")
    told = lost(graded("two_layer", right_source("two_layer", *slips), "change"))
    assert list(told) == ["dz1", "dW1"]
    assert told["dz1"].endswith("Line 17: `dz1 = dh1 @ (1 - h1 ** 2)` should be `dz1 = dh1 * (1 - h1 ** 2)`.")


@pytest.mark.mends
def test_a_change_with_which_the_function_raises_an_exception_is_none() -> None:
    """Arrays have no amax: with it the line would raise, and z be as it was before."""
    slip = "z = x @ W.T + b\n", "z = x @ W.T + b\n    z -= z.max(axis=1, keepdims=True)\n"
    hints = lost(graded("softmax_cross_entropy", right_source("softmax_cross_entropy", slip), "change"))
    assert list(hints) == ["z"]
    assert "amax" not in hints["z"]


def test_a_blank_is_never_filled_in() -> None:
    source = right_source("two_layer", ("dz1 = dh1 * (1 - h1**2)", "dz1 = ..."))
    assert lost(graded("two_layer", source, "change")) == {
        "dz1": "dz1 is not there: it is a blank, or has another name."
    }


def compute(seconds: float) -> None:
    end = clock() + seconds
    while clock() < end:
        pass


@pytest.mark.parametrize(("use", "is_found"), [(time.sleep, True), (compute, False)])
def test_a_search_ends_by_the_time_of_the_processor(use: Callable[[float], None], is_found: bool) -> None:
    """The second candidate is right: it is found where the first one waits, and not where it computes too long."""
    tried: list[str] = []

    def is_right(source: str) -> bool:
        use(0.2)
        tried.append(source)
        return len(tried) == 2

    found = find_change("def f(x):\n    a = x - 1", "f", "a", (), is_right, 0.1)
    assert found.startswith("Line 2: `a = x - 1` should be `a") is is_found
    assert len(tried) == 1 + is_found
