"""What can be written at a line: entries by the line's own indices, and no numbers that only fill."""

import ast

import numpy as np
import pytest

from handgrad import verify_function
from handgrad.mend.material import at_hand
from handgrad.mend.trial import Trial
from handgrad.source.program import read_program
from handgrad.source.taps import Tapped, Taps
from handgrad.subjects.file.pullbacks import pull_back_of


def forward(xs, w):
    h, u = {-1: np.zeros_like(w)}, {}
    for t in range(len(xs)):
        u[t] = h[t - 1] * w
        h[t] = np.where(u[t] > -1e9, np.tanh(xs[t] + u[t]), 0.5)
    return h[len(xs) - 1], (xs, w, h, u)


def backward(dy, cache):
    xs, w, h, _ = cache
    dw = np.zeros_like(w)
    for t in range(len(xs) - 1, -1, -1):
        dy = dy * (1 - h[t] ** 2)
        dw += dy * h[t - 1]
        dy = dy * w
    return dw


PROGRAM = read_program(forward, backward)
PART = next(part for part in PROGRAM.parts if part.source.name == "backward")


def items(line="dy = dy * w", **names):
    rng = np.random.default_rng(0)
    h, u = {t: rng.normal(size=2) for t in (-1, 0, 1)}, {t: rng.normal(size=2) for t in (0, 1)}
    here = {"h": h, "u": u, "w": rng.normal(size=2), **names}
    tapped = Tapped(PROGRAM)
    (statement,) = (s for s in ast.walk(PART.source.tree) if isinstance(s, ast.stmt) and ast.unparse(s) == line)
    found = at_hand(PROGRAM, PART, statement, here, tapped, Taps(tapped.places))
    return [ast.unparse(item.node) for item in found.items]


def test_what_the_passes_index_is_at_hand_at_the_indices_of_the_line():
    found = items(t=1)
    assert {"u[t]", "u[t - 1]", "h[t]"} <= set(found)
    assert "u[1]" not in found  # what is right at one turn of a loop alone


def test_behind_a_loop_its_variable_is_not_at_hand():
    assert "t" in items(t=1)
    assert not {"t", "u[t]", "h[t]"} & set(items("return dw", t=1))


def test_where_no_whole_number_is_known_the_entries_are_those_of_the_cache():
    found = items()
    assert "u[1]" in found
    assert not any("t" in text for text in found)


def test_a_number_that_fills_what_is_masked_stands_nowhere_else():
    numbers = Trial(PROGRAM, [], 0.0).numbers
    assert 0.5 in numbers
    assert 1e9 not in numbers


def unit(x, w):
    """Two vectors by their lengths, as one result; the backward pass keeps what it names of these lines."""
    r = np.sqrt((x * x).sum())
    s = np.sqrt((w * w).sum())
    u, v = x / r, w / s

    def backward(dy):
        du, dv = dy * v, dy * u
        dx = (du - u * (du * u).sum()) / r
        dw = (dv - v * (dv * v).sum()) / r
        return dx, dw

    return u * v, backward


@pytest.mark.mends
def test_a_name_of_the_function_around_is_at_hand() -> None:
    report = verify_function(unit, pull_back_of(unit), inputs=[(3,), (3,)], seed=0)
    assert report.change is not None
    assert [(r.before, r.after) for r in report.change.replacements] == [("r", "s")]
