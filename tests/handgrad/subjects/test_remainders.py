"""Sizes that the code's own numbers do not divide: right code is not accused there, and nothing else is let go."""

from functools import partial

import numpy as np
import pytest

from handgrad import Verdict, verify_function
from handgrad.subjects.function.calling import Code
from handgrad.subjects.function.remainders import new_remainder

GROUPS = 3


def normalize(x):
    """Each group of a row less its mean: reshape takes sizes of which GROUPS divides the product alone."""
    n, c, w = x.shape
    groups = x.reshape(n, GROUPS, -1)
    return (groups - groups.mean(axis=2, keepdims=True)).reshape(n, c, w), None


def centred(dy, m):
    """The gradient with m numbers in each group."""
    groups = dy.reshape(len(dy), GROUPS, -1)
    return (groups - groups.sum(axis=2, keepdims=True) / m).reshape(dy.shape)


def right(dy, cache):
    _, c, w = dy.shape
    m = c // GROUPS * w
    return centred(dy, m)


def by_int(dy, cache):
    _, c, w = dy.shape
    m = int(c / GROUPS) * w
    return centred(dy, m)


def wrong(dy, cache):
    n, c, _ = dy.shape
    m = c // GROUPS * n
    return centred(dy, m)


def wrong_at_large_batches(dy, cache):
    return right(dy, cache) * (1 if len(dy) < 5 else 2)


judged = partial(verify_function, normalize, inputs=[(2, 6, 5)], seed=0, mend=0)


@pytest.mark.parametrize("backward", [right, by_int])
def test_right_code_is_certified_where_groups_do_not_divide_the_channels(backward):
    report = judged(backward)
    assert report.verdict is Verdict.CERTIFIED, report.text()
    assert "leaves a remainder there, and none at the sizes given" in report.text(width=10_000)


@pytest.mark.parametrize("backward", [wrong, wrong_at_large_batches])
def test_what_is_wrong_at_sizes_that_divide_is_refuted(backward):
    """The second at other sizes alone, beside those with a remainder."""
    assert judged(backward).verdict is Verdict.REFUTED


def halves(x):
    half = len(x) // 2
    return x[:half] ** 2, x


def windows(x):
    count = (len(x) - 2) // 2
    return x[: 2 * count : 2] ** 2, x


def padded(x, k=3):
    return np.pad(x**2, k // 2), x


@pytest.mark.parametrize(
    ("forward", "lengths", "written"),
    [
        (halves, (4, 5), "len(x) // 2"),
        (halves, (4, 6), None),
        (halves, (5, 7), None),  # a remainder already at the first
        (windows, (4, 5), None),  # a count of places: what is left over belongs to the function
        (padded, (4, 5), None),
    ],
)
def test_which_division_leaves_a_remainder_that_is_new(forward, lengths, written):
    code = Code(forward, lambda dy, x: x, ("x",))
    assert new_remainder(code, *({"x": np.ones(n)} for n in lengths)) == written
