"""The one line that is wrong: named where what feeds it is known to be right, and not named where that is unknown."""

import ast

import numpy as np
import torch

from handgrad.arrays.on_torch.array import OnTorch
from handgrad.arrays.on_torch.copies import on_torch
from handgrad.mend.draw import Draw
from handgrad.mend.required import find_needs
from handgrad.mend.suspect import find_suspect
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


def suspect_of(backward, deadline=np.inf):
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
    needs = find_needs(tapped, draw, deadline)
    found = find_suspect(tapped, needs, frozenset({"dx", "dW"}))
    return found and ast.unparse(found[1])


def test_the_first_line_that_misses_the_gradient_of_a_value_of_the_forward_pass():
    """dh could be wrong as well, but is the gradient of h."""
    assert suspect_of(slope_wrong) == "dz = dh * np.cos(h)"


def test_no_line_where_an_earlier_one_could_be_wrong():
    assert suspect_of(halves) is None


def test_no_line_where_not_every_value_was_asked():
    assert suspect_of(slope_wrong, deadline=-np.inf) is None
