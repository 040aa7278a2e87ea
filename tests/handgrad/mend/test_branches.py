"""The upstream gradient forgotten in one branch: of a choice, or of what is set where a mask is true."""

import ast

import numpy as np
import pytest

from handgrad.mend.expressions import count_idle
from handgrad.mend.statements import of_masked
from tests.handgrad.mend.own_draws import after, make_draw


def leaky(x):
    return np.where(x > 0, x, 0.2 * x), x


def right(dy, x):
    return np.where(x > 0, dy, 0.2 * dy)


def of_a_choice(dy, x):
    return np.where(x > 0, dy, 0.2)


def set_in_a_copy(dy, x):
    dx = dy.copy()
    dx[x < 0] = 0.2
    return dx


def set_in_zeros(dy, x):
    dx = np.zeros_like(dy)
    dx[x > 0] = dy[x > 0]
    dx[x < 0] = 0.2
    return dx


@pytest.mark.mends
@pytest.mark.parametrize(
    ("wrong", "meant"), [(of_a_choice, "0.2 * dy"), (set_in_a_copy, "*="), (set_in_zeros, "0.2 * dy[x < 0]")]
)
def test_the_upstream_gradient_is_put_into_its_branch(wrong, meant):
    draws = [make_draw(leaky, right, {"x": (3, 4)}, seed) for seed in (0, 1)]
    assert after(leaky, wrong, draws) == meant


@pytest.mark.parametrize(("line", "masked"), [("dz[z < 0] = 0.1", True), ("dz[0] = 0.1", False), ("dz = 0.1", False)])
def test_only_what_is_set_by_a_mask_is_multiplied_there(line, masked):
    (statement,) = ast.parse(line).body
    made = [ast.unparse(new) for changes, _ in of_masked(statement, ["dy"]) for new in changes.values()]
    assert made == (["dz[z < 0] *= 0.1", "0.1 * dy[z < 0]"] if masked else [])


@pytest.mark.parametrize(("line", "idle"), [("dx += 0", 1), ("dx *= 1", 1), ("dx *= 0", 0), ("dx += x", 0)])
def test_an_update_that_changes_nothing_is_idle(line, idle):
    assert count_idle(ast.parse(line)) == idle
