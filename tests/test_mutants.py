"""Broken backward passes are refuted, in their place: a seeded part of benchmarks/mutants.py, and the command line."""

import importlib
import itertools
import random
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handgrad.cli import main

SAMPLE = 12
# What `handgrad verify` is asked, by the file that is broken.
SURVEY = {
    **{name: ("--activation", name, "--loss", "mse") for name in
       ("identity", "sigmoid", "tanh", "relu", "leaky_relu", "softplus", "silu", "gelu", "gelu_tanh")},
    "linear": ("--activation", "tanh", "--loss", "mse"),
    "squared_error": ("--activation", "tanh", "--loss", "mse"),
    "softmax_cross_entropy": ("--activation", "tanh", "--loss", "cross_entropy"),
}  # fmt: skip
BROKEN = {"squared_error": "MeanSquaredError"}  # the survey's loss, which inherits the broken pass


@pytest.fixture(scope="module")
def bench() -> Iterator[Any]:
    folder = str(Path(__file__).parent.parent / "benchmarks")
    sys.path.insert(0, folder)
    yield importlib.import_module("mutants")
    sys.path.remove(folder)


@pytest.fixture(scope="module")
def names(bench: Any) -> Any:
    return importlib.import_module("names")


@pytest.fixture(scope="module")
def all_mutants(bench: Any) -> dict[str, Any]:
    return {target: bench.mutants_of(target) for target in bench.TARGETS}


def test_every_backward_pass_is_broken_in_many_ways(bench: Any, all_mutants: dict[str, Any]) -> None:
    backward = [m for found in all_mutants.values() for m in found if "backward" in m.id]
    assert len(backward) >= 150
    assert all(any("backward" in m.id for m in found) for found in all_mutants.values())
    ids = [m.id for found in all_mutants.values() for m in found]
    assert len(ids) == len(set(ids))


def test_every_explanation_is_of_a_mutant(bench: Any, all_mutants: dict[str, Any]) -> None:
    ids = {m.id for found in all_mutants.values() for m in found}
    assert set(bench.EXPLAINED) <= ids
    assert set(bench.AT_THE_KINK) <= ids


def test_a_sample_is_refuted_in_its_place(bench: Any, all_mutants: dict[str, Any]) -> None:
    everything = [(t, m) for t, found in all_mutants.items() for m in found if t != "network"]
    for target, mutant in random.Random(20).sample(everything, SAMPLE):
        outcomes = bench.judged(mutant, bench.TARGETS[target][0])
        found = bench.Findings()
        found.add(target, mutant, outcomes)
        assert set(found.survived) <= set(bench.EXPLAINED), mutant.id
        assert set(found.misplaced) <= set(bench.AT_THE_KINK), mutant.id


def test_the_unbroken_source_is_certified(bench: Any) -> None:
    for target in ("tanh", "softmax_cross_entropy"):
        kind = bench.TARGETS[target][0]
        outcomes = bench.judged(bench.unbroken(importlib.import_module(kind.__module__)), kind)
        assert {o.verdict for o in outcomes} == {"CERTIFIED"}


def test_a_survivor_without_a_reason_fails_the_run(bench: Any, all_mutants: dict[str, Any]) -> None:
    mutant = next(m for m in all_mutants["tanh"] if m.id not in bench.EXPLAINED)
    found = bench.Findings()
    found.add("tanh", mutant, [bench.Outcome("float64", True, "CERTIFIED", "", "")])
    assert any(mutant.id in fault for fault in found.faults(["tanh"]))


def test_names_given_to_planted_mistakes_are_never_wrong(names: Any) -> None:
    tally = names.Tally()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for place in itertools.islice(names.places(303), 6):
            for m in names.MISTAKES:
                if type(place.subject) in m.kinds:
                    tally.add("one mistake", place.where, m.name, names.named(place, m.plant), m.name)
    counts = tally.counts["one mistake"]
    assert tally.wrong == []
    assert counts["right"] > 100
    assert counts["abstained"] < 10


def test_a_mask_over_few_entries_gets_no_name(names: Any) -> None:
    tally, rng = names.Tally(), np.random.default_rng(0)
    with np.errstate(all="ignore"):
        for place in itertools.islice(names.small_places(303), 14):
            for which in importlib.import_module("planted").MASKS:
                tally.add("masks", place.where, which, names.named(place, names.corrupted(rng, which)))
    assert tally.wrong == []
    assert tally.counts["masks"]["abstained"] > 20


def test_a_name_that_is_not_the_mistakes_counts_as_wrong(names: Any) -> None:
    found = [names.verdict(name, "the sign") for name in ("the sign is lost", names.NO_NAME, "dx: zero; dW: the sign")]
    assert found == ["right", "abstained", "wrong"]


def test_the_mutants_with_an_expected_name_exist(names: Any, all_mutants: dict[str, Any]) -> None:
    assert set(names.EXPECTED) <= {(m.path, m.statement) for found in all_mutants.values() for m in found}


@pytest.mark.parametrize(
    ("target", "change"),
    [
        *((target, "2 * ") for target in SURVEY),
        *((target, "-") for target in SURVEY),
    ],
)
def test_the_command_line_points_at_the_broken_stage(
    target: str, change: str, bench: Any, all_mutants: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    kind = bench.TARGETS[target][0]
    gradient = "dW" if target == "linear" else "dy" if target == "squared_error" else "dz"
    mutant = next(
        m for m in all_mutants[target] if ".backward" in m.id and m.statement.startswith(f"{gradient} = {change}")
    )
    monkeypatch.setattr(kind, "backward", mutant.kind(kind).backward)
    assert main(["verify", *SURVEY[target], "--dtype", "float64", "--seed", "1", "--mend", "0"]) == 1
    rows = [
        line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("  ") and " = " in line[:9]
    ]
    assert len(rows) >= 4
    assert {row[2] for row in rows if "WRONG" in row} == {BROKEN.get(target, kind.__name__)}
