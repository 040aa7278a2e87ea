"""A count that a line sets, found by running, and how it is written; what is no count stays."""

import ast

import numpy as np
import pytest

from handgrad import verify_function
from handgrad.mend.counts import counts_set, edit_count
from handgrad.mend.expressions import Writing
from handgrad.mend.material import AtHand, Item
from handgrad.source.tree import expression, located

WRITING = Writing("np", "axis", "keepdims")
NAMES = {"C": 6, "G": 3, "H": 4, "W": 5, "x": np.zeros((2, 6, 4, 5))}
HAND = AtHand(NAMES, (), tuple(Item(ast.Name(n, ast.Load()), v, 0.0) for n, v in NAMES.items()))


def edits(text, right):
    """The right count divides what the results are."""
    array = np.arange(1.0, 5.0)
    found = edit_count(expression(text), HAND, lambda m: array / m, array / right, [], WRITING)
    return {ast.unparse(located(ast.Expression(edit.node))) for edit in found}


def test_a_factor_of_a_count_is_found():
    assert "H * W * (C // G)" in edits("H * W", 40)
    assert "H * W / G" in edits("H * W", 20 / 3)
    assert "x.shape[1]" in edits("H", 6)


def test_what_is_right_or_no_whole_number_stays():
    assert edits("H * W", 20) == set()
    assert edits("x", 40) == set()
    assert edits("H / W", 40) == set()


def test_a_count_stands_alone_behind_one_name():
    tree = ast.parse("m = H * W\na, b = 1, 2\nc += 3\nd.e = 4")
    assert [ast.unparse(value) for _, value in counts_set(tree)] == ["H * W"]


def norm(x, groups=2):
    N, C, L = x.shape
    xg = x.reshape(N, groups, C // groups, L)
    xc = xg - xg.mean(axis=(2, 3), keepdims=True)
    inv = 1 / np.sqrt((xc**2).mean(axis=(2, 3), keepdims=True) + 1e-5)
    return (xc * inv).reshape(N, C, L), (xc * inv, inv, groups)


def norm_backward(dy, cache):
    xhat, inv, groups = cache
    N, C, L = dy.shape
    g = dy.reshape(N, groups, C // groups, L)
    m = L
    s1, s2 = (v.sum(axis=(2, 3), keepdims=True) for v in (g, g * xhat))
    return (inv / m * (m * g - s1 - xhat * s2)).reshape(N, C, L)


@pytest.mark.mends
def test_a_count_without_the_channels_of_a_group_is_mended():
    report = verify_function(norm, norm_backward, inputs=[(2, 4, 3)], seed=1)
    assert report.change is not None, report.text()
    assert report.change.after == "L * (C // groups)"
