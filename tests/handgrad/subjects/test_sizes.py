"""Sizes that are multiples of others stay so: two halves of a row, three gates of a unit."""

import torch

from handgrad import Verdict, verify_function
from handgrad.subjects.function.sizes import keeps_multiples


def test_multiples_are_kept():
    shapes = {"x": (5, 2), "W": (2, 6)}
    assert keeps_multiples(shapes, (5, 2), {5: 1})
    assert keeps_multiples(shapes, (5, 2), {2: 3, 6: 9})
    assert not keeps_multiples(shapes, (5, 2), {6: 5})


def test_a_size_of_y_that_no_input_has():
    assert keeps_multiples({"x": (4, 6)}, (4, 3), {6: 8})
    assert not keeps_multiples({"x": (4, 6)}, (4, 3), {6: 3})


def halves(x):
    a, b = torch.chunk(x, 2, dim=-1)
    return a * torch.sigmoid(b)


def test_code_that_halves_its_rows_is_right():
    def forward(x):
        return halves(x), x

    def backward(dy, x):
        a, b = torch.chunk(x, 2, dim=-1)
        s = torch.sigmoid(b)
        return torch.cat([dy * s, dy * a * s * (1 - s)], -1)

    assert verify_function(forward, backward, halves, [(4, 6)], seed=0).verdict is Verdict.CERTIFIED
    wrong = lambda dy, x: backward(dy, x) * (x.shape[-1] != 16)  # noqa: E731
    assert verify_function(forward, wrong, halves, [(4, 6)], seed=0).verdict is not Verdict.CERTIFIED
