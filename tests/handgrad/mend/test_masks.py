"""Other masks of the passes, and a term along other axes, or given to a function of the reader's own."""

import ast

import numpy as np
import pytest

from handgrad.mend.masks import list_masks, rewrite_masks
from handgrad.source.program import read_program
from handgrad.source.tree import changed, parents_of
from tests.handgrad.mend.own_draws import make_draw, search

LOW, HIGH = 0.5, 1.5


def smaller(x, a):
    c = np.clip(x, LOW, HIGH)
    return np.minimum(x * a, c * a), (x, a, c)


def right(dy, cache):
    x, a, c = cache
    first = x * a <= c * a
    inside = (x >= LOW) & (x <= HIGH)
    return dy * a * np.where(first, 1, inside), dy * np.where(first, x, c)


def mask_of_the_bounds(dy, cache):
    x, a, c = cache
    first = np.abs(x - 1) <= 0.25
    inside = (x >= LOW) & (x <= HIGH)
    return dy * a * np.where(first, 1, inside), dy * np.where(first, x, c)


def test_the_masks_of_a_forward_pass_are_what_it_compares_and_what_its_choices_come_down_to():
    tree = ast.parse("y = np.minimum(a, b) + np.clip(x, 0, c) * (x > 1)")
    texts = {ast.unparse(mask) for mask in list_masks(tree)}
    assert texts == {"a <= b", "b <= a", "(x >= 0) & (x <= c)", "x > 1"}


def test_a_mask_becomes_another_of_the_passes():
    program = read_program(smaller, mask_of_the_bounds)
    back = next(part for part in program.parts if part.backward)
    tree = back.source.tree
    texts = {ast.unparse(changed(tree, e, parents_of(tree))) for e, _ in rewrite_masks(back, program.parts)}
    assert any("first = x * a <= c * a" in text for text in texts)


def by_cases(dy, cache):
    return dy if dy.sum() > LOW else dy * (dy > 0)


def test_what_decides_where_the_code_goes_is_no_mask():
    program = read_program(smaller, by_cases)
    back = next(part for part in program.parts if part.backward)
    replaced = {ast.unparse(old) for edits, _ in rewrite_masks(back, program.parts) for old in edits}
    assert replaced == {"dy > 0"}


@pytest.mark.mends
def test_the_search_finds_the_mask_of_a_minimum():
    draws = [make_draw(smaller, right, {"x": (4, 5), "a": (4, 5)}, seed) for seed in (1, 2)]
    edits = search(smaller, mask_of_the_bounds, draws).edits
    written = {ast.unparse(ast.fix_missing_locations(new)) for own in edits.values() for new in own.values()}
    assert written <= {"x * a <= c * a", "c * a >= x * a"}
    assert written


def soft(x):
    return np.log1p(np.exp(x))


def squared(x):
    return soft(x) ** 2, x


def squared_right(dy, x):
    return 2 * dy * soft(x) / (1 + np.exp(-x))


def of_the_input(dy, x):
    return 2 * dy * x / (1 + np.exp(-x))


def attend(q, k):
    z = k.sum(axis=1)
    return np.einsum("btd,bd->bt", q, z) + np.einsum("btd,btd->bt", q, k), (q, k, z)


def attend_right(dy, cache):
    q, k, z = cache
    dq = dy[..., None] * (z[:, None, :] + k)
    dz = np.einsum("bt,btd->bd", dy, q)
    dk = dy[..., None] * q + dz[:, None, :]
    return dq, dk


def attend_without_the_sum(dy, cache):
    q, k, z = cache
    dq = dy[..., None] * (z[:, None, :] + k)
    dz = np.einsum("bt,btd->bd", dy, q)  # noqa: F841
    dk = dy[..., None] * q
    return dq, dk


def sums(x):
    return np.cumsum(x), None


def sums_right(dy, cache):
    return np.cumsum(dy[::-1])[::-1]


def sums_from_the_start(dy, cache):
    return np.cumsum(dy)


@pytest.mark.mends
@pytest.mark.parametrize(
    ("forward", "correct", "wrong", "shapes", "found"),
    [
        (attend, attend_right, attend_without_the_sum, {"q": (2, 3, 4), "k": (2, 3, 4)}, "+ dz[:, None, :]"),
        (sums, sums_right, sums_from_the_start, {"x": (5,)}, "np.cumsum(dy[::-1])[::-1]"),
        (squared, squared_right, of_the_input, {"x": (5,)}, "soft(x)"),
    ],
)
def test_a_term_along_other_axes_a_sum_from_the_end_and_a_call_of_ones_own(forward, correct, wrong, shapes, found):
    edits = search(forward, wrong, [make_draw(forward, correct, shapes, seed) for seed in (1, 2)]).edits
    (written,) = (ast.unparse(ast.fix_missing_locations(new)) for own in edits.values() for new in own.values())
    assert found in written
