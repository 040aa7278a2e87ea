"""The line and the change: found, CERTIFIED, shown as text and as a diff that applies; nothing else is touched."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from handgrad import Verdict, verify_function
from handgrad.mend.change import describe_edits
from handgrad.source.program import Part
from handgrad.source.read import read_source

pytestmark = pytest.mark.mends

LIMIT = 0.5
KEPT = np.zeros(3)


def mlp(x, W1, b1, W2, b2):
    z1 = x @ W1 + b1
    h = np.tanh(z1)
    return h @ W2 + b2, (x, h, W1, W2)


def square_missing(dy, cache):
    x, h, W1, W2 = cache
    dh = dy @ W2.T
    dz1 = dh * (1 - h)
    return dz1 @ W1.T, x.T @ dz1, dz1.sum(0), h.T @ dy, dy.sum(0)


def in_torch(x, W1, b1, W2, b2):
    return torch.tanh(x @ W1 + b1) @ W2 + b2


SHAPES = [(5, 4), (4, 3), (3,), (3, 2), (2,)]


def line_of(function, text):
    """The line of the first place in the function's source where the text stands."""
    lines, first = inspect.getsourcelines(function)
    return first + next(i for i, line in enumerate(lines) if text in line)


def changed(forward, backward, reference, inputs, **asked):
    """The report, and every replacement as before and after."""
    report = verify_function(forward, backward, reference, inputs, seed=0, **asked)
    assert report.gradients is Verdict.REFUTED
    assert report.change is not None, report.text()
    return report, [(r.before, r.after) for r in report.change.replacements]


def test_the_line_and_what_should_stand_there():
    report, edits = changed(mlp, square_missing, in_torch, SHAPES)
    assert edits == [("h", "h ** 2")]
    assert report.place is not None
    assert (report.place.file, report.place.line) == (__file__, line_of(square_missing, "dz1 = "))
    assert report.place.function == "square_missing"
    text = report.text()
    assert report.sentence.startswith("dz1 is not the gradient of z1; ")
    assert report.sentence in " ".join(text.split())
    assert "dz1 = dh * (1 - h)\n" in text
    assert "^ should be h ** 2" in text
    assert "= the square is missing: `1 - h` where `1 - h ** 2` belongs" in text
    assert "with this change every gradient is CERTIFIED" in text
    assert report.to_dict()["change"]["replacements"][0]["after"] == "h ** 2"
    assert report.to_dict()["change"]["words"] == "the square is missing: `1 - h` where `1 - h ** 2` belongs"


def test_the_diff_applies(tmp_path):
    (tmp_path / "mine.py").write_text(Path(__file__).read_text())
    asked = "mine.mlp, mine.square_missing, mine.in_torch, mine.SHAPES"
    code = f"import mine, handgrad; print(handgrad.verify_function({asked}, mend=300).change.diff, end='')"
    diff = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    subprocess.run(["git", "apply", "-"], input=diff, cwd=tmp_path, text=True, check=True)
    assert "dz1 = dh * (1 - h ** 2)" in (tmp_path / "mine.py").read_text()


def test_nothing_is_looked_for_where_that_is_asked():
    report = verify_function(mlp, square_missing, in_torch, SHAPES, seed=0, mend=0)
    assert report.change is None
    with pytest.raises(ValueError, match="mend: got -1, expected a number of seconds"):
        verify_function(mlp, square_missing, in_torch, SHAPES, mend=-1)


class Tanh(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z):
        h = torch.tanh(z)
        ctx.save_for_backward(z)
        return h

    @staticmethod
    def backward(ctx, dh):
        (h,) = ctx.saved_tensors
        return dh * (1 - h * h)


def test_a_torch_function_whose_forward_pass_saves_another_tensor():
    _, edits = changed(Tanh, None, torch.tanh, [(4, 3)])
    assert edits == [("z", "h")]


class Scale:
    """A layer that keeps its state."""

    def __init__(self):
        self.factor = 3.0

    def forward(self, x):
        self.x = x
        return self.factor * np.sin(x)

    def backward(self, dy):
        return self.slope() * dy

    def slope(self):
        return self.factor * np.sin(self.x)


def test_a_helper_method_of_an_object():
    layer = Scale()
    report, edits = changed(layer.forward, layer.backward, lambda x: 3 * torch.sin(x), [(4,)])
    assert edits == [("np.sin(self.x)", "np.cos(self.x)")]
    assert report.place is not None
    assert report.place.function == "slope"


def softplus_of(limit):
    def forward(z):
        return np.where(z > limit, z, np.log1p(np.exp(np.minimum(z, limit)))), z

    def backward(dy, z):
        return dy * np.where(z > limit, 1.0, np.exp(-z) / (1 + np.exp(-z)))

    return forward, backward


def test_a_closure():
    made = softplus_of(30.0)
    _, edits = changed(*made, lambda z: torch.logaddexp(z, 0 * z), [(4,)])
    assert len(edits) == 1


