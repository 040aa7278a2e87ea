"""A sum along an axis that is taken away from all its entries: of a softmax, a norm, shares; found by its value."""

import ast

import numpy as np
import pytest

from handgrad.mend.expressions import Writing
from handgrad.mend.material import Item
from handgrad.mend.projections import Thing, with_shared_term
from handgrad.source.tree import expression
from tests.handgrad.mend.own_draws import make_draw, search

RNG = np.random.default_rng(6)
DP, X, R = RNG.normal(size=(3, 4)), RNG.normal(size=(3, 4)), RNG.uniform(1, 2, size=(3, 1))
P = np.exp(X) / np.exp(X).sum(axis=1, keepdims=True)
NUMPY = Writing("np", "axis", "keepdims")


def found(given, needed, **names):
    """What may stand where `given` does, given that these names are at hand."""
    own = expression(given)
    items = [Item(ast.Name(name, ast.Load()), value, 0.0) for name, value in names.items()]
    thing = Thing(own, eval(given, {"np": np, **names}), 0.0)
    return {ast.unparse(edit.node) for edit in with_shared_term(thing, needed, items, NUMPY)}


def total(a, axis=1):
    return a.sum(axis=axis, keepdims=True)


@pytest.mark.parametrize(
    ("given", "needed", "edit"),
    [
        ("dp * p * (1 - p)", P * (DP - total(P * DP)), "p * (dp - (p * dp).sum(axis=-1, keepdims=True))"),
        ("dp * p", P * (DP - total(P * DP, 0)), "p * (dp - (p * dp).sum(axis=0, keepdims=True))"),
        ("dp", DP - P * total(DP), "dp - p * dp.sum(axis=-1, keepdims=True)"),
        ("dp", DP - total(DP * P), "dp - (dp * p).sum(axis=-1, keepdims=True)"),
        ("dp", DP + X * (DP * X).mean(axis=1, keepdims=True), "dp + x * (dp * x).mean(axis=-1, keepdims=True)"),
        ("dp / r", DP / R - X * total(DP * X) / R**3, "dp / r - x * ((dp * x).sum(axis=-1, keepdims=True) / r ** 3)"),
    ],
)
def test_a_term_that_is_shared_along_an_axis(given, needed, edit):
    assert edit in found(given, needed, dp=DP, p=P, x=X, r=R)


def test_of_a_vector_the_sum_is_one_number():
    assert found("dp[0]", DP[0] - DP[0].mean(), dp=DP) == {"dp[0] - dp[0].mean()"}


@pytest.mark.parametrize("needed", [DP * X, DP - 0.3, DP - P * total(DP) * X, DP + P * RNG.normal(size=(3, 1))])
def test_nothing_where_no_sum_at_hand_is_shared(needed):
    assert found("dp", needed, dp=DP, p=P, x=X) == set()


def share(x, w):
    u = x / np.linalg.norm(x, axis=1, keepdims=True)
    p = np.exp(u @ w)
    p = p / p.sum(axis=1, keepdims=True)
    return p, (x, w, u, p)


def right(dy, cache):
    x, w, u, p = cache
    dz = p * (dy - (p * dy).sum(axis=1, keepdims=True))
    du = dz @ w.T
    dx = (du - u * (u * du).sum(axis=1, keepdims=True)) / np.linalg.norm(x, axis=1, keepdims=True)
    return dx, u.T @ dz


def diagonal(dy, cache):
    x, w, u, p = cache
    dz = p * (1 - p) * dy
    du = dz @ w.T
    dx = (du - u * (u * du).sum(axis=1, keepdims=True)) / np.linalg.norm(x, axis=1, keepdims=True)
    return dx, u.T @ dz


def norm_taken_for_a_constant(dy, cache):
    x, w, u, p = cache
    dz = p * (dy - (p * dy).sum(axis=1, keepdims=True))
    du = dz @ w.T
    dx = du / np.linalg.norm(x, axis=1, keepdims=True)
    return dx, u.T @ dz


@pytest.mark.mends
@pytest.mark.parametrize(
    ("wrong", "written"),
    [
        (diagonal, "p * (dy - (p * dy).sum(axis=-1, keepdims=True))"),
        (norm_taken_for_a_constant, "du - u * (u * du).sum(axis=-1, keepdims=True)"),
    ],
)
def test_the_search_finds_it_in_a_backward_pass(wrong, written):
    draws = [make_draw(share, right, {"x": (3, 5), "w": (5, 4)}, seed) for seed in (1, 2)]
    edits = search(share, wrong, draws).edits
    assert written in {ast.unparse(ast.fix_missing_locations(new)) for own in edits.values() for new in own.values()}
