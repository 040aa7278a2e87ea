"""A line left out that changes a few entries of an array: one of each row, one of all, by an index of the passes."""

import ast

import numpy as np
import pytest

from handgrad.mend.entries import change_entries
from handgrad.mend.material import AtHand, Item
from handgrad.mend.required import Need
from handgrad.source.tree import expression
from tests.handgrad.mend.own_draws import make_draw, search

RNG = np.random.default_rng(4)
LABELS, P = np.array([2, 0, 1]), RNG.uniform(0.1, 1, size=(3, 4))
EACH_ROW = np.arange(3), LABELS


def lines(needed, value=P, indices=(), **names):
    """The lines that are found where the value of dz should be another one."""
    names = {"labels": LABELS, **names}
    items = tuple(Item(ast.Name(name, ast.Load()), v, 0.0) for name, v in names.items())
    slope, gap = np.eye(value.size), (needed - value).reshape(-1)
    all_matter = (np.ones(value.shape, bool),)
    need = Need(0, (value,), (needed,), True, all_matter, frozenset({"dx"}), slope, gap)
    hand = AtHand({"np": np, **names}, tuple(names), items)
    found = change_entries("dz", value, need, hand, iter([expression(f"a[{i}]").slice for i in indices]))
    return {ast.unparse(ast.fix_missing_locations(line)) for line, _ in found}


def with_entries(done, at=EACH_ROW, value=P):
    new = value.copy()
    new[at] = done(new[at])
    return new


@pytest.mark.parametrize(
    ("done", "line"),
    [
        (lambda v: v - 1, "dz[np.arange(len(labels)), labels] -= 1"),
        (lambda v: v + 1, "dz[np.arange(len(labels)), labels] += 1"),
        (lambda v: 0 * v, "dz[np.arange(len(labels)), labels] = 0"),
        (lambda v: -P.sum(axis=1), "dz[np.arange(len(labels)), labels] = -dz.sum(axis=1)"),
    ],
)
def test_one_entry_of_each_row(done, line):
    assert lines(with_entries(done)) == {line}


def test_one_entry_of_all_and_an_index_of_the_passes():
    row = P[0]
    assert lines(with_entries(lambda v: v - 1, 2, row), row, label=2) == {"dz[label] -= 1"}
    assert lines(with_entries(lambda v: 0 * v, P > 0.5), indices=["m > 0.5"], m=P) == {"dz[m > 0.5] = 0"}


def test_nothing_where_other_entries_or_all_are_wrong_or_the_index_is_not_at_hand():
    assert lines(2 * P, indices=["labels"]) == set()
    assert lines(with_entries(lambda v: v - 1, 2, P[0]), P[0], indices=["unknown", "dz > 0"]) == set()


def forward(z):
    label = 1
    p = np.exp(z) / np.exp(z).sum()
    return -np.log(p[label]), (p, label)


def right(dy, cache):
    p, label = cache
    dz = p.copy()
    dz[label] -= 1
    return dy * dz


def forgotten(dy, cache):
    p, label = cache  # noqa: RUF059
    dz = p.copy()
    return dy * dz


@pytest.mark.mends
def test_the_line_is_put_in_behind_the_one_that_sets_the_array():
    found = search(forward, forgotten, [make_draw(forward, right, {"z": (4,)}, seed) for seed in (1, 2)]).edits
    ((_, line),) = (new for own in found.values() for new in own.values())
    assert ast.unparse(ast.fix_missing_locations(line)) == "dz[label] -= 1"


def hinge(s):
    labels = np.array([1, 0, 2])
    margins = np.maximum(0, s - s[np.arange(3), labels][:, None] + 1)
    margins[np.arange(3), labels] = 0
    return margins.sum(), (margins, labels)


def hinge_right(dy, cache):
    margins, labels = cache
    ds = (margins > 0).astype(float)
    ds[np.arange(3), labels] = -ds.sum(axis=1)
    return dy * ds


def hinge_by_one(dy, cache):
    margins, labels = cache
    ds = (margins > 0).astype(float)
    ds[np.arange(3), labels] = -1
    return dy * ds


def hinge_forgotten(dy, cache):
    margins, labels = cache  # noqa: RUF059
    ds = (margins > 0).astype(float)
    return dy * ds


@pytest.mark.mends
@pytest.mark.parametrize("wrong", [hinge_by_one, hinge_forgotten])
def test_the_right_class_gets_what_all_others_of_its_row_have_together(wrong):
    draws = [make_draw(hinge, hinge_right, {"s": (3, 4)}, seed) for seed in (1, 2)]
    edits = search(hinge, wrong, draws).edits
    words = " ".join(unparse(new) for own in edits.values() for new in own.values())
    assert "-ds.sum(" in words


def unparse(new):
    return " ".join(ast.unparse(ast.fix_missing_locations(n)) for n in (new if isinstance(new, tuple) else (new,)))
