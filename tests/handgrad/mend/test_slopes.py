"""How the results move with every value, by autograd through the code itself, against the code moved by hand."""

import ast

import numpy as np
import torch

from handgrad.arrays.on_torch.array import OnTorch
from handgrad.arrays.on_torch.copies import on_torch
from handgrad.mend.draw import Draw
from handgrad.mend.required import find_needs
from handgrad.mend.slopes import find_slopes
from handgrad.source.program import read_program
from handgrad.source.taps import Tapped, Taps

RNG = np.random.default_rng(0)
X, W, DY = RNG.normal(size=(4, 3)), RNG.normal(size=(3, 2)), RNG.normal(size=(4, 2))


def forward(x, W):
    h = np.tanh(x @ W)
    return h, (x, W, h)


def wrong(dh, cache):
    x, W, h = cache
    dz = dh * (1 - h)
    dW = np.zeros_like(W)
    for row in range(len(x)):
        dW += np.outer(x[row], dz[row])
    return dz @ W.T, dW


def unseen(dh, cache):
    """Through the bytes of an array: autograd does not see them."""
    x, W, h = cache
    dz = dh * (1 - np.frombuffer(h.tobytes()).reshape(h.shape))
    return dz @ W.T, x.T @ dz


def draw_of(backward, forward=forward):
    dz = DY * (1 - np.tanh(X @ W) ** 2)
    right = {"y": np.tanh(X @ W), "dx": dz @ W.T, "dW": X.T @ dz}

    def run(passes):
        y, cache = passes.forward(X.copy(), W.copy())
        dx, dW = passes.backward(DY.copy(), cache)
        return {"y": y, "dx": dx, "dW": dW}

    def follow(passes):
        made = on_torch(passes)
        y, cache = made.forward(OnTorch(torch.tensor(X)), OnTorch(torch.tensor(W)))
        dx, dW = made.backward(OnTorch(torch.tensor(DY)), cache)
        return {"y": y.tensor, "dx": dx.tensor, "dW": dW.tensor}

    bound = {n: np.full(v.shape, 1e-8) for n, v in right.items()}
    return Tapped(read_program(forward, backward)), Draw(run, follow, DY, right, bound, in_float64=True)


def noted_of(tapped, draw):
    noted = Taps(tapped.places)
    return noted, draw.outputs(tapped.passes(noted))


def test_every_slope_is_what_moving_the_value_gives():
    tapped, draw = draw_of(wrong)
    noted, outputs = noted_of(tapped, draw)
    slopes = find_slopes(tapped, draw, noted, outputs)
    assert slopes is not None
    assert len(slopes.of) > 15
    names = sorted(draw.right)
    base = np.concatenate([outputs[n].ravel() for n in names])
    for place, slope in slopes.of.items():
        move = 1e-6 * RNG.normal(size=slope.shape[1])
        ends = np.cumsum([v.size for v in noted.values[place]])[:-1]
        parts = [m.reshape(v.shape) for m, v in zip(np.split(move, ends), noted.values[place], strict=True)]
        there = draw.outputs(tapped.passes(Taps(tapped.places, keep=False, moves={place: parts})))
        found = np.concatenate([there[n].ravel() for n in names]) - base
        np.testing.assert_allclose(slope @ move, found, atol=1e-10)


def test_the_adjoint_of_every_value_of_the_forward_pass():
    tapped, draw = draw_of(wrong)
    slopes = find_slopes(tapped, draw, *noted_of(tapped, draw))
    place = next(i for i, p in enumerate(tapped.places) if ast.unparse(p.node) == "x @ W")
    np.testing.assert_allclose(slopes.adjoints[place][0], DY * (1 - np.tanh(X @ W) ** 2))


def test_code_that_autograd_does_not_see_is_moved_by_hand():
    tapped, draw = draw_of(unseen)
    slopes = find_slopes(tapped, draw, *noted_of(tapped, draw))
    seen = {ast.unparse(tapped.places[place].node) for place in slopes.of}
    assert "dz @ W.T" in seen
    assert "np.tanh(x @ W)" not in seen
    needs = find_needs(tapped, draw, deadline=np.inf)
    assert needs.complete
    wanted = DY * (1 - np.tanh(X @ W) ** 2)
    assert any(n.unique and n.values[0].shape == DY.shape and np.allclose(n.values[0], wanted) for n in needs.found)


def test_half_of_the_time_is_kept_from_the_values_of_the_forward_pass(monkeypatch):
    times = iter([0.0])
    monkeypatch.setattr("handgrad.mend.required.clock", lambda: next(times, 0.6))
    tapped, draw = draw_of(unseen)
    needs = find_needs(tapped, draw, deadline=1.0)
    assert not needs.complete
    assert {tapped.places[need.place].part.backward for need in needs.found} == {True}


def test_what_is_written_into_later_is_not_replaced_by_a_copy():
    """dW is one array under one name, and its name is read after the last time it is written into; rows are a view."""

    def through_a_view(dh, cache):
        x, W, h = cache
        dW = np.zeros_like(W)
        rows = dW[:]
        rows += x.T @ (dh * (1 - h))
        return dh @ W.T, dW

    tapped, draw = draw_of(through_a_view)
    noted, outputs = noted_of(tapped, draw)
    assert {ast.unparse(tapped.places[i].node) for i in noted.written} == {"dW", "dW[:]"}
    assert find_slopes(tapped, draw, noted, outputs) is not None


def test_an_exact_zero_at_a_kink_does_not_hide_the_slopes_of_the_others():
    """Moved from zero, what relu cut off would pass the mask."""

    def with_relu(x, W):
        h = np.maximum(x @ W, 0)
        return h, (x, W, h)

    def masked(dh, cache):
        x, W, h = cache
        dz = 2 * dh * (h > 0)
        return dz @ W.T, x.T @ dz

    tapped, draw = draw_of(masked, with_relu)
    noted, outputs = noted_of(tapped, draw)
    slopes = find_slopes(tapped, draw, noted, outputs)
    assert set(slopes.of) >= {i for i, place in enumerate(tapped.places) if ast.unparse(place.node) in ("h", "dz")}
