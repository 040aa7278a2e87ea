"""Edits of what stands in no expression that gives numbers: the range of a loop, a count."""

import ast

import pytest

from handgrad.mend.statements import further_rewrites, turned_round, with_repetitions
from handgrad.source.tree import changed, expression, parents_of

CODE = """
def backward(dy, x):
    n = x.shape[1]
    for t in range(n - 2):
        dx = dy * x[t]
    return dx
"""


def rewritten(has_numbers):
    tree = ast.parse(CODE).body[0]
    edits = further_rewrites(tree, ["dy", "x", "n", "t", "dx"], [1, 2], has_numbers)
    return {ast.unparse(changed(tree, changes, parents_of(tree))) for changes, _ in edits}


@pytest.mark.parametrize(("old", "new"), [("range(n - 2)", "range(n - 1)"), ("x.shape[1]", "x.shape[0]")])
def test_what_gives_no_array_is_edited_where_it_stands(old, new):
    expected = ast.unparse(ast.parse(CODE.replace(old, new)))
    assert expected in rewritten(lambda node: isinstance(node, ast.BinOp) and "dy" in ast.unparse(node))
    assert expected not in rewritten(lambda node: True)  # then it is edited by its value


@pytest.mark.parametrize(("items", "turned"), [("tape", "reversed(tape)"), ("range(n)", "reversed(range(n))")])
def test_a_loop_runs_over_anything_from_the_other_end(items, turned):
    assert ast.unparse(turned_round(expression(items))) == turned
    assert ast.unparse(turned_round(expression(turned))) == items
    assert ast.unparse(ast.parse(CODE.replace("range(n - 2)", "reversed(range(n - 2))"))) in rewritten(lambda _: True)


@pytest.mark.parametrize(
    ("line", "added"),
    [
        ("dx[i] += g", "np.add.at(dx, i, g)"),
        ("dx[i, j] += g", "np.add.at(dx, (i, j), g)"),
        ("dx[:, i] += g", "np.add.at(dx, (slice(None), i), g)"),
        ("dx[1:, i] += g", "np.add.at(dx, (slice(1, None), i), g)"),
        ("dx[::2, i] += g", "np.add.at(dx, (slice(None, None, 2), i), g)"),
    ],
)
def test_an_index_that_stands_several_times_is_added_by_a_call(line, added):
    (statement,) = ast.parse(line).body
    at, put = (ast.unparse(new) for new in with_repetitions(statement, statement.target))
    assert at == added
    assert compile(put, "<line>", "exec")
