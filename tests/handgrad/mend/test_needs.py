"""Whether a value does what is needed, where it is computed several times and no single value is told."""

import numpy as np
import pytest

from handgrad.mend.required import Need

GIVEN = (np.zeros(2), np.zeros(2))
ANY = (np.ones(2, bool), np.ones(2, bool))


def need(slope, gap, *, straight=True):
    return Need(0, GIVEN, GIVEN, False, ANY, frozenset({"dx"}), np.array(slope), np.array(gap), straight)


EACH_ITS_OWN = [[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]]
ADDED_UP = [[1.0, 1.0, 1.0, 1.0]]


@pytest.mark.parametrize(("value", "serves"), [((2.0, 0.0), True), ((0.5, 1.5), True), ((1.0, 0.0), False)])
def test_what_the_other_times_cannot_make_up_for_refutes_a_value(value, serves):
    assert need(EACH_ITS_OWN, [2.0, 3.0]).served_by(np.array(value)) is serves


def test_what_they_can_make_up_for_does_not():
    assert need(ADDED_UP, [2.0]).served_by(np.array([7.0, 0.0]))


def test_where_one_time_bends_the_next_nothing_is_refuted():
    assert need(EACH_ITS_OWN, [2.0, 3.0], straight=False).served_by(np.array([1.0, 0.0]))


@pytest.mark.parametrize(
    ("slope", "gap", "straight", "tells"),
    [(EACH_ITS_OWN, [2.0, 3.0], True, True), (ADDED_UP, [2.0], True, False), (EACH_ITS_OWN, [2.0, 3.0], False, False)],
)
def test_one_value_tells_where_the_one_that_stands_there_does_not_serve(slope, gap, straight, tells):
    """Else everything that can be written there would fit, and each is a run: it is tried later."""
    assert need(slope, gap, straight=straight).tells is tells
