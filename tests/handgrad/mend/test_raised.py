"""A backward pass that raises: the line where it does is mended first, and then what else is wrong."""

import numpy as np
import pytest

from handgrad import verify_function
from handgrad.mend.raised import places_at_error
from handgrad.source.program import read_program
from handgrad.source.taps import Tapped


def forward(x, W):
    return np.tanh(x @ W), (x, W)


def two_slips(dy, cache):
    x, W = cache
    dz = dy * (1 - np.tanh(x @ W))
    dx = dz @ W
    return dx, x.T @ dz


def test_the_expressions_of_the_line_that_raises():
    tapped = Tapped(read_program(forward, two_slips))
    with pytest.raises(ValueError, match="matmul") as caught:
        two_slips(np.ones((5, 3)), (np.ones((5, 4)), np.ones((4, 3))))
    found = {place.statement for place in places_at_error(tapped, caught.value)}
    (statement,) = found
    assert statement.targets[0].id == "dx"
    assert list(places_at_error(tapped, None)) == []


@pytest.mark.mends
def test_a_line_that_raises_and_another_slip_are_both_mended():
    report = verify_function(forward, two_slips, inputs=[(5, 4), (4, 3)], seed=1)
    assert report.change is not None, report.text()
    assert {r.after for r in report.change.replacements} == {"W.T", "np.tanh(x @ W) ** 2"}
