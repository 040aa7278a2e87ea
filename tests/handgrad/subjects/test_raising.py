"""A backward pass that raises: what, at which line, and whether that is a mistake."""

import numpy as np
import pytest
import torch

from handgrad import verify_function
from handgrad.judge.verdict import Verdict

R, U = Verdict.REFUTED, Verdict.UNRESOLVED


class Linear:
    def __init__(self):
        self.W = np.random.default_rng(0).normal(size=(4, 3))

    def forward(self, x):
        self.x = x
        return x @ self.W

    def backward(self, dy):
        self.dW = self.x.T @ dy
        return dy @ self.W

    def right(self, dy):
        return dy @ self.W.T

    def guarded(self, dy):
        if dy.shape != self.x.shape:
            raise ValueError("only square layers")
        return dy @ self.W.T

    def guarded_in_a_line(self, dy):
        if dy.shape != self.x.shape: raise ValueError("only square layers")  # noqa: E701  # fmt: skip
        return dy @ self.W.T

    def misspelt(self, dy):
        return dy @ Weights.T  # noqa: F821

    def other_cache(self, dy):
        x, _W = (self.x,)
        return dy * x

    def of_labels(self, dy):
        return dy[:, self.x[:, 0]]

    def out_of_range(self, dy):
        return dy[:, [0, 1, 2, 3]] * self.x

    def in_place(self, dy):
        dx = self.x.copy()
        dx += dy
        return dx

    def of_kind(self, dy):
        return dy.cuda() @ self.W.T

    def singular(self, dy):
        return dy @ np.linalg.inv(np.zeros((3, 3)))


def judged(backward, *, mend=0.0, shape=(5, 4)):
    layer = Linear()
    return verify_function(layer.forward, getattr(layer, backward), inputs=[shape], seed=0, mend=mend, name="linear")


@pytest.mark.parametrize(
    ("backward", "verdict", "raised"),
    [
        ("backward", R, "ValueError"),  # shapes that do not fit
        ("misspelt", R, "NameError"),
        ("out_of_range", R, "IndexError"),
        ("in_place", R, "ValueError"),
        ("guarded", U, "ValueError"),  # says itself what it does not take
        ("guarded_in_a_line", U, "ValueError"),
        ("other_cache", U, "ValueError"),
        ("of_labels", U, "IndexError"),  # right for whole numbers
        ("of_kind", U, "AttributeError"),  # right for other arrays
        ("singular", U, "LinAlgError"),
    ],
)
def test_an_operation_that_fails_where_forward_has_a_value_is_a_mistake(backward, verdict, raised):
    report = judged(backward)
    assert report.verdict is verdict, report.text()
    text = report.text(width=100)
    assert text.splitlines()[0].startswith(f"{verdict.value}  linear: backward raises {raised}")
    assert "test_raising.py:" in "".join(text.splitlines()[:2])


def test_the_right_twin_is_certified():
    assert judged("right").verdict is Verdict.CERTIFIED


def test_the_line_that_raises_is_the_place_and_says_what_it_raises():
    report = judged("backward")
    assert report.place.text.strip() == "return dy @ self.W"
    text = report.text(width=300)
    assert text.count("matmul: Input operand 1 has a mismatch") == 1
    assert report.to_dict()["stages"][0]["raised"] == "backward raises ValueError"
    assert "backward raises ValueError" in report.shown().heading


@pytest.mark.mends
def test_a_change_comes_before_the_line_that_raises():
    report = judged("backward", mend=10)
    assert (report.change.before, report.change.after) == ("self.W", "self.W.T")
    assert report.suspect is None


def test_a_required_dy_is_never_left_out():
    """Without dy, the inputs stood in its place: another shape than expected, and no word of what was raised."""
    text = judged("backward").text(width=300)
    assert "no upstream gradient" not in text
    assert "several ways" not in text


def test_what_is_raised_at_special_inputs_convicts_nobody():
    def forward(x):
        return x * x, x

    def backward(dy, x):
        return dy * 2 * x + 0 * x.reshape(3, 4)

    report = verify_function(forward, backward, inputs=[(3, 4)], seed=0, mend=0)
    assert report.verdict is U
    assert report.stages[0].isolated.verdict is Verdict.CERTIFIED


def test_the_matrices_of_torch_do_not_fit():
    def forward(x, w):
        return x @ w, (x, w)

    def backward(dy, cache):
        x, w = cache
        return dy.detach() @ w, x.T @ dy

    inputs = [torch.ones(5, 4, dtype=torch.float64), torch.ones(4, 3, dtype=torch.float64)]
    report = verify_function(forward, backward, torch.matmul, inputs, seed=0, mend=0)
    assert (report.verdict, report.stages[0].raised) == (R, "backward raises RuntimeError")


def test_what_raises_elsewhere_is_not_what_is_wrong_and_no_change_is_shown_that_was_not_judged():
    """At large inputs it raises, of a batch of one db is wrong: an edit that runs at the first is not right yet."""

    def forward(x, b):
        return np.tanh(x) + b, (x,)

    def backward(dy, cache):
        (x,) = cache
        if np.abs(x).max() > 15:
            np.zeros(3) + np.zeros(2)
        db = dy.sum(0) if dy.shape[0] > 1 else dy.sum(0) * dy[0]
        return dy / np.cosh(x) ** 2, db

    report = verify_function(forward, backward, inputs=[(4, 3), (3,)], seed=1, mend=5)
    assert report.verdict is R
    assert report.raised == ""
    assert "raises" not in report.text().splitlines()[0]
    assert report.change is None
    assert report.place is None or "np.zeros(3)" not in report.place.text
