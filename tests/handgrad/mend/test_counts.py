"""A count that a line sets, found by running, and how it is written; what is no count stays."""

import ast

import numpy as np

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
