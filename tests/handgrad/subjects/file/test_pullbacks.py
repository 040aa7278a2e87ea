"""A forward pass that returns its backward pass, found and judged."""

import ast
from pathlib import Path

import pytest

from handgrad.subjects.file.judge import Options, judge_pair
from handgrad.subjects.file.load import load
from handgrad.subjects.file.pairs import find_pairs, list_both_in_one
from handgrad.subjects.file.pullbacks import find_pullback

SCALED_TANH = """
import numpy as np
import torch


def scaled_tanh(x: "n d", a: "d"):
    h = np.tanh(x)

    def backward(dy=1.0):
        da = (dy * h).sum(axis=0)
        dx = dy * a * (1 - h * h)
        return dx, da

    return a * h, backward


def scaled_tanh_reference(x, a):
    return a * torch.tanh(x)
"""


@pytest.mark.parametrize(("changed", "verdict"), [("h * h", "CERTIFIED"), ("h", "REFUTED")])
def test_it_is_judged_at_the_line_of_its_backward_pass(changed: str, verdict: str, tmp_path: Path) -> None:
    (tmp_path / "student.py").write_text(SCALED_TANH.replace("h * h)", f"{changed})"))
    with load(tmp_path / "student.py") as file:
        (pair,) = find_pairs(file)
        judged = judge_pair(pair, Options({}, 1, mend=0))
        assert list_both_in_one(file) == []
    assert (pair.name, pair.names, pair.line) == ("scaled_tanh", ("scaled_tanh",), 9)
    assert pair.reference is not None
    assert judged.verdict.value == verdict


@pytest.mark.mends
def test_its_wrong_line_is_found(tmp_path: Path) -> None:
    (tmp_path / "student.py").write_text(SCALED_TANH.replace("h * h)", "h)"))
    with load(tmp_path / "student.py") as file:
        (pair,) = find_pairs(file)
        report = judge_pair(pair, Options({}, 1)).report
    assert report is not None
    assert report.place is not None
    assert report.place.line == 11


@pytest.mark.parametrize(
    "inside", ["backward(dy)", "grad_of_x(dy, scale=1)", "pull_back(dy)", "vjp(dy=1.0)", "_bwd(g)"]
)
def test_what_is_a_backward_pass(inside: str) -> None:
    name = inside.partition("(")[0]
    text = f"def f(x):\n    if x:\n        def {inside}:\n            return x, x\n    return x, {name}\n"
    found = find_pullback(ast.parse(text).body[0])
    assert found is not None
    assert (found.name, found.lineno) == (name, 3)


@pytest.mark.parametrize("text", [
    "def f(x):\n    def backward(dy):\n        return dy\n    return backward",
    "def f(x):\n    def backward(dy):\n        return dy\n    return x, x, backward",
    "def f(x):\n    def backward(dy):\n        return dy\n    return x, backward(x)",
    "def f(x):\n    def backward(dy, cache):\n        return dy\n    return x, backward",
    "def f(x):\n    def backward():\n        return x\n    return x, backward",
    "def f(x):\n    def backward(dy, *, rate):\n        return dy\n    return x, backward",
    "def f(x):\n    def report(dy):\n        return dy\n    return x, report",
    "def f(x):\n    return x, backward",
    "def f(x):\n    def g():\n        def back(dy):\n            return dy\n        return x, back\n    return g",
    "f = 3",
])  # fmt: skip
def test_what_is_none(text: str) -> None:
    assert find_pullback(ast.parse(text).body[0]) is None
