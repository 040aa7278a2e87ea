"""Numbers beside the arrays are moved where backward hears of it; a change that fits by chance of one is none."""

import ast

import numpy as np
import pytest

from handgrad import verify_function
from handgrad.subjects.function.calling import Code
from handgrad.subjects.function.other_numbers import other_numbers, read_written
from handgrad.subjects.function.own_forward import OwnForward
from handgrad.subjects.function.variants import Variant

FORWARD = "def f(x, slope=0.5): return slope * x"


def moved_numbers(forward, backward, forward_text=FORWARD, backward_text=""):
    """The defaults and attributes that are moved for passes of this source."""
    code, model = Code(forward, backward, ("x",)), np.zeros(())
    first = Variant(code, OwnForward(forward, ("x",), {}, model=model), {"x": -np.ones(3)})
    written = read_written([ast.parse(forward_text).body[0]], ast.parse(backward_text).body)
    return [dict(v.defaults) | dict(v.attributes) for v in other_numbers(first, lambda: code, model, written)]


def with_cache(x, slope=0.5):
    return np.where(x > 0, x, slope * x), (x, slope)


def alone(x, slope=0.5):
    return np.where(x > 0, x, slope * x)


@pytest.mark.parametrize(
    ("backward_text", "count"),
    [
        ("def b(dy, cache): return dy", 1),
        ("def b(dy, cache): return 0.5 * dy", 0),
        ("def b(dy, cache):\n x, slope = cache\n return 0.5 * dy", 1),
        ("def b(dy, cache, slope=0.5): return dy", 1),
    ],
    ids=["unwritten", "written", "named", "a default"],
)
def test_a_default_is_moved_unless_the_backward_pass_has_the_number_and_no_name_for_it(backward_text, count):
    found = moved_numbers(with_cache, lambda dy, cache: None, backward_text=backward_text)
    assert found == [{"slope": 0.65}, {"slope": 1.5}, {"slope": 5.0}] * count


def test_without_a_cache_a_default_is_moved_where_backward_has_the_same():
    assert moved_numbers(alone, lambda dy, x, slope=0.5: None) == [{"slope": 0.65}, {"slope": 1.5}, {"slope": 5.0}]
    assert moved_numbers(alone, lambda dy, x, slope=0.4: None) == []
    assert moved_numbers(alone, lambda dy, x: None) == []


class Tanh:
    """Backward may take another attribute than forward."""

    def __init__(self, dim=4):
        self.dim = dim
        self.scale = 1 / np.sqrt(dim)

    def forward(self, x):
        self.h = np.tanh(x)
        return self.h * self.scale

    def backward(self, dh):
        return dh * self.scale * (1 - self.h)


@pytest.mark.parametrize(("taken", "found"), [("self.scale", [0.65, 1.5, 5.0]), ("self.dim", [])])
def test_an_attribute_is_moved_unless_backward_may_have_it_from_another_one(taken, found):
    layer = Tanh()
    text = "def f(self, x): return self.scale * x"
    assert moved_numbers(layer.forward, layer.backward, text, f"def b(self, dh): return dh * {taken}") == [
        {"scale": number} for number in found
    ]
    assert layer.scale == 0.5


class Leaky:
    def __init__(self, slope=0.1):
        self.slope = slope

    def forward(self, x):
        self.x = x
        return np.where(x > 0, x, self.slope * x)

    def backward(self, dh):
        return dh * np.where(self.x > 0, 1.0, 0.01)


class HalfWritten(Leaky):
    """Right, but for the number that stands in it: it is right for its own slope alone, and that is enough."""

    def backward(self, dh):
        return dh * np.where(self.x < 0, 1.0, 0.1)


def focal(p, gamma=2.0):
    return -((1 - p) ** gamma) * np.log(p)


def focal_backward(dy, p, gamma=2.0):
    return dy * ((1 - p) ** (gamma - 1) * np.log(p) - (1 - p) ** gamma / p)


def after(forward, backward, inputs):
    """What stands in the place of what was wrong."""
    report = verify_function(forward, backward, inputs=inputs, seed=1, mend=30)
    assert report.change is not None, report.text()
    return " ".join(r.after for r in report.change.replacements)


@pytest.mark.mends
def test_what_is_right_by_chance_of_a_number_loses_to_its_name():
    """0.1 ** 2 is 0.01, and gamma is 2."""
    layer = Leaky()
    assert after(layer.forward, layer.backward, [(4, 3)]) == "self.slope"
    assert layer.slope == 0.1
    changed = after(focal, focal_backward, [np.random.default_rng(0).uniform(0.1, 0.9, (4, 3))])
    assert "gamma" in changed.split("*")[-1]


@pytest.mark.mends
def test_a_number_that_stands_in_the_backward_pass_hides_no_other_change():
    layer = HalfWritten()
    assert after(layer.forward, layer.backward, [(4, 3)]) == "self.x > 0"


def hinge(x, margin=1.0):
    return np.maximum(x + margin, 0)


def hinge_backward(dy, x, margin=1.0):
    return dy * (x > 0)


@pytest.mark.mends
def test_a_threshold_gets_its_name_and_not_its_number():
    assert after(hinge, hinge_backward, [(6, 3)]) == "-margin"
