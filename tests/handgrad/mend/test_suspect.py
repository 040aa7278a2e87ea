"""The one line that is wrong: named where what feeds it is known to be right, and not named where that is unknown."""

import ast

import numpy as np
import pytest
import torch

from handgrad.arrays.on_torch.array import OnTorch
from handgrad.arrays.on_torch.copies import on_torch
from handgrad.mend.draw import Draw
from handgrad.mend.required import find_needs
from handgrad.mend.suspect import find_suspect, makes_zeros
from handgrad.source.program import read_program
from handgrad.source.taps import Tapped

RNG = np.random.default_rng(1)
X, W, V, DY = (RNG.normal(size=shape) for shape in ((4, 3), (3, 2), (2, 2), (4, 2)))


def forward(x, W, V):
    z = x @ W
    h = np.tanh(z)
    return h @ V, (x, W, V, h)


def slope_wrong(dy, cache):
    x, W, V, h = cache
    dh = dy @ V.T
    dz = dh * np.cos(h)
    dV = h.T @ dy
    return dz @ W.T, x.T @ dz, dV


def halves(dy, cache):
    """half is no gradient of anything, so either line could be wrong."""
    x, W, V, h = cache
    half = (dy @ V.T) * (3 - h)
    dz = half * np.cos(h)
    dV = h.T @ dy
    return dz @ W.T, x.T @ dz, dV


def two_slips(dy, cache):
    """Another dz would make everything right; but what goes into it is wrong twice."""
    x, W, V, h = cache
    dh = dy @ V.T
    left = dh[:, :1] * np.cos(h[:, :1])
    right = dh[:, 1:] * np.sin(h[:, 1:])
    dz = np.hstack([left, right])
    dV = h.T @ dy
    return dz @ W.T, x.T @ dz, dV


def writes_for_nothing(dy, cache):
    """Nothing reads more, so the sum may belong elsewhere."""
    x, W, V, h = cache
    dh = dy @ V.T
    dz = dh * np.cos(h)
    more = 1.0 * dh
    more[0] += 2 * dz[0]
    dV = h.T @ dy
    return dz @ W.T, x.T @ dz, dV


def negated(a):
    """Both passes call it."""
    return -a


def forward_negated(x, W, V):
    z = negated(x @ W)
    h = np.tanh(-z)
    return h @ V, (x, W, V, h)


def slope_wrong_negated(dy, cache):
    x, W, V, h = cache
    dh = dy @ V.T
    dz = -negated(dh) * np.cos(h)
    dV = h.T @ dy
    return dz @ W.T, x.T @ dz, dV


def exponent_wrong(dy, cache):
    """exp(2 a) is what the slope of tanh is made of, so everything bends with a."""
    x, W, V, h = cache
    a = 0.6 * (x @ W)
    dh = dy @ V.T
    dz = dh * 4 * np.exp(2 * a) / (1 + np.exp(2 * a)) ** 2
    dV = h.T @ dy
    return dz @ W.T, x.T @ dz, dV


def forward_halved(x, W, V):
    a = x @ W
    z = 0.5 * a
    h = np.tanh(2 * z)
    return h @ V, (x, W, V, h)


def half_forgotten(dy, cache):
    """Nobody knows whether the half was meant in the first line or in the second: delta is the gradient of z."""
    x, W, V, h = cache
    delta = dy @ V.T * (1 - h**2) * 2
    passed = delta * 1.0
    dV = h.T @ dy
    return passed @ W.T, x.T @ passed, dV


def half_forgotten_under_its_name(dy, cache):
    x, W, V, h = cache
    dz = dy @ V.T * (1 - h**2) * 2
    da = dz * 1.0
    dV = h.T @ dy
    return da @ W.T, x.T @ da, dV


def known_of(backward, forward=forward, deadline=np.inf):
    """The passes with taps, and what is known of the values that they need."""
    h = np.tanh(X @ W)
    dz = DY @ V.T * (1 - h**2)
    right = {"y": h @ V, "dx": dz @ W.T, "dW": X.T @ dz, "dV": h.T @ DY}

    def results(passes, array):
        y, cache = passes.forward(*map(array, (X, W, V)))
        dx, dW, dV = passes.backward(array(DY), cache)
        return {"y": y, "dx": dx, "dW": dW, "dV": dV}

    def follow(passes):
        found = results(on_torch(passes), lambda a: OnTorch(torch.tensor(a)))
        return {n: v.tensor for n, v in found.items()}

    bound = {n: np.full(v.shape, 1e-8) for n, v in right.items()}
    draw = Draw(lambda passes: results(passes, np.copy), follow, DY, right, bound, in_float64=True)
    tapped = Tapped(read_program(forward, backward))
    return tapped, find_needs(tapped, draw, deadline)


def suspect_of(backward, forward=forward, deadline=np.inf):
    found = find_suspect(*known_of(backward, forward, deadline), frozenset({"dx", "dW"}))
    return found and ast.unparse(found[1])


def test_the_first_line_that_misses_the_gradient_of_a_value_of_the_forward_pass():
    """dh could be wrong as well, but is the gradient of h."""
    assert suspect_of(slope_wrong) == "dz = dh * np.cos(h)"


def test_no_line_where_an_earlier_one_could_be_wrong():
    assert suspect_of(halves) is None


def test_no_line_where_another_writes_for_nothing():
    assert suspect_of(writes_for_nothing) is None


def test_no_line_where_a_gradient_of_the_forward_pass_may_be_meant_or_the_next():
    assert suspect_of(half_forgotten, forward_halved) is None


def test_the_line_whose_name_says_which_gradient_it_should_be():
    assert suspect_of(half_forgotten_under_its_name, forward_halved) == "da = dz * 1.0"


def test_no_line_where_not_every_value_was_asked():
    assert suspect_of(slope_wrong, deadline=-np.inf) is None


def test_no_line_where_what_goes_in_is_not_known_to_be_right():
    assert suspect_of(two_slips) is None


def test_a_function_that_the_forward_pass_calls_as_well_is_not_suspected():
    """Another value of its second call would make everything right; but dh is right, and what it gives as well."""
    assert suspect_of(slope_wrong_negated, forward_negated) == "dz = -negated(dh) * np.cos(h)"


def test_the_value_that_is_needed_in_an_exponent():
    tapped, needs = known_of(exponent_wrong)
    needed = {ast.unparse(tapped.places[need.place].node): need.values[0] for need in needs.found}
    found = np.abs(needed["0.6 * (x @ W)"])  # the slope is the same for z and -z
    np.testing.assert_allclose(found, np.abs(X @ W), rtol=1e-4)


@pytest.mark.parametrize(("text", "yes"), [("dQ, dV = np.zeros_like(Q), np.zeros(3)", True), ("dV = P.T @ dy", False)])
def test_zeros_that_other_lines_add_to_are_known(text, yes):
    assert makes_zeros(ast.parse(text).body[0]) is yes
