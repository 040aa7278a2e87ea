"""Edits of one node: both sides of what is symmetric."""

import ast

import pytest

from handgrad.mend.local_edits import local_edits
from handgrad.source.tree import expression, located


def edited(text):
    return {ast.unparse(located(ast.Expression(edit.node))) for edit in local_edits(expression(text), [], [])}


@pytest.mark.parametrize("text", ["2 * ds", "ds * 2"])
def test_twice_becomes_both_sides(text):
    assert {"ds + ds.T", "ds + ds.swapaxes(-1, -2)"} <= edited(text)


@pytest.mark.parametrize("text", ["3 * ds", "2 + ds", "n * ds"])
def test_what_is_not_twice_does_not(text):
    assert "ds + ds.T" not in edited(text)
