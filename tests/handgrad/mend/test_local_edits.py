"""Edits of one node: both sides of what is symmetric, what belongs inside of a call, and tuples of axes."""

import ast

import pytest

from handgrad.mend.expressions import rename_everywhere
from handgrad.mend.index_edits import along_other_axes
from handgrad.mend.local_edits import edit_axes, is_axes, local_edits
from handgrad.source.tree import expression, located


def edited(text):
    return {ast.unparse(located(ast.Expression(edit.node))) for edit in local_edits(expression(text), [], [])}


@pytest.mark.parametrize("text", ["2 * ds", "ds * 2"])
def test_twice_becomes_both_sides(text):
    assert {"ds + ds.T", "ds + ds.swapaxes(-1, -2)"} <= edited(text)


@pytest.mark.parametrize("text", ["3 * ds", "2 + ds", "n * ds"])
def test_what_is_not_twice_does_not(text):
    assert "ds + ds.T" not in edited(text)


@pytest.mark.parametrize(
    ("text", "new"),
    [
        ("e[t] + lse(a + b, axis=1)", "lse(a + b + e[t + 1], axis=1)"),
        ("lse(a) + e[t - 1]", "lse(a + e[t - 1])"),
        ("e * f(a)", "f(a * e[:, None])"),
        ("f(a, b) - e", "f(a, b - e)"),
    ],
)
def test_what_is_joined_to_a_call_is_joined_to_its_argument(text, new):
    assert ast.unparse(expression(new)) in edited(text)


@pytest.mark.parametrize(("text", "new"), [("e - f(a)", "f(a - e)"), ("e / f(a)", "f(a / e)"), ("e + a", "a + e")])
def test_where_that_is_another_operation_it_is_not(text, new):
    assert new not in edited(text)


@pytest.mark.parametrize(
    ("text", "new"), [("w[::-1]", "w[:, ::-1]"), ("w[:, ::-1]", "w[::-1]"), ("w[i]", "w[:, i]"), ("w[:, :, i]", "w[i]")]
)
def test_an_index_is_taken_along_another_axis(text, new):
    assert new in edited(text)


@pytest.mark.parametrize("text", ["w[i, j]", "w[:, None]", "w[..., :]"])
def test_an_index_of_several_axes_or_of_none_is_not(text):
    assert list(along_other_axes(expression(text).slice)) == []


def test_axes_that_a_name_stands_for_become_those_of_elsewhere_and_their_neighbours():
    own, known = expression("(2, 3)"), [expression("(0, 1, 2)"), expression("(2, 3)")]
    assert [ast.unparse(edit.node) for edit in edit_axes(own, known)] == [
        *("(0, 1, 2)", "(1, 2, 3)", "(2, 3, 4)", "(3,)", "(2,)"),
    ]


@pytest.mark.parametrize(("text", "yes"), [("(2, 3)", True), ("(2, n)", False), ("(True, 1)", False), ("()", False)])
def test_axes_are_whole_numbers(text, yes):
    assert is_axes(expression(text)) is yes


def test_a_name_that_stands_there_twice_is_another_in_all_places():
    edits = rename_everywhere(expression("d * ((1 - fy) * a + fy * b)"), ["d", "fx", "fy"])
    assert {ast.unparse(edit.node) for edit in edits} == {f"d * ((1 - {n}) * a + {n} * b)" for n in ("d", "fx")}
    assert not list(rename_everywhere(expression("d * fy"), ["d", "fx", "fy"]))


@pytest.mark.parametrize(
    ("text", "new"),
    [
        ("np.cumsum(dy, axis=1)", "np.cumsum(dy[:, ::-1], axis=1)[:, ::-1]"),
        ("np.cumsum(dy, -1)", "np.cumsum(dy[..., ::-1], -1)[..., ::-1]"),
        ("dy.cumsum(axis=0)", "dy[::-1].cumsum(axis=0)[::-1]"),
        ("dy.cumprod(2)", "dy[:, :, ::-1].cumprod(2)[:, :, ::-1]"),
    ],
)
def test_what_is_cumulated_may_run_from_the_end(text, new):
    assert ast.unparse(expression(new)) in edited(text)


def test_an_axis_that_is_not_written_as_a_number_is_not_reversed():
    assert not any("::-1" in new for new in edited("np.cumsum(dy, axis=k)"))
