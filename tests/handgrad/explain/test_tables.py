"""Every row of every table: a stage that gives exactly the row's formula gets the row's name; the right one gets none.

A new row is tested by being there; a new table needs a stage in tables.py on which its rows can be made. Whether a
row's formula is what its name says, test_formulas.py knows.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from handgrad.explain.catalogue import CATALOGUE, factors
from handgrad.explain.diagnosis import Diagnosis, diagnose
from handgrad.explain.recognise.failed_trial import FailedTrial
from handgrad.judge.compare import Evidence
from handgrad.judge.noise_bound import by_noise
from handgrad.judge.trial import Trial
from tests.handgrad.explain.tables import ROWS, STAGES, Made, Source, Tensors, numbered, place_of, spoil

FACTORS = {row.name for row in factors.TABLE}


def differs(made: Made, spoiled: Tensors) -> bool:
    """Whether the mistake can be seen: finite, and far outside of rounding."""
    right = made.stage.reference(made.inputs, made.dy)
    if not all(np.isfinite(v).all() for v in spoiled.values()):
        return False
    return any(v.shape != right[k].shape or not np.allclose(v, right[k], rtol=1e-6) for k, v in spoiled.items())


def cases() -> dict[str, tuple[str, Source]]:
    """Every mistake of every row, with the first stage on which it can be seen and the source that has it."""
    found: dict[str, tuple[str, Source]] = {}
    with numbered():
        for key, made in STAGES.items():
            for source in CATALOGUE:
                for name, spoiled in spoil(made, source):
                    if name not in found and differs(made, spoiled):
                        found[name] = key, source
    return found


CASES = cases()


def diagnosed(made: Made, change: Callable[[Made], Tensors]) -> Diagnosis | None:
    """The diagnosis of the stage that gives change(what it is run on), judged by the noise of the reference."""

    def hand(inputs: Any, dy: Any) -> Tensors:
        if not all(isinstance(v, np.ndarray) for v in (*inputs.values(), dy)):
            raise TypeError("a table's formula runs on numbers alone")
        exact = {k: np.asarray(v, dtype=np.float64) for k, v in inputs.items()}
        return change(Made(made.stage, exact, np.asarray(dy, dtype=np.float64)))

    wrong = replace(made.stage, hand=hand)
    trial = Trial(wrong, made.inputs, made.dy)
    return diagnose(trial, by_noise(trial).evidence)


@pytest.mark.parametrize("name", CASES)
def test_a_stage_that_gives_the_formula_of_a_row_gets_its_name(name: str) -> None:
    key, source = CASES[name]
    with numbered():
        found = diagnosed(STAGES[key], lambda made: next(v for n, v in spoil(made, source) if n == name))
    assert found is not None
    assert found.known, found
    assert name in found.name, found  # alone, or beside others that these numbers cannot tell from it


@pytest.mark.parametrize("label", sorted(FACTORS))
def test_every_factor_gets_its_name(label: str) -> None:
    def factor(made: Made) -> dict[str, float]:
        right = made.stage.reference(made.inputs, made.dy)
        bias = {"db"} if label == "the number of inputs" else set(right) - {"y"}
        evidence = {k: Evidence(v, v, np.zeros(v.shape)) for k, v in right.items()}
        trial = FailedTrial(made.stage, made.inputs, made.dy, evidence, failed=tuple(bias))
        return {f.name: f.value for f in factors.name_factors(trial)}

    def scaled(made: Made) -> Tensors:
        right, c = made.stage.reference(made.inputs, made.dy), factor(made)[label]
        return {
            k: c * v if k == "db" or (k != "y" and label != "the number of inputs") else v for k, v in right.items()
        }

    key = next(key for key, made in STAGES.items() if label in factor(made))
    found = diagnosed(STAGES[key], scaled)
    assert found is not None
    assert label in found.name, found


@pytest.mark.parametrize("key", STAGES)
def test_right_code_gets_no_name(key: str) -> None:
    made = STAGES[key]
    assert diagnosed(made, lambda m: dict(m.stage.reference(m.inputs, m.dy))) is None


def test_every_row_can_be_made_on_some_stage() -> None:
    missing = ROWS - {place_of(name) for name in CASES}
    assert sorted(map(str, missing)) == [], "no stage shows these rows: add one to STAGES in tables.py"
    assert len(ROWS) > 110


def test_a_dW_that_is_wrong_itself_may_stand_where_W_belongs() -> None:
    def change(made: Made) -> Tensors:
        right = made.stage.reference(made.inputs, made.dy)
        dW = 2 * right["dW"]
        return {**right, "dW": dW, "dx": made.dy @ dW}

    with numbered():
        found = diagnosed(STAGES["linear"], change)
    assert found is not None
    assert "dx: dW stands where W belongs <linear.TABLE 7>" in found.name