def test_the_line_alone_where_no_change_is_found():
    def forward(x):
        return np.sin(x) * np.exp(x), x

    def backward(dy, x):
        s = np.sin(x) ** 7 / (3 + np.log(5 + x * x))
        return dy * s

    report = verify_function(forward, backward, lambda x: torch.sin(x) * torch.exp(x), [(3,)], seed=0)
    assert report.change is None
    assert report.suspect is None  # both lines could be wrong alone
    one_line = lambda dy, x: dy * np.sin(x) ** 7 / (3 + np.log(5 + x * x))  # noqa: E731
    report = verify_function(forward, one_line, lambda x: torch.sin(x) * torch.exp(x), [(3,)], seed=0)
    assert report.change is None
    assert report.place is not None
    assert report.place.line == line_of(test_the_line_alone_where_no_change_is_found, "one_line = lambda")
    assert "with another value here every gradient would be right" in report.text(width=140)


def test_two_slips_at_two_places():
    def backward(dy, cache):
        x, h, W1, W2 = cache
        dz1 = (dy @ W2.T) * (1 - h**2)
        return dz1 @ W1.T, x.T @ dz1, dz1.mean(0), h.T @ dy, -dy.sum(0)

    _, edits = changed(mlp, backward, in_torch, SHAPES)
    assert sorted(edits) == [("-dy.sum(0)", "dy.sum(0)"), ("dz1.mean(0)", "dz1.sum(0)")]


def test_what_is_written_into_stays_as_it_was(capfd, tmp_path, monkeypatch):
    """Candidates run on copies, and print nothing."""
    monkeypatch.chdir(tmp_path)

    def forward(x):
        KEPT[:] = x
        return x * x, x

    def backward(dy, x):
        print("here")
        KEPT[:] = 7
        return dy * x * 3

    before = np.random.get_state()[1].copy()  # noqa: NPY002
    report = verify_function(forward, backward, torch.square, [(3,)], seed=0)
    assert report.change is not None
    assert "should be 2" in report.text()
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002
    assert list(tmp_path.iterdir()) == []


def second_difference(dy, x):
    dx = np.zeros_like(x)
    dx[:-1, 2:] += dy
    dx[1:, :-2] -= dy
    return dx


def test_an_index_is_written_without_parentheses():
    """dx[(:-1, 2:)] is no Python."""
    source = read_source(second_difference)
    assert source is not None
    index = next(n for n in ast.walk(source.tree) if isinstance(n, ast.Tuple) and ast.unparse(n) == "(1:, :-2)")
    right = ast.Tuple([index.elts[0], ast.Slice(ast.Constant(1), None)], ast.Load())
    change = describe_edits({Part(source): {index: right}})
    assert change is not None
    assert (change.before, change.after) == ("1:, :-2", "1:, 1:")
    assert "+    dx[1:, 1:] -= dy" in change.diff


def test_what_no_text_says_is_no_change():
    source = read_source(second_difference)
    assert source is not None
    index = next(n for n in ast.walk(source.tree) if isinstance(n, ast.Tuple))
    alone = ast.Slice(None, None)  # ":" as the operand of a sum is no Python
    assert describe_edits({Part(source): {index: ast.BinOp(alone, ast.Add(), alone)}}) is None


def test_a_fault_in_finding_words_is_told_and_costs_no_change(monkeypatch):
    def at_fault(*args):
        raise KeyError("no such rule")

    monkeypatch.setattr("handgrad.explain.change.describe_change", at_fault)
    report = verify_function(np.tanh, lambda dy, x: dy * (1 - np.tanh(x)), torch.tanh, [(4,)], seed=0)
    assert report.change is not None
    assert report.change.words == "no words: a fault of handgrad, KeyError('no such rule')"


def powers(x, w):
    return x**2 + w**3, (x, w)


def one_wrong_and_one_cut(dy, cache):
    x, w = cache
    dx = 3 * x * dy
    dw = 3 * np.where(np.abs(w) > 50, 0, w) ** 2 * dy
    return dx, dw


def test_a_change_that_is_right_at_ordinary_inputs_alone_is_told_with_what_stays_wrong():
    report = verify_function(powers, one_wrong_and_one_cut, inputs=[(3, 4), (3, 4)], seed=0)
    assert report.change is None
    assert report.suspect is not None
    assert report.suspect.text.strip() == "dx = 3 * x * dy"
    assert report.suspect.words == "`3 * x` where `2 * x` belongs"
    assert "something else is wrong besides: dw at inputs near 1e4" in report.suspect.breaks


def at_one_size(dy, cache):
    x, w = cache
    dx = 2 * x * dy if len(x) < 5 else dy
    dw = 2 * w**2 * dy
    return dx, dw


def test_a_change_that_is_wrong_at_another_size_is_not_told():
    report = verify_function(powers, at_one_size, inputs=[(3, 4), (3, 4)], seed=0)
    assert report.change is None
    assert report.suspect is None or "belongs" not in report.suspect.words
