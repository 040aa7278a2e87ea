"""A number that stands for infinity: no code is accused where it no longer does, and it hides no other mistake."""

from functools import partial

import numpy as np
import pytest
import torch

from handgrad import Verdict, verify_function
from handgrad.source.program import read_program
from handgrad.subjects.function.calling import Code
from handgrad.subjects.function.fillers import list_fillers, reached_filler
from handgrad.subjects.function.reference import Reference

MASKED = -1e9


def softmax(s):
    p = np.exp(s - s.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True)


def masked(x):
    """A softmax of scores of which the first two of each row are masked by a large number."""
    return softmax(np.where(np.arange(x.shape[1]) < 2, -1e9, -(x**3))), x


def masked_backward(dy, x):
    p, _ = masked(x)
    ds = p * (dy - (dy * p).sum(axis=1, keepdims=True))
    return -3 * x**2 * ds


def clipped(x):
    """Cut at -1e9: a bound, no filler."""
    return np.clip(x**3, -1e9, None), x


def cut_by_a_choice(x):
    return np.where(x**3 < MASKED, -1e9, x**3), x


judged = partial(verify_function, inputs=[(4, 5)], seed=0, mend=0)


def test_code_that_masks_by_a_large_number_is_right_and_the_report_says_where_it_is_not_judged():
    report = judged(masked, masked_backward)
    assert report.verdict is Verdict.CERTIFIED, report.text()
    assert "note: -1e9 stands for -inf: inputs at which y would be another one" in report.text(width=10_000)


def test_a_backward_pass_that_is_right_beside_any_filler_has_no_such_note():
    report = judged(masked, lambda dy, x: np.where(np.arange(x.shape[1]) < 2, 0, masked_backward(dy, x)))
    assert report.verdict is Verdict.CERTIFIED, report.text()
    assert "stands for" not in report.text(width=10_000)


def infinite(x):
    return softmax(np.where(np.arange(x.shape[1]) < 2, -np.inf, -(x**3))), x


def masked_in_torch(x):
    return torch.softmax((-(x**3)).masked_fill(torch.arange(x.shape[1]) < 2, MASKED), dim=1)


@pytest.mark.parametrize(("forward", "filler"), [(masked, "-1e9"), (infinite, "MASKED")])
def test_a_filler_is_seen_in_the_code_and_in_its_reference(forward, filler):
    code, reference = Code(forward, masked_backward, ("x",)), Reference(masked_in_torch, ("x",), {})
    x = np.random.default_rng(0).normal(size=(4, 5))
    large = {"x": 1e4 * np.abs(x)}  # scores below the filler
    found = reached_filler(code, reference, large)
    assert found is not None
    assert found.words == (filler, "-inf")
    assert reached_filler(code, reference, {"x": x}) is None


@pytest.mark.parametrize(
    "wrong",
    [
        lambda dy, x: 2 * masked_backward(dy, x),  # everywhere
        lambda dy, x: np.where(np.abs(x) > 20, 1.0, masked_backward(dy, x)),  # where inputs are large
    ],
)
def test_another_mistake_is_still_refuted(wrong):
    report = judged(masked, wrong)
    assert report.verdict is Verdict.REFUTED, report.text()


@pytest.mark.parametrize("forward", [clipped, cut_by_a_choice])
def test_a_bound_is_no_filler(forward):
    assert judged(forward, lambda dy, x: 3 * x**2 * dy).verdict is Verdict.REFUTED
    assert judged(forward, lambda dy, x: 3 * x**2 * dy * (x**3 > -1e9)).verdict is Verdict.CERTIFIED


def test_a_large_number_that_matters_at_ordinary_inputs_is_no_filler():
    def forward(x):
        return np.where(x > 0.5, 1e6, x**2), x

    assert judged(forward, lambda dy, x: np.where(x > 1e3, 1.0, 2 * x * (x <= 0.5)) * dy).verdict is Verdict.REFUTED


def padded(x, mask):
    return softmax(np.where(mask, -1e9, x)), softmax(np.where(mask, -1e9, x))


def padded_backward(dy, p):
    return p * (dy - (dy * p).sum(axis=1, keepdims=True))


def test_a_row_that_is_masked_as_a_whole_is_told():
    mask = np.array([[True, True, True], [False, True, False]])
    rows = [np.array([[0.3, -1.2, 0.7], [0.1, 0.5, 1.4]]), mask]
    report = verify_function(padded, padded_backward, inputs=rows, seed=0, mend=0)
    assert report.verdict is Verdict.REFUTED
    assert "-1e9 masks nothing here: beside numbers as large, or where a whole row is masked" in report.text(
        width=10_000
    )
    part = verify_function(padded, padded_backward, inputs=[rows[0], mask & [True, False, True]], seed=0)
    assert part.verdict is Verdict.CERTIFIED


def test_inputs_that_were_given_are_judged_with_the_cause():
    report = verify_function(masked, masked_backward, inputs=[1e4 * np.ones((2, 3))], seed=0, mend=0)
    assert report.verdict is Verdict.REFUTED
    assert "-1e9 masks nothing here: beside numbers as large" in report.text(width=10_000)


def written(x, m, fill=-1e7):
    s = np.where(m, x, MASKED)
    large = -(10**8)
    s[m] = large
    s = s + (1 - m) * -1e12
    s = np.clip(s, -1e10, 1e10) if s.max() < 1e11 else s + 1e11
    return np.where(m, s, fill).sum(where=m, initial=-1e13)


def test_every_form_of_a_filler_is_found_and_no_bound():
    program = read_program(written, None)
    assert program is not None
    found = {f.words[0]: f.value for f in list_fillers(program)}
    assert found == {"MASKED": -1e9, "large": -1e8, "-1e12": -1e12, "fill": -1e7}
