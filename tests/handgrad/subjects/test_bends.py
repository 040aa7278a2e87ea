"""Where a function bends away from 0 and 1: at the numbers of its code, and where its reference's slope jumps."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from handgrad import verify_function
from handgrad.judge.verdict import Verdict
from handgrad.subjects.function.kinks import numbers_in, slope_jumps
from handgrad.subjects.function.reference import Reference

LIMIT = 7.25


def clip(low, high):
    return lambda x: np.clip(x, low, high)


def clip_back(low, high, ends):
    if ends:
        return lambda dy, x: dy * ((x > low) & (x <= high))
    return lambda dy, x: dy * ((x > low) & (x < high))


@pytest.mark.parametrize(("low", "high", "reference"), [(-1, 1, F.hardtanh), (0, 6, F.relu6)])
def test_the_slope_at_the_end_of_a_clip(low, high, reference):
    wrong = verify_function(clip(low, high), clip_back(low, high, True), reference, [(8, 9)], seed=0)
    assert wrong.verdict is Verdict.REFUTED
    right = verify_function(clip(low, high), clip_back(low, high, False), reference, [(8, 9)], seed=0)
    assert right.verdict is Verdict.CERTIFIED


def test_a_bend_that_only_the_reference_knows():
    """The threshold comes from a table, so no number stands in the code."""
    table = {"half": np.float64(0.5)}

    def forward(x):
        return np.where(np.abs(x) > table["half"], x, 0)

    def back(dy, x):
        return dy * (np.abs(x) >= table["half"])

    def right(dy, x):
        return dy * (np.abs(x) > table["half"])

    assert verify_function(forward, back, F.hardshrink, [(8, 9)], seed=0).verdict is Verdict.REFUTED
    assert verify_function(forward, right, F.hardshrink, [(8, 9)], seed=0).verdict is Verdict.CERTIFIED


def test_the_numbers_of_the_code():
    def forward(x, low=-2.5, *, high=3.5):
        def inner(y):
            return y * 12 if y < LIMIT else 1.0

        return inner(x), low, high

    assert numbers_in(forward) == (2.5, 3.5, 7.25, 12.0)


class Clipped(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clamp(max=4.5)

    @staticmethod
    def backward(ctx, dy):
        return dy * 0.125


def test_the_numbers_of_a_torch_function():
    assert numbers_in(Clipped) == numbers_in(Clipped.apply) == (0.125, 4.5)


@pytest.mark.parametrize(
    ("function", "at"),
    [
        (F.relu6, {6.0}),
        (F.hardswish, {3.0, -3.0}),
        (F.hardshrink, {0.5, -0.5}),
        (torch.tanh, set()),
        (F.softplus, set()),
    ],
)
def test_jumps_of_the_slope_are_found(function, at):
    jumps = slope_jumps(Reference(function, ("x",), {}), {"x": np.zeros((8, 9))})
    assert {round(j, 9) for j in jumps} == at
    assert at <= set(jumps)


def test_no_jumps_where_entries_mix():
    assert slope_jumps(Reference(lambda x: torch.softmax(x, 1), ("x",), {}), {"x": np.zeros((8, 9))}) == ()
