"""The number that an expression should have, found by its value, and how it is written with what is at hand."""

import ast

import numpy as np
import pytest

from handgrad.mend.expressions import Writing
from handgrad.mend.material import Item
from handgrad.mend.numbers import find_number, numbers_at_hand, with_factor, written

RNG = np.random.default_rng(2)
X, VAR = RNG.normal(size=(5, 3)), RNG.uniform(0.1, 1, size=3)
WRITING = Writing("np", "axis", "keepdims")
ITEMS = [
    Item(ast.Name("x", ast.Load()), X, 0.0),
    Item(ast.Name("p", ast.Load()), 0.3, 0.0),
    Item(ast.Name("two", ast.Load()), np.zeros((2, 7)), 0.0),
]


@pytest.mark.parametrize(
    ("at", "now", "right"),
    [
        (lambda n: X / n, 60.0, 15.0),
        (lambda n: X * n, 0.5, 0.7071),
        (lambda n: 1 / np.sqrt(VAR + n), 1e-5, 1e-3),
        (lambda n: X - n, 0.1, 0.0),
        (lambda n: X / (n - 1), 3.0, 5.0),
    ],
)
def test_the_number_with_which_everything_is_as_wanted(at, now, right):
    assert find_number(at, now, at(right)) == pytest.approx(right, rel=1e-6, abs=1e-9)


def test_no_number_where_each_entry_wants_another():
    assert find_number(lambda n: X * n, 2.0, X**2) is None
    assert find_number(lambda n: None, 2.0, X) is None


def ways(wanted):
    known = numbers_at_hand(ITEMS, [0.044715], WRITING)
    return {ast.unparse(node) for node, _ in written(wanted, known, WRITING)}


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        (5, "x.shape[0]"),
        (15, "x.size"),
        (4, "x.shape[0] - 1"),
        (1 / 0.7, "1 / (1 - p)"),
        (3**-0.5, "x.shape[1] ** (-0.5)"),
        (0.044715, "0.044715"),
        (10, "x.shape[0] * two.shape[0]"),
        ((2 * np.pi) ** 0.5, "(2 * np.pi) ** 0.5"),
    ],
)
def test_how_a_number_is_written(wanted, text):
    assert text in ways(wanted)


def test_a_number_that_nothing_at_hand_makes_is_not_written():
    assert ways(0.123456) == set()


def test_entries_are_counted_as_torch_counts_them():
    known = numbers_at_hand(ITEMS, [], Writing("torch", "dim", "keepdim"))
    assert "x.numel()" in {ast.unparse(one.node) for one in known}


def test_an_expression_gets_a_factor_or_a_divisor_and_none_of_one():
    known, e = numbers_at_hand(ITEMS, [], WRITING), ast.Name("e", ast.Load())
    texts = {ast.unparse(new) for new, _ in with_factor(e, (2 * np.pi) ** -0.5, known, WRITING)}
    assert "e / (2 * np.pi) ** 0.5" in texts
    assert list(with_factor(e, 1.0, known, WRITING)) == []
