"""What large inputs and slow code cost: it is told before, and what asks for many runs gets fewer numbers."""

import io
import sys

import numpy as np
import pytest
import torch

from handgrad import Verdict, verify_function
from handgrad.arrays.arithmetic import Arithmetic
from handgrad.arrays.ball import Ball, TooManyNumbers, at_most_single_numbers
from handgrad.judge.constants import SINGLE_NUMBERS
from handgrad.subjects.function import cost
from handgrad.subjects.function.calling import Code
from handgrad.subjects.function.case import Case, Kind, try_case
from handgrad.subjects.function.fewer_numbers import smaller_shapes
from handgrad.subjects.function.reference import Reference

RNG = np.random.default_rng(0)


def judged(*args, **kwargs):
    return verify_function(*args, seed=7, mend=0, **kwargs)


class Sizes:
    """y = x w, noting the rows it is called with; keeps what it is told to keep."""

    def __init__(self, keeps=False):
        self.seen, self.keeps, self.kept = [], keeps, None

    def __deepcopy__(self, memo):
        return self

    def forward(self, x, w):
        self.seen.append(len(x))
        if self.kept is None or not self.keeps or self.kept.shape != w.shape:
            self.kept = w
        return x @ w, (x, self.kept)

    def backward(self, dy, cache):
        x, w = cache
        return dy @ w.T, x.T @ dy


LARGE = [RNG.normal(size=(256, 64)), RNG.normal(size=(64, 64))]


def test_contracts_of_large_inputs_run_on_fewer_rows():
    right = Sizes()
    assert judged(right.forward, right.backward, lambda x, w: x @ w, LARGE).verdict is Verdict.CERTIFIED
    assert sum(rows == 256 for rows in right.seen) < 12
    assert sum(rows == 16 for rows in right.seen) > 20


def test_what_is_kept_between_calls_is_found_on_fewer_rows():
    wrong = Sizes(keeps=True)
    report = judged(wrong.forward, wrong.backward, lambda x, w: x @ w, LARGE)
    assert report.verdict is not Verdict.CERTIFIED
    assert "keeps state between calls" in report.text() or report.broken


def test_what_is_written_into_is_found_on_fewer_rows():
    def spoils(dy, cache):
        x, w = cache
        dx = dy @ w.T
        dy *= 2
        return dx, x.T @ (dy / 2)

    right = Sizes()
    report = judged(right.forward, spoils, lambda x, w: x @ w, LARGE)
    assert any("upstream" in contract for contract in map(str, report.broken)), report.text()


def test_code_that_takes_no_other_sizes_is_checked_at_its_own():
    def forward(x, w):
        assert x.shape == (256, 64)
        return x @ w, (x, w)

    back = lambda dy, c: (dy @ c[1].T, c[0].T @ dy)  # noqa: E731
    report = judged(forward, back, lambda x, w: x @ w, LARGE)
    assert report.verdict is Verdict.CERTIFIED
    assert len(report.contracts[0].contracts) > 5


def test_labels_are_cut_with_their_rows():
    """Labels of 64 classes do not fit 16 of them, so that the rows alone are cut."""

    seen = []

    class Loss(torch.autograd.Function):
        @staticmethod
        def forward(ctx, z, t):
            seen.append(tuple(z.shape))
            p = torch.softmax(z, 1)
            ctx.save_for_backward(p, t)
            return -torch.log(p[torch.arange(len(t)), t]).mean()

        @staticmethod
        def backward(ctx, dy):
            p, t = ctx.saved_tensors
            return dy * (p - torch.nn.functional.one_hot(t, p.shape[1])) / len(t), None

    inputs = [torch.as_tensor(RNG.normal(size=(512, 64))), torch.as_tensor(RNG.integers(64, size=512))]
    inputs[1][:8] = 63
    assert judged(Loss, None, torch.nn.functional.cross_entropy, inputs).verdict is Verdict.CERTIFIED
    assert (4, 64) in seen


def test_smaller_shapes_keep_what_is_equal_and_what_is_a_multiple():
    first, rows = smaller_shapes({"x": (512, 96), "w": (96, 192), "t": (512,)})
    assert first == {"x": (16, 3), "w": (3, 6), "t": (16,)}
    assert rows == {"x": (4, 96), "w": (96, 192), "t": (4,)}


def loop(x):
    y = 0.0
    for i in range(len(x)):
        y = y + x[i] * x[i]
    return y, x


@pytest.mark.parametrize(("length", "way"), [(50, "rounding bounds"), (SINGLE_NUMBERS // 3, "noise of the reference")])
def test_a_long_loop_over_numbers_is_judged_by_noise(length, way):
    x = RNG.normal(size=length)
    back = lambda dy, x: 2 * dy * x  # noqa: E731
    report = judged(loop, back, lambda x: (x * x).sum(), [x])
    assert report.verdict is Verdict.CERTIFIED
    assert any(way in note for note in report.notes)
    wrong = lambda dy, x: 2 * dy * np.where(np.arange(len(x)) == len(x) - 1, 0, x)  # noqa: E731
    code, reference = Code(loop, wrong, ("x",)), Reference(lambda x: (x * x).sum(), ("x",), {})
    case = Case("given", {"x": x}, Kind.GIVEN)
    tried = try_case(code, reference, case, np.random.default_rng(0), 1.0, name_it=False)
    assert tried.row.isolated.verdict is Verdict.REFUTED


def test_single_numbers_are_counted_and_arrays_are_not():
    x = Ball.exact(np.ones(4), Arithmetic.of("float64"))
    with at_most_single_numbers(3):
        for _ in range(9):
            x = x + x
        with pytest.raises(TooManyNumbers, match="one number at a time"):
            sum((x[i] for i in range(4)), x[0])
    assert sum((x[i] for i in range(4)), x[0]).shape == ()


@pytest.mark.parametrize(("seconds", "told"), [(1.0, True), (0.001, False)])
def test_the_cost_is_told_on_a_terminal_before_it_runs(monkeypatch, seconds, told):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(cost, "clock", lambda call: seconds)
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    judged(lambda x: (x * x, x), lambda dy, x: 2 * dy * x, lambda x: x * x, [np.ones(3)])
    assert ("this will take about" in terminal.getvalue()) is told
    monkeypatch.setattr(sys, "stderr", quiet := io.StringIO())
    judged(lambda x: (x * x, x), lambda dy, x: 2 * dy * x, lambda x: x * x, [np.ones(3)])
    assert quiet.getvalue() == ""
