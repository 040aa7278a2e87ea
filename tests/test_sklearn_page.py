"""docs/sklearn.md against both sides: every parameter and every name is in its tables, and none that is not there."""

import doctest
import re
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import neural_network as theirs
from sklearn.utils._param_validation import StrOptions

from manual import sklearn as ours

PAGE = Path(__file__).resolve().parents[1] / "docs" / "sklearn.md"
KINDS = ("MLPClassifier", "MLPRegressor")
X, Y = np.random.default_rng(0).normal(size=(20, 3)), np.arange(20) % 2


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below a heading of the page."""
    part = PAGE.read_text("utf-8").partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in part.splitlines() if "| `" in line]


def defaults(side: Any) -> dict[str, str]:
    """Every parameter of the classifier and the regressor of a side, with its default."""
    both = [signature(getattr(side, kind)).parameters for kind in KINDS]
    return {name: repr(p.default) for parameters in both for name, p in parameters.items()}


def state(name: str) -> str:
    """How its row must begin."""
    if name not in defaults(ours):
        return "missing: "
    return "the same|differs: " if name in defaults(theirs) else "here alone: "


def test_every_parameter_has_a_row_and_its_default() -> None:
    listed = {name.strip("`"): default.strip("`") for name, default, _ in rows("Parameters")}
    assert listed == defaults(theirs) | defaults(ours)
    shared = defaults(theirs).keys() & defaults(ours).keys()
    assert {name: defaults(ours)[name] for name in shared} == {name: defaults(theirs)[name] for name in shared}


def test_every_row_says_whether_both_have_it() -> None:
    wrong = [name for name, _, words in rows("Parameters") if not re.match(state(name.strip("`")), words)]
    assert wrong == []
    assert [name for name in ("loss", "dropout", "alpha") if re.match(state(name), "the same")] == ["alpha"]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_every_word_that_a_parameter_takes_there_is_taken_here(kind: str) -> None:
    words = {
        name: sorted(rule.options)
        for name, rules in getattr(theirs, kind)._parameter_constraints.items()
        for rule in rules
        if isinstance(rule, StrOptions) and name in defaults(ours)
    }
    assert words.keys() == {"activation", "solver", "learning_rate", "batch_size"}
    for name, taken in words.items():
        for word in taken:
            getattr(ours, kind)(**{"hidden_layer_sizes": (2,), "max_iter": 1, name: word}).fit(X, Y)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_every_public_name_has_a_row() -> None:
    listed = {}
    for names, words in rows("Methods and attributes"):
        listed |= dict.fromkeys(re.findall(r"`(\w+)`", names), words)
    found = {}
    for side in (theirs, ours):
        models = [getattr(side, kind)(hidden_layer_sizes=(2,), max_iter=1).fit(X, Y) for kind in KINDS]
        names = {name for model in models for name in dir(model) if not name.startswith("_")}
        found[side] = names - defaults(side).keys()
    assert listed.keys() == found[theirs] | found[ours]
    assert found[theirs] <= found[ours]
    assert {name for name, words in listed.items() if words.startswith("here alone")} == found[ours] - found[theirs]


def test_the_example_runs() -> None:
    failed, tried = doctest.testfile(str(PAGE), module_relative=False)
    assert failed == 0
    assert tried > 0
