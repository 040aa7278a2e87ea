"""The strangers' code is what it is called: right versions are right, slips are wrong. And what the judge says of some.

Every version is asked by `STRANGERS=all python -m pytest tests/test_strangers.py`; without it, a part of them.
"""

import os
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))  # scripts, not a package

import record  # noqa: E402
import strangers  # noqa: E402
from handwritten import CASES  # noqa: E402
from handwritten.case import edited  # noqa: E402
from handwritten.witness import error_of_right, is_wrong, precisions  # noqa: E402

ALL = os.environ.get("STRANGERS") == "all"
SEEDS = range(3) if ALL else range(1)
OF_EACH = slice(None) if ALL else slice(1)
ROUNDING = 200  # units: what these formulas lose on ordinary numbers; the largest of all versions and seeds is 52


@pytest.mark.parametrize("name", CASES)
def test_a_right_version_agrees_with_autograd_to_rounding(name):
    case = CASES[name]
    for right in [*case.rights][OF_EACH]:
        for dtype in case.dtypes if ALL else case.dtypes[:1]:
            assert max(error_of_right(case, right, dtype, seed) for seed in SEEDS) <= ROUNDING, (right, dtype)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # slips divide by zero
@pytest.mark.parametrize("name", CASES)
def test_a_slip_is_wrong_on_its_witness(name):
    case = CASES[name]
    for slip in case.slips if ALL else case.slips[len(name) % len(case.slips) :][:1]:
        assert (
            precisions(case, slip)
            if ALL
            else any(is_wrong(case, slip, dtype, seed) for dtype in case.dtypes for seed in range(20))
        ), slip


def test_the_old_text_of_every_edit_stands_once_in_its_case():
    for case in CASES.values():
        assert len({slip.what for slip in case.slips}) == len(case.slips), case.name
        for edit in (*case.slips, *case.also)[:: 1 if ALL else 9]:
            edited(case, edit)


def test_there_are_as_many_as_the_page_says():
    assert len(CASES) >= 75
    assert sum(len(case.slips) for case in CASES.values()) >= 330
    assert len(list(strangers.rights())) >= 330


@pytest.mark.parametrize("name", ["relu_masked", "linear_function"])
def test_the_judge_agrees_on_a_case(name):
    found = [strangers.ask(strangers.Trial(name, "float64", slip=slip)) for slip in (None, 0, 1)]
    assert [a.says for a in found] == ["certified", "refuted", "refuted"], found
    assert strangers.faults(found) == []
    taken_for_the_other = [found[0]._replace(right=False), found[1]._replace(right=True)]
    assert strangers.faults(taken_for_the_other) == taken_for_the_other


def test_the_draws_are_the_same_for_the_same_seed_and_others_for_another():
    first, again, other = (list(strangers.sample(20, seed)) for seed in (0, 0, 1))
    assert first == again != other


def test_the_page_shows_what_was_recorded():
    shown = record.section("strangers").search(record.PAGE.read_text())
    assert shown is not None
    assert shown[2] == strangers.table(record.load("strangers"))
